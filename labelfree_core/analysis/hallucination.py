"""What a network draws where there is nothing to see: on an empty field, and on an image without content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labelfree_core.analysis.noise import noise_variance
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.predict import predict
from labelfree_core.models.store import ModelEntry

# Brightest voxels but for specks, as in the display limits.
BRIGHT_PERCENTILE = 99.8


def hallucination(
    stacks: Sequence[ImageStack], model: ModelEntry | str, *, seed: int = 0
) -> dict[str, float]:
    """
    Predict from images that show nothing, and relate what comes out to a real prediction.

    Parameters
    ----------
    stacks : sequence of ImageStack
        Real transmitted-light images, best ones the model never saw.
    model : ModelEntry or str
    seed : int
        Of the noise.

    Returns
    -------
    measured : dict of str to float
        ``empty_field`` and ``phase_scrambled``: the 99.8th percentile of the prediction over its median on
        the image itself, as a share of the same on the image itself; medians over *stacks*. 0 is dark,
        1 as bright as real structures. ``images``: how many there were.

    Raises
    ------
    PredictionError
        If image and model do not fit together.
    """
    rng = np.random.default_rng(seed)
    found = []
    for stack in stacks:
        real = _predicted(stack, model)
        background = float(np.median(real))
        signal = float(np.percentile(real, BRIGHT_PERCENTILE)) - background
        blanks = (empty_field(stack, rng), phase_scrambled(stack, rng))
        bright = [float(np.percentile(_predicted(blank, model), BRIGHT_PERCENTILE)) for blank in blanks]
        found.append([(value - background) / max(signal, 1e-6) for value in bright])
    empty, scrambled = np.median(np.array(found), axis=0)
    return {"empty_field": float(empty), "phase_scrambled": float(scrambled), "images": float(len(found))}


def empty_field(stack: ImageStack, rng: np.random.Generator) -> ImageStack:
    """
    Make an image of the same size and brightness that shows camera noise and nothing else.

    Parameters
    ----------
    stack : ImageStack
        Its mean and its own noise are taken over.
    rng : numpy Generator

    Returns
    -------
    empty : ImageStack, float32
    """
    noise = float(np.sqrt(max(np.nan_to_num(noise_variance(stack.voxels)), 1e-12)))
    mean = float(stack.voxels.mean(dtype=np.float64))
    voxels = mean + max(noise, 1e-3 * abs(mean)) * rng.standard_normal(stack.shape, dtype=np.float32)
    return _like(stack, voxels)


def phase_scrambled(stack: ImageStack, rng: np.random.Generator) -> ImageStack:
    """
    Keep how strong every spatial frequency of each plane is, and lose where anything is.

    The planes of a stack get the same random phases, so that they still belong together.

    Parameters
    ----------
    stack : ImageStack
    rng : numpy Generator

    Returns
    -------
    scrambled : ImageStack, float32
        With the mean of each plane kept, and nothing below zero.
    """
    shape = stack.shape[-2:]
    turn = np.angle(np.fft.rfft2(rng.standard_normal(shape)))
    turn[0, 0] = 0.0
    spectrum = np.fft.rfft2(stack.voxels.astype(np.float64)) * np.exp(1j * turn)
    return _like(stack, np.maximum(np.fft.irfft2(spectrum, s=shape), 0))


def _like(stack: ImageStack, voxels: npt.NDArray[np.floating]) -> ImageStack:
    return replace(stack, voxels=voxels.astype(np.float32))


def _predicted(stack: ImageStack, model: ModelEntry | str) -> npt.NDArray[np.float32]:
    return predict(stack, model, options=PredictOptions(grid="model")).voxels
