"""
Score a prediction of a stack whose labels mark complete cells only: in the whole field, and inside the cells.

    python benchmarks/trust/region.py STACK.ome.tif [--model dna-brightfield-3d] [--target SEG_DNA] [--write]

With --write the table goes into docs/trust.md. Takes as long as one prediction.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from page import put  # noqa: E402

from labelfree_core import predict  # noqa: E402
from labelfree_core.analysis.against import Evidence, against  # noqa: E402
from labelfree_core.analysis.alignment import comparable  # noqa: E402
from labelfree_core.analysis.scores import scores  # noqa: E402
from labelfree_core.images.proposal import propose  # noqa: E402
from labelfree_core.images.reading import open_image  # noqa: E402
from labelfree_core.models.seen import training_use_of  # noqa: E402
from labelfree_core.models.store import find_model  # noqa: E402

# What stands behind the numbers in the sentence about objects.
WORDS = (" objects in the", " were found", " predicted ones")
USES = {
    "trained": "the model was trained on this very stack",
    "part": "the model was trained on a part of this stack",
    "held-out": "the model never saw this stack",
    "unknown": "whether the model saw this stack is not known",
}


def measure(path: Path, model: str, target: str) -> str:
    """Predict once, compare twice."""
    file = open_image(path)
    proposal = propose(file)
    channel = file.channel_index(next(name for name in file.channels if name.startswith(target)))
    entry = find_model(model)
    stack, labels = (
        file.read(channel=int(str(proposal.transmitted_channel.value))),
        file.read(channel=channel),
    )
    region = file.read(channel=int(str(proposal.regions[channel].value)))
    prediction = predict(stack, entry)
    columns = []
    for part in (None, region):
        pair = comparable(labels, prediction.stack, region=part)
        found = against(Evidence(labels, part, prediction), prediction, None, stack.voxel_size_um or ())
        scored = scores(pair.observed, pair.predicted, region=pair.region)
        counts = next(n.sentence for n in found.notes if "objects in the" in n.sentence)
        total, matched, extra = (int(counts.split(word)[0].split()[-1]) for word in WORDS)
        columns.append(
            (f"{found.pearson_r:.2f}", f"{scored.dice_otsu:.2f}", f"{matched} of {total}", f"{extra}")
        )
    share = f"inside `{file.channels[region.origin.channel_index]}`, {found.share:.0%} of it"
    names = ("Pearson r", "Dice of the Otsu masks", "nuclei found", 'predicted ones "not in the stain"')
    rows = [f"| {name} | {a} | {b} |" for name, a, b in zip(names, *columns, strict=True)]
    said = (
        f"{file.name} with `{entry.card.id}` {entry.card.sha256[:8]}; {USES[training_use_of(entry, stack)]}."
    )
    return "\n".join([said, "", f"| | whole field | {share} |", "|---|---|---|", *rows])


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stack", type=Path)
    parser.add_argument("--model", default="dna-brightfield-3d")
    parser.add_argument("--target", default="SEG_DNA")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    table = measure(given.stack, given.model, given.target)
    print(table)
    if given.write:
        put("region", table)


if __name__ == "__main__":
    main()
