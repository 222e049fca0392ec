"""How alike observed and predicted are, in numbers with their units, and in a sentence."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from labelfree_core.analysis.correlation import parts, pearson_r, spectral_pcc
from labelfree_core.analysis.masks import agreement, mask
from labelfree_core.analysis.noise import ceiling, noise_variance
from labelfree_core.analysis.published import CITATION, HOW, PUBLISHED_R, Published, published
from labelfree_core.analysis.within import check_region
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
NO_LIMIT = 0.995  # a ceiling that is said to be 1.00 limits nothing


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
    share : float
        Of the field that was compared; below 1 inside a region of interest.
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
    share: float = 1.0

    @property
    def r_of_ceiling(self) -> float:
        """Pearson r as a fraction of what the noise allows."""
        return self.pearson_r / self.ceiling if self.ceiling > 0 else float("nan")

    def as_dict(self) -> dict[str, object]:
        """Return the scores as JSON-ready values; what has no number (NaN, infinite) is None."""
        values: dict[str, object] = {**asdict(self), "r_of_ceiling": self.r_of_ceiling}
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
        return {**clean, "units": {"mae": self.units, "psnr": "dB"}}


def scores(
    observed: np.ndarray,
    predicted: np.ndarray,
    *,
    region: np.ndarray | None = None,
    noise_ceiling: float | None = None,
    units: str = UNITS,
) -> Scores:
    """
    Score a predicted image against the observed one.

    Parameters
    ----------
    observed, predicted : array, shape (Z, Y, X) or (Y, X)
        On one grid and in one unit; :func:`labelfree_core.analysis.alignment.comparable` sees to both.
    region : bool array, same shape, optional
        Only what is inside counts: thresholds, spread and errors are those of its voxels. For the spectral
        correlation what lies outside is set to the mean inside, in both images.
    noise_ceiling : float, optional
        As :class:`~labelfree_core.analysis.alignment.Pair` holds it, from the image as the camera saw it;
        else it is estimated from *observed*.
    units : str
        Of both images.

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
    _check(observed, predicted, region)
    truth, guess = (v if region is None else v[region] for v in (observed, predicted))
    span = float(truth.max()) - float(truth.min())
    rmse, mae = _errors(truth, guess)
    overlap = agreement(mask(truth), mask(guess))
    return Scores(
        pearson_r=pearson_r(truth, guess),
        ssim=_ssim(observed, predicted, span, region),
        nrmse=rmse / float(np.std(truth, dtype=np.float64)),
        psnr=20 * math.log10(span / rmse) if rmse > 0 else math.inf,
        mae=mae,
        spectral_pcc=spectral_pcc(*(_filled(v, region) for v in (observed, predicted))),
        dice_otsu=overlap.dice,
        iou_otsu=overlap.iou,
        ceiling=ceiling(observed, region) if noise_ceiling is None else noise_ceiling,
        n_voxels=int(truth.size),
        units=units,
        share=truth.size / observed.size,
    )


def explain(
    found: Scores, structure: str = "", modality: str = "bright-field", *, points: str = "voxels"
) -> str:
    """
    Say what the scores mean, beside what the paper reached for the structure.

    Parameters
    ----------
    found : Scores
    structure, modality : str
        As on the model card; empty where unknown.
    points : str
        What was counted, in words: a single plane has pixels.

    Returns
    -------
    sentences : str
        Two or three plain sentences.
    """
    part = "" if found.share >= 1 else f", {found.share:.0%} of the field"
    counted = f"{found.n_voxels:,} {points}{part}"
    sentences = [f"{_verdict(found.pearson_r)} (Pearson r {found.pearson_r:.2f}, {counted})."]
    if found.ceiling < NO_LIMIT:
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


def _errors(observed: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Return root mean squared error and mean absolute error."""
    squares = sizes = 0.0
    for a, b in parts(observed, predicted):
        error = np.abs(b - a)
        squares, sizes = squares + float(error @ error), sizes + float(error.sum())
    return math.sqrt(squares / observed.size), sizes / observed.size


def _ssim(observed: np.ndarray, predicted: np.ndarray, span: float, region: np.ndarray | None) -> float:
    """Average the structural similarity of the planes, with a window that fits the smallest of them."""
    from skimage.metrics import structural_similarity

    side = min(SSIM_WINDOW_PX, *observed.shape[-2:])
    window = side if side % 2 else side - 1
    if window < 3:
        return float("nan")
    volumes = (v if v.ndim == 3 else v[None] for v in (observed, predicted))
    inside = None if region is None else region if region.ndim == 3 else region[None]
    sums, counts = [], []
    for z, (a, b) in enumerate(zip(*volumes, strict=True)):
        if inside is not None and not inside[z].any():
            continue
        pair = a.astype(np.float64), b.astype(np.float64)
        mean, each = structural_similarity(*pair, win_size=window, data_range=span, full=True)
        sums.append(mean if inside is None else float(each[inside[z]].sum()))
        counts.append(1 if inside is None else int(inside[z].sum()))
    return float(np.sum(sums) / np.sum(counts))


def _filled(voxels: np.ndarray, region: np.ndarray | None) -> np.ndarray:
    """Replace what lies outside a region by the mean inside, so that it adds no detail of its own."""
    return voxels if region is None else np.where(region, voxels, voxels[region].mean(dtype=np.float64))


def _check(observed: np.ndarray, predicted: np.ndarray, region: np.ndarray | None) -> None:
    if observed.shape != predicted.shape:
        raise ImageError(
            f"The observed image has the shape {observed.shape} and the predicted one {predicted.shape}; "
            "voxels are compared one by one. Bring both to one grid first."
        )
    if region is not None:
        check_region(region, observed.shape)
    for name, whole in (("observed", observed), ("predicted", predicted)):
        voxels = whole if region is None else whole[region]
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
