"""The model card: what a network was made from, for what, and how good it is on images it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

# Below it, a correlation over all voxels comes as easily from what two images share anyway (bright cells on a
# dark ground) as from the structure: nothing is to be concluded from such a prediction.
LEAST_USEFUL_R = 0.3
# The structure of an imported model whose file does not say it.
NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Score:
    """
    One held-out score. Never of a training image.

    ``data`` says which images, ``metric`` e.g. ``"pearson_r"`` or ``"dice"``, ``n`` how many
    images, ``median``/``lowest``/``highest`` over those images, ``note`` what to know.
    """

    data: str
    metric: str
    n: int
    median: float
    lowest: float
    highest: float
    note: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the images were simulated."""
        return "simulated" in f"{self.data} {self.note}".lower()


def reached(scores: Sequence[Score], metric: str) -> Score | None:
    """
    Gather the held-out scores of one metric: of the real images, or of simulated ones where those are all.

    Parameters
    ----------
    scores : sequence of Score
    metric : str
        E.g. ``"pearson_r"``.

    Returns
    -------
    score : Score or None
        ``median`` is the mean of the medians, each counted as often as it has images.

    Examples
    --------
    >>> fields = [Score(name, "dice", 1, value, value, value) for name, value in (("a", 0.4), ("b", 0.5))]
    >>> found = reached(fields, "dice")
    >>> found.n, round(found.median, 2), found.lowest, found.highest, found.data
    (2, 0.45, 0.4, 0.5, 'a; b')
    """
    measured = [score for score in scores if score.metric == metric]
    found = [score for score in measured if not score.simulated] or measured
    images = sum(score.n for score in found)
    if not images:
        return None
    return Score(
        "; ".join(dict.fromkeys(score.data for score in found)),
        metric,
        images,
        sum(score.n * score.median for score in found) / images,
        min(score.lowest for score in found),
        max(score.highest for score in found),
        "; ".join(dict.fromkeys(score.note for score in found if score.note)),
    )


@dataclass(frozen=True, slots=True)
class ModelCard:
    """
    Everything the app says about a model, kept as ``card.toml`` beside the weights.

    Parameters
    ----------
    id : str
        Folder name, e.g. ``"dna-brightfield-3d"``.
    title, structure, modality : str
        For people: ``"DNA in bright-field z-stacks"``, ``"DNA"``, ``"bright-field"``.
    ndim : int
        2 (planes) or 3 (z-stacks).
    architecture : str
        ``"fnet"`` (the published U-Net) or ``"compact"`` (ours).
    network : dict
        Arguments of the architecture's config, JSON-ready numbers and lists.
    voxel_size_um : tuple of float or None
        (z, y, x) or (y, x) the network was trained at; None where an imported checkpoint does not say.
    steps : tuple of str
        Preparation of the image in order, from ``"standardise"``, ``"flatten"`` and ``"resize"``.
    zoom : tuple of float or None
        Fixed resize factors, (z, y, x) or (y, x), where a published checkpoint demands them; else
        the factors follow from the voxel sizes.
    sha256 : str
        Of ``weights.safetensors``.
    training, licence, citation : str
        One paragraph each.
    scores : tuple of Score
        Held-out scores.
    limits : tuple of str
        In plain words, one sentence each.
    units : str
        Of the predicted voxels.
    simulated : bool
        Whether the training targets were mostly simulated.
    hallucination : dict
        Measured response to empty and phase-scrambled images, see docs/trust.md.
    images : dict
        What training did with each image it knew: sha256 of the file or fingerprint of the voxels, to
        ``"trained"``, ``"part"`` or ``"held-out"``.
    """

    id: str
    title: str
    structure: str
    modality: str
    ndim: int
    architecture: str
    network: dict[str, object] = field(default_factory=dict)
    voxel_size_um: tuple[float, ...] | None = None
    steps: tuple[str, ...] = ("standardise", "resize")
    zoom: tuple[float, ...] | None = None
    sha256: str = ""
    training: str = ""
    licence: str = ""
    citation: str = ""
    scores: tuple[Score, ...] = ()
    limits: tuple[str, ...] = ()
    units: str = "z-score of the training stain"
    simulated: bool = False
    hallucination: dict[str, float] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)

    @property
    def caution(self) -> str:
        """
        One sentence where the card's own scores do not show that the model is of use on real images.

        Empty where the median Pearson r over its held-out real images reaches ``LEAST_USEFUL_R``.

        Examples
        --------
        >>> good = Score("plate 2", "pearson_r", 3, 0.8, 0.7, 0.9)
        >>> ModelCard("a", "A", "DNA", "DIC", 2, "fnet", scores=(good,)).caution
        ''
        """
        best = reached(self.scores, "pearson_r")
        if best is None or best.simulated:
            seen = "simulated images only" if self.scores else "no image it never saw"
            return f"Not known to be useful on real images: it was scored on {seen}."
        if best.median >= LEAST_USEFUL_R:
            return ""
        return (
            f"Not useful on real images yet: Pearson r {best.median:.2f} on {best.n} unseen "
            f"image{'s' * (best.n != 1)}, where 1 is perfect and 0 is no relation."
        )
