"""
Write the tables of familiarity into docs/trust.md, from what `labelfree calibrate --json` printed.

    python benchmarks/trust/tables.py "DNA in phase contrast=phase.json" "z-stacks=stacks.json"

Each argument is a title and the file; the tables appear in their order, and a line on what is reached.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from page import put

KNOWN, GOAL = "as it is", 0.95
NAMES = {
    "focusstack_dna": "focus stacks of other microscopes",
    "dna-phase-2d": "phase contrast",
    "dna-brightfield-2d": "bright-field 2-D",
    "brightfield-3d": "bright-field 3-D",
}


def described(title: str, rows: dict[str, dict[str, float]]) -> str:
    """Make one table."""
    known = rows[KNOWN]
    alarms = f"false alarms {known['false_alarms']:.1%} of {known['n']:.0f} fields, over all splits"
    lines = [f"**{title}**: {alarms}", ""]
    lines += ["| kind | n | AUROC | unseen | caught | unseen |", "|---|---|---|---|---|---|"]
    for kind, row in rows.items():
        if kind == KNOWN:
            continue
        scores = [f"{row[name]:.3f}" for name in ("auroc", "auroc_unseen_kind")]
        caught = [f"{row[name]:.0%}" for name in ("caught", "caught_unseen_kind")]
        cells = [NAMES.get(kind, kind), f"{row['n']:.0f}", *scores, *caught]
        lines.append(f"| {' | '.join(cells)} |")
    short = [f"{NAMES.get(k, k)} {r['auroc']:.3f}" for k, r in rows.items() if r.get("auroc", 1) < GOAL]
    lines += ["", f"Below {GOAL}: {', '.join(short) or 'none'}."]
    return "\n".join(lines)


def main() -> None:
    """Read the documents and replace the tables."""
    tables = []
    for argument in sys.argv[1:]:
        title, _, file = argument.rpartition("=")
        tables.append(described(title, json.loads(Path(file).read_text(encoding="utf-8"))["familiarity"]))
    put("familiarity", "\n\n".join(tables))


if __name__ == "__main__":
    main()
