"""The viewer's JavaScript and style sheet, joined from readable modules without a build step."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cmap
import numpy as np

from pages.components.viewer_data import COLOUR_MAPS

# Blue where the prediction is too bright, red where it is too dark, neutral where both agree.
DIVERGING = "crameri:vik"

SOURCES = Path(__file__).with_name("viewer")
# In this order: later modules use what earlier ones define.
MODULES = (
    "base",
    "payload",
    "state",
    "colour",
    "planes",
    "compare",
    "scene",
    "draw",
    "room",
    "contrast",
    "opening",
    "controls",
    "options",
    "drawer",
    "profile",
    "scale",
    "sending",
    "pointer",
    "keyboard",
    "snapshot",
    "shaders",
    "camera",
    "volume3d",
    "main",
)
SHEETS = ("viewer", "controls")


# Drawn outlines have the colours of the agreement in colour.js.
SAME: dict[str, str | list[str]] = {
    "batlow": "crameri:batlow",
    "white": "gray",
    "orange": ["#000000", "#e69f00"],
    "blue": ["#000000", "#3c9bff"],
}


def javascript() -> str:
    """Join the modules, after the colour maps they use."""
    maps = {name: _lut(SAME.get(name, name)) for name in COLOUR_MAPS}
    maps["diverging"] = _lut(DIVERGING)
    parts = [f"const COLOUR_MAPS = {json.dumps(maps)};"]
    parts += [(SOURCES / f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    return "\n".join(parts)


def _lut(name: str | list[str]) -> str:
    """256 colours as base64 of their red, green and blue bytes."""
    colours = np.rint(255 * cmap.Colormap(name).lut(256)[:, :3]).astype(np.uint8)
    return base64.b64encode(colours.tobytes()).decode()


def stylesheet() -> str:
    """Join the style sheets."""
    return "\n".join((SOURCES / f"{name}.css").read_text(encoding="utf-8") for name in SHEETS)
