"""How alike observed and predicted are, in numbers with their units, and in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from labelfree_core.analysis.masks import agreement, mask
from labelfree_core.analysis.noise import ceiling, noise_variance
from labelfree_core.analysis.published import CITATION, HOW, PUBLISHED_R, Published, published
from labelfree_core.errors import ImageError

__all__ = [
    "PUBLISHED_R",
    "Published",
    "Scores",
    "ceiling",
    "explain",
    "noise_variance",
    "pearson_r",
    "published",
    "scores",
    "spectral_pcc",
]

UNITS = "standard deviations of the observed image"
SSIM_WINDOW_PX = 7
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Scores:
    """
    Scores of one predicted image against one observed image.

    Parameters
    ----------
    pearson_r : float
        Over all voxels.
    ssim : float
        Structural similarity: window of 7 x 7 pixels in each plane, mean over planes; the data range is
        highest minus lowest observed voxel. NaN for planes below 3 x 3.
    nrmse : float
        Root mean squared error over the standard deviation of the observed image.
    psnr : float, dB
        With the same data range as *ssim*; infinite for identical images.
    mae : float, in *units*
        Mean absolute error.
    spectral_pcc : float
        Mean over spatial frequencies, up to Nyquist, of the correlation at that frequency.
    dice_otsu, iou_otsu : float
        Of two masks, each by its own Otsu threshold. NaN where both are empty.
    ceiling : float
        The r that noise in the observed image allows. NaN where it can't be judged.
    n_voxels : int
        How many voxels were compared.
    units : str
        Of *mae*.
    """

    pearson_r: float
    ssim: float
    nrmse: float
    psnr: float
    mae: float
    spectral_pcc: float
    dice_otsu: float
    iou_otsu: float
    ceiling: float
    n_voxels: int
    units: str = UNITS

    @property
    def r_of_ceiling(self) -> float:
        """Pearson r as a fraction of what the noise allows."""
        return self.pearson_r / self.ceiling if self.ceiling > 0 else float("nan")

    def as_dict(self) -> dict[str, object]:
        """Return the scores as JSON-ready values; what has no number (NaN, infinite) is None."""
        values: dict[str, object] = {**asdict(self), "r_of_ceiling": self.r_of_ceiling}
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
        return {**clean, "units": {"mae": self.units, "psnr": "dB"}}


def scores(observed: np.ndarray, predicted: np.ndarray, *, units: str = UNITS) -> Scores:
    """
    Score a predicted image against the observed one.

    Parameters
    ----------
    observed, predicted : array, shape (Z, Y, X) or (Y, X)
        On one grid and in one unit; :func:`labelfree_core.analysis.alignment.comparable` sees to both.
    units : str
        That unit.

    Returns
    -------
    scores : Scores

    Raises
    ------
    ImageError
        If the shapes differ, or one of the images is flat or holds values that are not numbers.

    Examples
    --------
    >>> image = np.random.default_rng(1).normal(size=(3, 20, 20))
    >>> found = scores(image, image)
    >>> round(found.pearson_r, 6), round(found.ssim, 6), found.nrmse
    (1.0, 1.0, 0.0)
    """
    _check(observed, predicted)
    spread = float(np.std(observed, dtype=np.float64))
    span = float(observed.max()) - float(observed.min())
    rmse, mae = _errors(observed, predicted)
    overlap = agreement(mask(observed), mask(predicted))
    return Scores(
        pearson_r=pearson_r(observed, predicted),
        ssim=_ssim(observed, predicted, span),
        nrmse=rmse / spread,
        psnr=20 * math.log10(span / rmse) if rmse > 0 else math.inf,
        mae=mae,
        spectral_pcc=spectral_pcc(observed, predicted),
        dice_otsu=overlap.dice,
        iou_otsu=overlap.iou,
        ceiling=ceiling(observed),
        n_voxels=int(observed.size),
        units=units,
    )


def pearson_r(first: np.ndarray, second: np.ndarray) -> float:
    """
    Correlate two images voxel by voxel; gain and offset of either do not matter.

    Examples
    --------
    >>> round(pearson_r(np.array([1.0, 2.0, 4.0]), np.array([-1.0, -2.0, -4.0])), 6)
    -1.0
    """
    mean_a, mean_b = np.mean(first, dtype=np.float64), np.mean(second, dtype=np.float64)
    power_a = power_b = cross = 0.0
    for part_a, part_b in _parts(first, second):
        a, b = part_a - mean_a, part_b - mean_b
        power_a, power_b, cross = power_a + float(a @ a), power_b + float(b @ b), cross + float(a @ b)
    length = math.sqrt(power_a) * math.sqrt(power_b)
    return float(np.clip(cross / length, -1, 1)) if length > 0 else float("nan")


def spectral_pcc(observed: np.ndarray, predicted: np.ndarray) -> float:
    """
    Average the correlation of two images over spatial frequencies, fine detail counting like coarse.

    Fourier coefficients of all planes fall into rings one frequency step of the shorter side wide; each
    ring gives one correlation; their mean, from the first ring to Nyquist, is returned.

    Parameters
    ----------
    observed, predicted : array, shape (Z, Y, X) or (Y, X)

    Returns
    -------
    correlation : float
        1 is perfect at every frequency; NaN for planes without two rings.
    """
    from scipy.fft import rfft2

    first, second = (voxels if voxels.ndim == 3 else voxels[None] for voxels in (observed, predicted))
    height, width = first.shape[1:]
    rings = min(height, width) // 2
    if rings < 2:
        return float("nan")
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ring = np.minimum((radius * 2 * rings).round().astype(int), rings + 1).ravel()
    cross, power_a, power_b = np.zeros(rings + 2), np.zeros(rings + 2), np.zeros(rings + 2)
    for plane_a, plane_b in zip(first, second, strict=True):
        a, b = (rfft2(plane.astype(np.float64)).ravel() for plane in (plane_a, plane_b))
        cross += np.bincount(ring, (a * b.conj()).real, rings + 2)
        power_a += np.bincount(ring, np.square(np.abs(a)), rings + 2)
        power_b += np.bincount(ring, np.square(np.abs(b)), rings + 2)
    length = np.sqrt(power_a * power_b)[1 : rings + 1]
    filled = length > 0
    return float(np.mean(cross[1 : rings + 1][filled] / length[filled])) if filled.any() else float("nan")


def explain(found: Scores, structure: str = "", modality: str = "bright-field") -> str:
    """
    Say what the scores mean, beside what the paper reached for the structure.

    Parameters
    ----------
    found : Scores
    structure, modality : str
        As on the model card; empty where unknown.

    Returns
    -------
    sentences : str
        Two or three plain sentences.
    """
    sentences = [f"{_verdict(found.pearson_r)} (Pearson r {found.pearson_r:.2f}, {found.n_voxels:,} voxels)."]
    if math.isfinite(found.ceiling):
        sentences.append(
            f"Noise in the observed image limits even a perfect prediction to about {found.ceiling:.2f}."
        )
    row = published(structure, modality) if structure else None
    if row is not None:
        sentences.append(
            f"The published network for {row.structure} in {row.modality} reached {row.pearson_r:.2f} "
            f"with a ceiling of {row.ceiling:.2f} ({HOW}; {CITATION})."
        )
    elif structure:
        sentences.append(f"The paper has no network for {structure} in {modality} to compare with.")
    return " ".join(sentences)


def _verdict(r: float) -> str:
    if r >= 0.9:
        return "The predicted image follows the stain closely"
    if r >= 0.7:
        return "The predicted image follows the stain well, with visible differences"
    if r >= 0.4:
        return "The predicted image follows the stain in part; look at the difference maps before measuring"
    return "The predicted image hardly follows the stain; do not measure in it"


def _parts(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Hand out both images in float64 pieces, so that a score needs little memory beside them."""
    a, b = first.reshape(-1), second.reshape(-1)
    for start in range(0, a.size, PIECE):
        piece = slice(start, start + PIECE)
        yield a[piece].astype(np.float64), b[piece].astype(np.float64)


def _errors(observed: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Return root mean squared error and mean absolute error."""
    squares = sizes = 0.0
    for a, b in _parts(observed, predicted):
        error = np.abs(b - a)
        squares, sizes = squares + float(error @ error), sizes + float(error.sum())
    return math.sqrt(squares / observed.size), sizes / observed.size


def _ssim(observed: np.ndarray, predicted: np.ndarray, span: float) -> float:
    """Average the structural similarity of the planes, with a window that fits the smallest of them."""
    from skimage.metrics import structural_similarity

    side = min(SSIM_WINDOW_PX, *observed.shape[-2:])
    window = side if side % 2 else side - 1
    if window < 3:
        return float("nan")
    pairs = zip(
        *(voxels if voxels.ndim == 3 else voxels[None] for voxels in (observed, predicted)), strict=True
    )
    planes = [
        structural_similarity(a.astype(np.float64), b.astype(np.float64), win_size=window, data_range=span)
        for a, b in pairs
    ]
    return float(np.mean(planes))


def _check(observed: np.ndarray, predicted: np.ndarray) -> None:
    if observed.shape != predicted.shape:
        raise ImageError(
            f"The observed image has the shape {observed.shape} and the predicted one {predicted.shape}; "
            "voxels are compared one by one. Bring both to one grid first."
        )
    for name, voxels in (("observed", observed), ("predicted", predicted)):
        lo, hi = float(voxels.min()), float(voxels.max())
        if not (math.isfinite(lo) and math.isfinite(hi)):
            raise ImageError(
                f"The {name} image holds values that are not numbers (NaN or infinite); a score needs a "
                "number in every voxel. Replace them, or save the image again without them."
            )
        if lo == hi:
            raise ImageError(
                f"Every voxel of the {name} image is {lo:g}: a flat image can't be scored. Choose the "
                "channel that holds the stain."
            )
