"""What the texture of an image is like, in numbers that gain and offset do not change."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

PATCH_PX = 96
_SIGMAS_PX = (0.7, 1.4, 2.8, 5.6, 11.2)
_LAGS_PX = (1, 2, 4, 8)
# Features that change sign with the contrast: skewness of the bands, and detail against brightness. In a
# z-stack bright-field turns its contrast through focus, so how they change with z tells an inverted stack,
# which no single plane does.
_SIGNED = (6, 8, 10, 12, 14, 16, 18, 20, 22)
_TURN_WEIGHT = 2.0
_TEXTURE, _POLAR = 32, 15
# Pairs of bands further apart than neighbours: what is rough, against what is bright on a larger scale.
_APART = ((0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (2, 4))
# Pairs of directions at right angles, and how far to go along each, in pixels (y, x).
_CROSSED = tuple(
    (((0, far), (far, 0)), ((near, near), (near, -near))) for far, near in ((1, 1), (3, 2), (6, 4), (11, 8))
)
FEATURES = _TEXTURE + 2 * len(_SIGNED) + _POLAR + len(_CROSSED)
# Fits made before the polarity of the whole field, or its direction, was looked at know what comes first.
EARLIER = _TEXTURE + len(_SIGNED), _TEXTURE + 2 * len(_SIGNED) + _POLAR

Features = npt.NDArray[np.float64]


def texture(planes: npt.NDArray[np.floating]) -> Features:
    """
    Describe the texture of a prepared image, patch by patch.

    Gain and offset do not matter: the image is expected as the network sees it, and each feature compares
    scales with each other.

    Parameters
    ----------
    planes : float array, shape (planes, Y, X) or (Y, X), standardised, at the model's voxel size

    Returns
    -------
    features : float64 array, shape (patches, F)
        Skewness, log kurtosis and log energy of five band-passes (sigma 0.7-11 px), correlation between
        neighbouring bands, and autocorrelation at 1-8 px. Of several planes also how the nine of them that
        have a sign change from the first plane to the last (0 for one plane). At the end, alike for all
        patches, the polarity of one plane (0 for several): the mean over its patches of those nine, and of 15
        more that change sign when dark and bright are exchanged. One patch is too small to tell. And of
        several planes how far they have a direction, as DIC has: by how much the autocorrelation at 1-11 px
        differs between two directions at right angles (0 for one plane: the light of many set-ups is tilted,
        each its own way).
    """
    found = np.stack([_plane_texture(plane) for plane in planes.reshape(-1, *planes.shape[-2:])])
    each, polar = found[..., :_TEXTURE], found[..., _TEXTURE:]
    height = np.linspace(-1, 1, len(each)) if len(each) > 1 else np.zeros(1)
    turn = _TURN_WEIGHT * np.mean(each[..., _SIGNED] * height[:, None, None], axis=0)
    field = np.concatenate([each[..., _SIGNED].mean(axis=(0, 1)), polar.mean(axis=(0, 1))])
    field *= len(each) == 1  # through focus the contrast turns, and its mean tells the focus only
    field = np.concatenate([field, _direction(planes) * (len(each) > 1)])
    whole = np.broadcast_to(field, (each.shape[1], len(field)))
    return np.concatenate([np.hstack([plane, turn, whole]) for plane in each])


def _plane_texture(plane: npt.NDArray[np.floating]) -> Features:
    plane = np.asarray(plane, dtype=np.float32)
    smooth = [plane, *(ndimage.gaussian_filter(plane, sigma) for sigma in _SIGMAS_PX)]
    bands = [fine - coarse for fine, coarse in pairwise(smooth)]
    rows, columns = (_starts(size) for size in plane.shape)
    patches = [(slice(y, y + PATCH_PX), slice(x, x + PATCH_PX)) for y in rows for x in columns]
    cut = [(plane[at], [band[at] for band in bands]) for at in patches]
    return np.array([np.concatenate([_patch_features(*part), _polarity(*part)]) for part in cut])


def _starts(size: int) -> npt.NDArray[np.int_]:
    return np.linspace(0, max(size - PATCH_PX, 0), max(1, round(size / PATCH_PX))).astype(int)


def _patch_features(patch: npt.NDArray[np.float32], bands: list[npt.NDArray[np.float32]]) -> Features:
    spreads = np.array([band.std() + 1e-6 for band in bands], dtype=np.float64)
    unit = [(band - band.mean()) / spread for band, spread in zip(bands, spreads, strict=True)]
    energies = np.log(spreads)
    features = [*(energies - energies.mean()), 0.5 * energies.mean()]
    for band in unit:
        features += [np.clip((band**3).mean(), -5, 5), np.log((band**4).mean() + 1e-3)]
    for fine, coarse in pairwise(unit):
        features += [_correlation(np.abs(fine), coarse), _correlation(np.abs(fine), np.abs(coarse))]
    centred = patch - patch.mean()
    power = float((centred**2).mean()) + 1e-9
    for lag in _LAGS_PX:
        for ahead, behind in ((centred[:, lag:], centred[:, :-lag]), (centred[lag:], centred[:-lag])):
            features.append(float((ahead * behind).mean()) / power if ahead.size else 0.0)
    return np.nan_to_num(np.array(features, dtype=np.float64))


def _polarity(patch: npt.NDArray[np.float32], bands: list[npt.NDArray[np.float32]]) -> Features:
    """Features that change sign with the contrast: asymmetry of extremes, roughness against brightness."""
    features = []
    for band in bands:
        low, middle, high = np.percentile(band, (1, 50, 99))
        features.append(np.log((high - middle + 1e-6) / (middle - low + 1e-6)))
    unit = [(band - band.mean()) / (band.std() + 1e-6) for band in bands]
    features += [_correlation(np.abs(unit[fine]), unit[coarse]) for fine, coarse in _APART]
    shade = patch - np.sum(bands, axis=0)
    features += [_correlation(np.abs(band), shade) for band in unit[:3]]
    z = (patch - patch.mean()) / (patch.std() + 1e-6)
    features.append(float(np.clip((z**3).mean(), -5, 5)))
    return np.nan_to_num(np.array(features, dtype=np.float64))


def _direction(planes: npt.NDArray[np.floating]) -> Features:
    """How unlike the autocorrelation is along directions at right angles, whichever they are; 0 if alike."""
    stack = planes.reshape(-1, *planes.shape[-2:]).astype(np.float32, copy=False)
    detail = stack - ndimage.gaussian_filter(stack, (0, _SIGMAS_PX[-1], _SIGMAS_PX[-1]))
    power = float((detail**2).mean()) + 1e-9
    unlike = [[_shifted(detail, a) - _shifted(detail, b) for a, b in pairs] for pairs in _CROSSED]
    return np.hypot(*np.array(unlike).T) / power


def _shifted(detail: npt.NDArray[np.float32], by: tuple[int, int]) -> float:
    """Mean product of each pixel with the one *by* (y, x) pixels further; 0 in an image smaller than that."""
    y, x = by[0], abs(by[1])
    ahead, behind = detail[..., y:, x:], detail[..., : detail.shape[-2] - y, : detail.shape[-1] - x]
    if by[1] < 0:
        ahead, behind = detail[..., y:, : detail.shape[-1] - x], detail[..., : detail.shape[-2] - y, x:]
    return float((ahead * behind).mean()) if ahead.size else 0.0


def _correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / (a.std() * b.std() + 1e-9))
