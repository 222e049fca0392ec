"""
The image viewer that every page uses: volumes go to the browser once and are drawn there.

The JavaScript and the style sheet lie in the folder ``viewer`` as readable modules without a build step;
they are joined here at import. What the person sees comes back as a :class:`ViewState` about 400 ms after
the last move.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import streamlit as st

from pages.components import viewer_source
from pages.components.keeping import kept
from pages.components.viewer_data import (
    COLOUR_MAPS,
    Layer,
    Limits,
    PackedLayer,
    check_same_grid,
    digest,
    pack,
    pack_layer,
    reduction,
)
from pages.components.viewer_parts import (
    Scene,
    Wanted,
    asked_part,
    first_part,
    full_plane,
    preview,
    sent_shape,
    window_of,
    with_region,
)
from pages.components.viewer_state import MODES, Measured, ViewState

__all__ = ["COLOUR_MAPS", "MODES", "Layer", "Measured", "ViewState", "moved", "viewer"]


def viewer(
    layers: Sequence[Layer],
    *,
    key: str,
    mode: str = "side",
    modes: tuple[str, ...] | None = None,
    height_px: int = 560,
    state: ViewState | None = None,
    measured: Measured | None = None,
    steady: bool = False,
) -> ViewState:
    """
    Show layers of one grid and say what the person looks at.

    Parameters
    ----------
    layers : sequence of Layer
        All of one shape; the roles decide which two are compared.
    key : str
        Unique on the page. The view survives reruns and page changes under this key.
    mode : str
        How to start, one of ``MODES``; a changed value switches the viewer.
    modes : tuple of str or None
        What the person can choose from; None offers all that make sense for these layers.
    height_px : int
        At most, of the whole viewer with its controls; a wide image on a narrow screen takes less.
    state : ViewState or None
        Where to start. Give back what the last call returned: that never moves the view. Any other value
        is taken as a request to go there.
    measured : Measured or None
        Dice and IoU as the page found them; shown while the thresholds are the ones that they are of.
    steady : bool
        Keep room for the tallest view, so that what lies below never moves when another one is chosen.

    Returns
    -------
    state : ViewState
        As of the last report, about 400 ms after the last move.
    """
    check_same_grid(layers)
    offered = modes if modes is not None else offered_modes(layers)
    if mode not in MODES or any(name not in MODES for name in offered):
        raise ValueError(f"viewer modes are {', '.join(MODES)}")
    if key not in st.session_state:  # a new tab, or back on the page: this browser has nothing yet
        for kept in (_asked_key(key), _delivered_key(key)):
            st.session_state.pop(kept, None)
    memory = _memory(key, state, mode, layers[0].tzyx.shape)
    steps = reduction(layers[0].tzyx.shape, len(layers))
    scene = Scene(tuple(layers), steps, memory["start"])
    about = _about(layers, steps, offered, memory, height_px)
    about |= {"measured": None if measured is None else measured.for_browser(), "steady": steady}
    report = _draw(key, scene, about, [True])
    # A report from before the last jump, or of another image, says nothing about what is seen now.
    current = report.get("order") == memory["order"]
    returned = ViewState.from_browser(report if current else None, memory["start"])
    if (
        current and report.get("content") != about["content"]
    ):  # its windows and thresholds are of other images
        returned = replace(returned, limits=(), threshold=None, threshold_observed=None)
    st.session_state[_memory_key(key)] = {**memory, "returned": returned, "content": about["content"]}
    return returned


def moved(key: str) -> tuple[ViewState, ViewState] | None:
    """
    Say what the person did in a viewer since the page's last run, before it is drawn in this one.

    So that a page's own widgets, which come before the viewer, can follow it without a second run.

    Parameters
    ----------
    key : str
        Of the viewer.

    Returns
    -------
    before, now : ViewState
        As the page last knew it, and as it is; None where there is no newer report.
    """
    memory, shown = st.session_state.get(_memory_key(key)), st.session_state.get(key)
    if memory is None or shown is None:
        return None
    report = dict(shown.get("view") or {})
    if (report.get("order"), report.get("content")) != (memory["order"], memory.get("content")):
        return None
    before = memory["returned"]
    now = ViewState.from_browser(report, before)
    return None if now == before else (before, now)


@st.fragment
def _draw(key: str, scene: Scene, about: dict[str, object], first: list[bool]) -> dict:
    """
    Send what the browser lacks; return what it reported last.

    A fragment, so that only this runs when the browser asks for the volumes or for a plane. A changed view
    is the page's business, so that one runs the page. *first* is emptied by the page's own run.
    """
    if st.session_state.pop(f"viewer news of {key}", False) and not first:
        # A page change that was asked for meanwhile goes ahead here; a rerun would be taken for a newer wish.
        st.empty()
        st.rerun()
    first.clear()
    shape = sent_shape(scene.layers[0].tzyx.shape, scene.steps)
    asked = asked_part(st.session_state.get(_asked_key(key)), str(about["content"]), shape)
    wanted = _thrifty(key, asked or first_part(scene), about)
    result = _mount(
        key=key,
        data=pack(
            _parts(scene.layers, scene.steps, wanted),
            about | {"sent": list(shape), "part": wanted.part, "at": [wanted.t, wanted.z]},
        ),
        height="content",
        on_view_change=partial(_note_view, key),
        on_want_change=partial(_note_want, key),
    )
    return dict(result.get("view") or {})


def _thrifty(key: str, wanted: Wanted, about: dict[str, object]) -> Wanted:
    """Send only what to look at, where the browser already got these very volumes."""
    if wanted.part != "volumes":
        return wanted
    delivered = st.session_state.get(_delivered_key(key))
    if delivered is not None and delivered["content"] == about["content"] and delivered != about:
        return Wanted("view")
    st.session_state[_delivered_key(key)] = about
    return wanted


def _parts(layers: tuple[Layer, ...], steps: tuple[int, int, int], wanted: Wanted) -> list[PackedLayer]:
    if wanted.part == "view":
        return []
    named = [(_content(layer, steps), layer) for layer in layers]
    if wanted.part == "preview":
        return [preview(layer, _windows(name, layer), steps, wanted) for name, layer in named]
    packed = [_packed(name, layer, steps) for name, layer in named]
    if wanted.part == "volumes":
        return packed
    return [
        full_plane(layer, whole.about, steps, wanted) for layer, whole in zip(layers, packed, strict=True)
    ]


def _note_view(key: str) -> None:
    st.session_state[f"viewer news of {key}"] = True


def _note_want(key: str) -> None:
    st.session_state[_asked_key(key)] = st.session_state[key].get("want")
    st.session_state.pop(_delivered_key(key), None)


def _asked_key(key: str) -> str:
    return f"viewer asked of {key}"


def _delivered_key(key: str) -> str:
    return f"viewer delivered to {key}"


def offered_modes(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Name the modes that make sense: comparing needs two images, a difference an observed one."""
    roles = [layer.role for layer in layers]
    pair = "observed" in roles and "predicted" in roles
    several = len(layers) > 1
    deep = layers[0].tzyx.shape[1] > 1
    wanted = {
        "side": True,
        "blink": several,
        "swipe": several,
        "blend": several,
        "merge": several,
        "difference": pair,
        "threshold": pair or not several,
        "3d": deep,
    }
    return tuple(name for name in MODES if wanted[name])


def _memory_key(key: str) -> str:
    return f"viewer of {key}"


def _memory(key: str, state: ViewState | None, mode: str, shape: tuple[int, ...]) -> dict:
    """
    Decide where the browser starts, without moving a view that somebody is using.

    The start is part of the payload, so it must stay the same from rerun to rerun: it changes only when
    the viewer is mounted anew or when the page asks for something that the viewer did not report itself.
    """
    memory = st.session_state.get(_memory_key(key))
    asked = state
    if memory is None:
        return {
            "start": asked or ViewState(mode=mode),
            "order": 0,
            "asked": asked,
            "mode": mode,
            "shape": shape,
        }
    known = memory.get("returned", memory["start"])
    if memory["shape"] != shape:  # another image: only the way of looking is kept
        start = asked if asked not in (None, memory["asked"], known) else ViewState(mode=known.mode)
        return {"start": start, "order": memory["order"] + 1, "asked": asked, "mode": mode, "shape": shape}
    mounted = key in st.session_state
    request = asked is not None and asked not in (memory["asked"], known)
    if request or not mounted:
        start = asked if asked is not None else known
        order = memory["order"] + 1
        return {**memory, "start": start, "order": order, "asked": asked, "mode": mode, "returned": start}
    if mode != memory["mode"]:
        start = replace(known, mode=mode)
        return {**memory, "start": start, "order": memory["order"] + 1, "asked": asked, "mode": mode}
    return {**memory, "asked": asked}


def _about(
    layers: Sequence[Layer], steps: tuple[int, int, int], modes: tuple[str, ...], memory: dict, height_px: int
) -> dict[str, object]:
    shape = layers[0].tzyx.shape
    sizes = layers[0].voxel_size_um
    notes = []
    if steps != (1, 1, 1):
        shown = (shape[1] // steps[0], shape[2] // steps[1], shape[3] // steps[2])
        notes.append(
            f"While you move: {shown[0]} x {shown[1]} x {shown[2]} of {shape[1]} x {shape[2]} x {shape[3]} "
            "voxels, because the whole stack is too large for a browser. A plane at rest comes in full "
            "resolution. Scores and downloads use every voxel."
        )
    return {
        "content": hashlib.sha1(
            "".join(_content(layer, steps) for layer in layers).encode(), usedforsecurity=False
        ).hexdigest(),
        "shape": list(shape),
        "steps": list(steps),
        "voxelSizeUm": [sizes[0] if len(sizes) == 3 else 1.0, sizes[-2], sizes[-1]],
        "modes": list(modes),
        "heightPx": height_px,
        "notes": notes,
        "start": asdict(memory["start"]),
        "order": memory["order"],
    }


def _content(layer: Layer, steps: tuple[int, int, int]) -> str:
    """Name everything that decides how a layer looks in the browser; its voxels by their digest."""
    voxels = layer.digest or digest(layer.voxels)
    region = None if layer.region is None else layer.digest or digest(layer.region)
    return json.dumps(
        [
            voxels,
            list(layer.voxels.shape),
            layer.name,
            list(layer.voxel_size_um),
            layer.units,
            list(layer.limits) if layer.limits else None,
            list(layer.own_limits) if layer.own_limits else None,
            layer.colormap,
            layer.kind,
            layer.role,
            region,
            list(steps),
        ]
    )


@kept(most=24)
def _packed(content: str, _layer: Layer, _steps: tuple[int, int, int]) -> PackedLayer:
    # Keyed by the content's digest alone: Streamlit would hash only a sample of a large array.
    limits, own = _windows(content, _layer)
    return with_region(pack_layer(replace(_layer, limits=limits, own_limits=own), _steps), _layer, _steps)


@kept()
def _windows(content: str, _layer: Layer) -> tuple[Limits, Limits]:
    return window_of(_layer)


_mount = st.components.v2.component(
    "labelfree_viewer",
    html='<div class="lfv"></div>',
    css=viewer_source.stylesheet(),
    js=viewer_source.javascript(),
)
