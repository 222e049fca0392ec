"""How near an image is to the images a model was trained on, from its texture alone."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelfree_core.errors import ModelError
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_bytes
from labelfree_core.inference.preparing import as_volume, find_scale, prepare
from labelfree_core.models.card import ModelCard

FILE_NAME = "familiarity.npz"
PATCH_PX = 96
PLANES = 5
# Side of the middle that is looked at, on the model's grid: 16 patches say what a whole slide says.
LOOK_PX = 384
_SIGMAS_PX = (0.7, 1.4, 2.8, 5.6, 11.2)
_LAGS_PX = (1, 2, 4, 8)
_CLIP = 8.0
# Features that change sign with the contrast: skewness of the bands, and detail against brightness. In a
# z-stack bright-field turns its contrast through focus, so how they change with z tells an inverted stack,
# which no single plane does.
_SIGNED = (6, 8, 10, 12, 14, 16, 18, 20, 22)
_TURN_WEIGHT = 2.0
_TEXTURE, _POLAR = 32, 15
# Pairs of bands further apart than neighbours: what is rough, against what is bright on a larger scale.
_APART = ((0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (2, 4))
FEATURES = _TEXTURE + 2 * len(_SIGNED) + _POLAR
# Fits made before the polarity of the whole field was looked at know the features that come first.
_EARLIER = _TEXTURE + len(_SIGNED)

Features = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """
    A fitted answer to "has the model seen images like this one?".

    Parameters
    ----------
    centre, scale : array, shape (F,)
        Robust location and spread of each texture feature over the training fields.
    hidden, hidden_bias, out, out_bias : arrays (F, H), (H,), (H,), (1,)
        A small network whose output grows with strangeness, fitted on training fields against
        altered copies of them (blur, noise, inversion, scale) and photographs.
    precision : array, shape (F, F)
        Inverse covariance of the training features, for what no alteration foresaw.
    knots : array, shape (4,)
        ``network_95, network_width, distance_95, distance_width``: the 95th percentile and the spread of
        either score over fields that were left out of the fit.
    fields : int
        Training fields behind it.
    pixel_um : float
        Of the images it was fitted on, after their preparation; 0 where not stated.
    """

    centre: Features
    scale: Features
    hidden: Features
    hidden_bias: Features
    out: Features
    out_bias: Features
    precision: Features
    knots: Features
    fields: int
    pixel_um: float = 0.0

    def strangeness(self, features: Features) -> float:
        """
        Return how strange *features*, shape (patches, F), are: 0 like training, 1 at the 5 % border.
        """
        network, distance = self.raw(features)
        border, width, far, far_width = self.knots
        return float(max(1 + (network - border) / width, 1 + (distance - far) / far_width, 0.0))

    def raw(self, features: Features) -> tuple[float, float]:
        """Return the network's score and the squared Mahalanobis distance per feature (medians)."""
        known = features[:, : len(self.centre)]
        z = np.clip((known - self.centre) / self.scale, -_CLIP, _CLIP)
        network = np.maximum(z @ self.hidden + self.hidden_bias, 0) @ self.out + self.out_bias
        distance = np.einsum("ij,jk,ik->i", z, self.precision, z) / z.shape[1]
        return float(np.median(network)), float(np.median(distance))

    def familiarity(self, features: Features) -> float:
        """
        Return 0 (strange) to 1 (familiar); 0.5 is the border that 5 % of left-out training fields cross.
        """
        return float(1 / (1 + np.exp(4 * np.clip(self.strangeness(features) - 1, -10, 10))))

    def save(self, path: Path) -> None:
        """
        Write the fit as ``.npz`` (arrays only), whole or not at all.

        Raises
        ------
        ImageError
            If the folder can't be written to.
        """
        held = io.BytesIO()
        arrays = {name: np.asarray(getattr(self, name)) for name in self.__slots__}
        np.savez_compressed(held, allow_pickle=False, **arrays)
        write_bytes(path, held.getvalue())


def level(familiarity: float) -> str:
    """Return ``"green"``, ``"amber"`` or ``"red"``: above 0.5, down to 0.12 (1.5 times the border), below."""
    if familiarity >= 0.5:
        return "green"
    return "amber" if familiarity >= 0.12 else "red"


def load_familiarity(folder: Path, card: ModelCard) -> Familiarity | None:
    """
    Return the fit kept in a model's *folder*; None where it has none, or one for another voxel size.

    Raises
    ------
    ModelError
        If the file is there and can't be read.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in Familiarity.__slots__}
    except (OSError, KeyError, ValueError) as problem:
        raise ModelError(
            f"{path.name} of the model {Path(folder).name} can't be read; its trust panel needs it. "
            "Install the model again."
        ) from problem
    if len(arrays["centre"]) not in (FEATURES, _EARLIER):
        raise ModelError(
            f"{path.name} of the model {Path(folder).name} was made by another version: it knows "
            f"{len(arrays['centre'])} features of an image and this version needs {FEATURES}. Make it again "
            "with `labelfree calibrate --only familiarity`."
        )
    fields, pixel_um = int(arrays.pop("fields")), float(arrays.pop("pixel_um"))
    fitted = Familiarity(**arrays, fields=fields, pixel_um=pixel_um)
    return fitted if abs(pixel_um - pixel_of(card)) <= 0.01 * pixel_um else None


def pixel_of(card: ModelCard) -> float:
    """Return the pixel size a model works at; 0 where its card does not say."""
    return 0.0 if card.voxel_size_um is None else float(card.voxel_size_um[-1])


def look(stack: ImageStack, card: ModelCard) -> npt.NDArray[np.float32]:
    """
    Take the part of an image that its familiarity is judged by, as the network would see it.

    Parameters
    ----------
    stack : ImageStack
        As it was taken, with its voxel size.
    card : ModelCard
        Says how an image is prepared.

    Returns
    -------
    planes : float32 array, shape (planes, Y, X), z-score
        The middle 384 pixels of one plane, or of 5 planes of the middle half of a z-stack. Planes are
        taken as they are: how far apart they lie is judged by the voxel sizes.

    Raises
    ------
    PredictionError
        If image and model do not fit together.
    """
    volume = as_volume(stack, card)
    factors = find_scale(volume, card).factors[-2:]
    sides = [round(LOOK_PX / factor) for factor in factors]
    starts = [max(0, (n - side) // 2) for n, side in zip(stack.shape[-2:], sides, strict=True)]
    middle = stack.voxels[..., starts[0] : starts[0] + sides[0], starts[1] : starts[1] + sides[1]]
    plane_card = replace(card, ndim=2, voxel_size_um=card.voxel_size_um and card.voxel_size_um[-2:])
    plane_card = replace(plane_card, zoom=card.zoom and card.zoom[-2:])
    pixel_um = None if stack.voxel_size_um is None else stack.voxel_size_um[-2:]
    planes = middle if middle.ndim == 3 else middle[None]
    first, last = len(planes) // 4, max(len(planes) // 4 + 1, len(planes) * 3 // 4)
    chosen = np.unique(np.linspace(first, last - 1, PLANES).round().astype(int))
    taken = [prepare(ImageStack(planes[z], pixel_um, stack.origin), plane_card).voxels for z in chosen]
    return np.stack(taken).astype(np.float32, copy=False)


def features_of(stack: ImageStack, card: ModelCard) -> Features:
    """
    Describe an image as :meth:`Familiarity.familiarity` takes it, shape (patches, F).

    What :func:`texture` says of what :func:`look` takes. To a model of planes each plane of a z-stack is an
    image of its own, as in its prediction; the change from plane to plane says nothing there.

    Raises
    ------
    PredictionError
        If image and model do not fit together.
    """
    planes = look(stack, card)
    return texture(planes) if card.ndim == 3 else np.concatenate([texture(plane) for plane in planes])


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
        more that change sign when dark and bright are exchanged. One patch is too small to tell.
    """
    found = np.stack([_plane_texture(plane) for plane in planes.reshape(-1, *planes.shape[-2:])])
    each, polar = found[..., :_TEXTURE], found[..., _TEXTURE:]
    height = np.linspace(-1, 1, len(each)) if len(each) > 1 else np.zeros(1)
    turn = _TURN_WEIGHT * np.mean(each[..., _SIGNED] * height[:, None, None], axis=0)
    field = np.concatenate([each[..., _SIGNED].mean(axis=(0, 1)), polar.mean(axis=(0, 1))])
    field *= len(each) == 1  # through focus the contrast turns, and its mean tells the focus only
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


def _correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / (a.std() * b.std() + 1e-9))
