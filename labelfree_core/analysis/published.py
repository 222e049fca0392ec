"""What the published networks reached, to hold a score against."""

from __future__ import annotations

from dataclasses import dataclass

from labelfree_core.models.card import NOT_STATED

CITATION = "Ounkomol et al. (2018), Nature Methods 15:917, doi 10.1038/s41592-018-0111-2"
HOW = "median over test images at 0.29 um, read off the authors' figure to about 0.01"


@dataclass(frozen=True, slots=True)
class Published:
    """Median Pearson r over the test images of one structure, and the noise ceiling of those images."""

    structure: str
    pearson_r: float
    ceiling: float
    modality: str = "bright-field"


PUBLISHED_R: tuple[Published, ...] = (
    Published("fibrillarin", 0.88, 1.00),
    Published("lamin B1", 0.85, 1.00),
    Published("alpha tubulin", 0.79, 1.00),
    Published("beta actin", 0.77, 1.00),
    Published("membrane", 0.75, 1.00),
    Published("TOM20", 0.71, 0.99),
    Published("SEC61B", 0.69, 1.00),
    Published("DNA", 0.65, 0.99),
    Published("lamin B1", 0.63, 0.79, "DIC"),
    Published("membrane", 0.61, 1.00, "DIC"),
    Published("myosin IIB", 0.52, 0.99),
    Published("ZO1", 0.45, 0.99),
    Published("ST6GAL1", 0.19, 0.79),
    Published("desmoplakin", 0.09, 0.67),
)

# Other words for the same structures, letters and digits only.
ALIASES = {
    "nucleoli": "fibrillarin",
    "nucleolus": "fibrillarin",
    "nuclearenvelope": "lamin B1",
    "lamin": "lamin B1",
    "tubulin": "alpha tubulin",
    "microtubules": "alpha tubulin",
    "actin": "beta actin",
    "actinfilaments": "beta actin",
    "cellmembrane": "membrane",
    "plasmamembrane": "membrane",
    "mitochondria": "TOM20",
    "tomm20": "TOM20",
    "endoplasmicreticulum": "SEC61B",
    "er": "SEC61B",
    "nuclei": "DNA",
    "nucleus": "DNA",
    "nucleardna": "DNA",
    "dnahoechst": "DNA",
    "actomyosinbundles": "myosin IIB",
    "tightjunctions": "ZO1",
    "golgi": "ST6GAL1",
    "golgiapparatus": "ST6GAL1",
    "desmosomes": "desmoplakin",
}


def published(structure: str, modality: str = "bright-field") -> Published | None:
    """
    Look up what the paper reached for a structure.

    Parameters
    ----------
    structure : str
        As on a model card; case, spaces and hyphens do not matter.
    modality : str
        ``"bright-field"`` or ``"DIC"``.

    Returns
    -------
    published : Published or None
        None where the paper has no such network.

    Examples
    --------
    >>> published("Lamin-B1").pearson_r
    0.85
    >>> published("keratin") is None
    True
    """
    wanted = _plain(structure)
    for row in PUBLISHED_R:
        if _letters(row.structure) == wanted and row.modality.lower() == modality.lower():
            return row
    return None


def same_structure(first: str, second: str) -> bool:
    """
    Whether two cards mean the same structure; one that is not stated is the same as none.

    Examples
    --------
    >>> same_structure("DNA", "nuclei"), same_structure("keratin", "Keratin"), same_structure("", "DNA")
    (True, True, False)
    """
    return _plain(first) == _plain(second) != _letters(NOT_STATED)


def _plain(structure: str) -> str:
    word = _letters(structure)
    return _letters(ALIASES.get(word, word))


def _letters(words: str) -> str:
    return "".join(letter for letter in words.lower() if letter.isalnum())
