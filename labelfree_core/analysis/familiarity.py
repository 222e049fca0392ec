"""How near an image is to the images a model was trained on, from its texture alone."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.analysis.texture import EARLIER, FEATURES, Features, texture
from labelfree_core.errors import ModelError
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_bytes
from labelfree_core.inference.preparing import as_volume, find_scale, prepare
from labelfree_core.models.card import ModelCard

FILE_NAME = "familiarity.npz"
PLANES = 5
# Side of the middle that is looked at, on the model's grid: 16 patches say what a whole slide says.
LOOK_PX = 384
_CLIP = 8.0


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
    if len(arrays["centre"]) not in (FEATURES, *EARLIER):
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
