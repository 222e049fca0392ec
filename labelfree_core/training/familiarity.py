"""Fit and test a model's familiarity: training fields against altered copies and other images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from labelfree_core.analysis.familiarity import Familiarity, Features, texture
from labelfree_core.images.intensity import standardise

Image = npt.NDArray[np.float32]
HIDDEN = 24
STEPS = 300
BATCH = 1024
FOLDS = 5
CROP_PX = 640


def _in_plane(voxels: Image, factors: float) -> tuple[float, ...]:
    return (1.0,) * (voxels.ndim - 2) + (factors, factors)


def _blur(voxels: Image, sigma_px: float) -> Image:
    return ndimage.gaussian_filter(voxels, (0.0,) * (voxels.ndim - 2) + (sigma_px, sigma_px))


def _zoom(voxels: Image, factor: float) -> Image:
    return ndimage.zoom(voxels, _in_plane(voxels, factor), order=3, mode="nearest")


def _centre(voxels: Image) -> Image:
    y, x = ((size - min(size, CROP_PX)) // 2 for size in voxels.shape[-2:])
    return voxels[..., y : y + CROP_PX, x : x + CROP_PX]


def _scramble(voxels: Image, rng: np.random.Generator) -> Image:
    """Keep the power spectrum, lose the content."""
    noise = np.fft.rfft2(rng.normal(size=voxels.shape))
    spectrum = np.abs(np.fft.rfft2(voxels)) * np.exp(1j * np.angle(noise))
    scrambled: Image = np.fft.irfft2(spectrum, s=voxels.shape[-2:]).astype(np.float32)
    return scrambled


ALTERATIONS: Mapping[str, Callable[[Image, np.random.Generator], Image]] = {
    "blur": lambda v, rng: _blur(v, rng.uniform(3, 6)),
    "inverted contrast": lambda v, rng: -v,
    "voxels 2x too large": lambda v, rng: _zoom(v, rng.uniform(0.4, 0.55)),
    "voxels 2x too small": lambda v, rng: _zoom(v, rng.uniform(1.8, 2.5)),
    "noise only": lambda v, rng: _blur(rng.normal(size=v.shape).astype(np.float32), rng.uniform(0, 2)),
    "phase-scrambled": _scramble,
}


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One training field as the network sees it; *group* names what must not be split (an experiment)."""

    name: str
    group: str
    voxels: Image


def describe(fields: Sequence[Field], *, seed: int = 0) -> dict[str, list[Features]]:
    """
    Return the texture of every field (``"as it is"``) and of its altered copies, by kind.

    An alteration is standardised again, as a prediction would do with such a file.
    """
    rng = np.random.default_rng(seed)
    described: dict[str, list[Features]] = {"as it is": []}
    for field in fields:
        voxels = _centre(field.voxels)
        # Slight blur and scale, flips: what a good image of the same microscope may also look like.
        mild = [voxels, _blur(voxels, rng.uniform(0.3, 0.7)), _zoom(voxels, rng.uniform(0.92, 1.08))]
        described["as it is"].append(np.concatenate([texture(standardise(v)) for v in mild]))
        for kind, alter in ALTERATIONS.items():
            described.setdefault(kind, []).append(texture(standardise(alter(voxels, rng))))
    return described


def fit(
    familiar: Sequence[Features],
    strange: Sequence[Features],
    *,
    left_out: Sequence[tuple[float, float]] = (),
    seed: int = 0,
) -> Familiarity:
    """
    Fit a familiarity.

    Parameters
    ----------
    familiar, strange : lists of arrays, shape (patches, F)
        Texture of training fields, one array a field, and of images the model was never made for.
    left_out : list of (network score, distance)
        Raw scores of fields that a fit without them gave; sets the border.
    seed : int
        Of the small network.
    """
    inside, outside = np.concatenate(familiar), np.concatenate(strange)
    centre = np.median(inside, axis=0)
    scale = 1.4826 * np.median(np.abs(inside - centre), axis=0) + 0.02
    z_inside, z_outside = (np.clip((f - centre) / scale, -8, 8) for f in (inside, outside))
    covariance = np.cov(z_inside.T)
    shrunk = 0.8 * covariance + 0.2 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    hidden, hidden_bias, out, out_bias = _separate(z_inside, z_outside, seed)
    precision, knots = np.linalg.inv(shrunk), np.array([0.0, 1.0, 1.0, 1.0])
    fitted = Familiarity(
        centre, scale, hidden, hidden_bias, out, out_bias, precision, knots, fields=len(familiar)
    )
    raw = np.array(left_out if len(left_out) else [fitted.raw(f) for f in familiar])
    fitted.knots[:] = _knots(raw[:, 0], max(_spread(raw[:, 0]), 1.0)) + _knots(raw[:, 1], _spread(raw[:, 1]))
    return fitted


def _spread(scores: npt.NDArray[np.float64]) -> float:
    return float(np.percentile(scores, 95) - np.median(scores)) + 1e-3


def _knots(scores: npt.NDArray[np.float64], width: float) -> list[float]:
    return [float(np.percentile(scores, 95)), width]


def _separate(inside: Features, outside: Features, seed: int) -> list[Features]:
    """Train one hidden layer to tell *outside* (1) from *inside* (0), both weighing the same."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.tensor(np.concatenate([inside, outside]), dtype=torch.float32)
    y = torch.cat([torch.zeros(len(inside)), torch.ones(len(outside))])
    weight = torch.where(y > 0, 0.5 / len(outside), 0.5 / len(inside))
    hidden = torch.randn(x.shape[1], HIDDEN, generator=generator) / x.shape[1] ** 0.5
    layers = [
        hidden,
        torch.zeros(HIDDEN),
        torch.randn(HIDDEN, generator=generator) / HIDDEN**0.5,
        torch.zeros(1),
    ]
    for layer in layers:
        layer.requires_grad_(True)
    optimiser = torch.optim.AdamW(layers, lr=1e-2, weight_decay=0.1)
    for _ in range(STEPS):
        rows = torch.multinomial(weight, BATCH, replacement=True, generator=generator)
        optimiser.zero_grad()
        score = torch.relu(x[rows] @ layers[0] + layers[1]) @ layers[2] + layers[3]
        torch.nn.functional.binary_cross_entropy_with_logits(score, y[rows]).backward()
        optimiser.step()
    return [layer.detach().numpy().astype(np.float64) for layer in layers]


def cross_validate(
    fields: Sequence[Field], others: Mapping[str, Sequence[Features]], *, folds: int = FOLDS, seed: int = 0
) -> tuple[Familiarity, dict[str, dict[str, float]]]:
    """
    Fit on all *fields*; score on fields and kinds of strangeness that the scoring fit never saw.

    Twice: with the kind of alteration among those seen (on other fields), and with that kind left out.

    Parameters
    ----------
    fields : list of Field
        As the network sees them.
    others : dict of str to list of arrays
        Texture of other images by kind (``"photographs"``, ``"phase contrast"`` ...).

    Returns
    -------
    fitted : Familiarity
        Fitted on everything, its border from the left-out fields.
    table : dict of kind to dict
        ``auroc``, ``auroc_unseen_kind``, ``caught`` (share beyond the border) and ``n`` for each kind, and
        ``"as it is"`` with the share of false alarms.
    """
    described = describe(fields, seed=seed)
    groups = sorted({field.group for field in fields})
    fold_of = {group: number % folds for number, group in enumerate(groups)}
    raw = _left_out_scores(fields, described, others, fold_of, skip="")
    as_it_is = described["as it is"]
    fitted = fit(as_it_is, _outside(described, others, skip=""), left_out=raw["as it is"], seed=seed)
    near = [_strangeness(fitted, score) for score in raw["as it is"]]
    table = {"as it is": {"false_alarms": float(np.mean(np.array(near) > 1)), "n": float(len(near))}}
    for kind in [*ALTERATIONS, *others]:
        far = [_strangeness(fitted, score) for score in raw[kind]]
        blind = _left_out_scores(fields, described, others, fold_of, skip=kind)
        judge = fit(as_it_is, _outside(described, others, skip=kind), left_out=blind["as it is"])
        blind_near, blind_far = ([_strangeness(judge, s) for s in blind[k]] for k in ("as it is", kind))
        table[kind] = {
            "auroc": _auroc(near, far),
            "auroc_unseen_kind": _auroc(blind_near, blind_far),
            "caught": float(np.mean(np.array(far) > 1)),
            "n": float(len(far)),
        }
    return fitted, table


def _auroc(near: Sequence[float], far: Sequence[float]) -> float:
    a, b = np.array(near), np.array(far)[:, None]
    return float(np.mean((b > a) + 0.5 * (b == a)))


def _strangeness(fitted: Familiarity, raw: tuple[float, float]) -> float:
    border, width, far, far_width = fitted.knots
    return max(1 + (raw[0] - border) / width, 1 + (raw[1] - far) / far_width, 0.0)


def _outside(
    described: Mapping[str, list[Features]], others: Mapping[str, Sequence[Features]], *, skip: str
) -> list[Features]:
    altered = [f for kind in ALTERATIONS if kind != skip for f in described[kind]]
    return altered + [f for kind, images in others.items() if kind != skip for f in images]


def _left_out_scores(
    fields: Sequence[Field],
    described: Mapping[str, list[Features]],
    others: Mapping[str, Sequence[Features]],
    fold_of: Mapping[str, int],
    *,
    skip: str,
) -> dict[str, list[tuple[float, float]]]:
    """
    Raw scores by kind, each field and its altered copies judged by a fit that did not see them.

    The images of *others* are halved: each half is judged by fits that saw only the other half.
    """
    raw: dict[str, list[tuple[float, float]]] = {kind: [] for kind in [*described, *others]}
    for fold in sorted(set(fold_of.values())):
        kept = [i for i, field in enumerate(fields) if fold_of[field.group] != fold]
        left = [i for i, field in enumerate(fields) if fold_of[field.group] == fold]
        partial = {kind: [images[i] for i in kept] for kind, images in described.items()}
        seen = {kind: images[fold % 2 :: 2] for kind, images in others.items()}
        judge = fit(partial["as it is"], _outside(partial, seen, skip=skip))
        for kind, copies in described.items():
            raw[kind] += [judge.raw(copies[i]) for i in left]
        for kind, images in others.items():
            raw[kind] += [judge.raw(image) for image in images[1 - fold % 2 :: 2]]
    return raw
