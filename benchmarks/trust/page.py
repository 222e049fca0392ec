"""Put a measured table into docs/trust.md, between the marks that name it."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trust.md"


def put(name: str, table: str) -> None:
    """Replace what lies between ``<!-- NAME begin -->`` and ``<!-- NAME end -->``."""
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    text = PAGE.read_text(encoding="utf-8")
    head, tail = text.split(begin)[0], text.split(end)[1]
    PAGE.write_text(f"{head}{begin}\n{table}\n{end}{tail}", encoding="utf-8")
