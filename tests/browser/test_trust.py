"""The page Trust in a real browser: a link opens and predicts, the level has reasons, a place is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pages.components.trusting import LEVELS, ZOOM
from tests.browser.viewing import HOST, drawn, open_tab, seen, until

pytestmark = pytest.mark.browser
LINK = "trust?sample=colony&model=dna-brightfield-3d"
VOXEL_UM = 0.29  # of the sample, in every direction
NARROW = {"width": 768, "height": 1024}
TITLES = re.compile("|".join(title for _, title in LEVELS.values()))


@pytest.fixture(scope="module")
def page(chromium: object, server: str) -> Iterator[object]:
    """A tab in which a sample was opened and predicted by its link alone."""
    page = open_tab(chromium, f"{server}/{LINK}")
    page.get_by_text("Pearson r").first.wait_for()
    page.get_by_role("button", name="Show place 2").wait_for()
    yield page
    problems = page.context.problems
    page.context.close()
    assert problems == []


def places(page: object) -> list[tuple[float, ...]]:
    """Where the listed places are, (z, y, x) in voxels, as their own text says in um."""
    told = page.get_by_text(re.compile(r"^At .* wide$")).all_inner_texts()
    return [tuple(float(um) / VOXEL_UM for um in re.findall(r"\d+\.\d", text)[:3]) for text in told]


def shown(page: object, number: int) -> tuple[float, float, float]:
    """Press the button of a place, and return where the viewer went."""
    z, y, x = places(page)[number - 1]
    page.get_by_role("button", name=f"Show place {number}").click()
    drawn(page)
    # The text is rounded to a tenth of a um, which is a third of a voxel.
    there = f"Math.abs(v.s.cursor.y + 0.5 - {y}) < 1 && Math.abs(v.s.cursor.x + 0.5 - {x}) < 1"
    until(page, f"{there} && v.s.zoom === {ZOOM} && v.ring && Math.abs(v.ring.y - {y}) < 0.5")
    assert abs(seen(page, "z") + 0.5 - z) < 1
    return seen(page, "z"), seen(page, "cy"), seen(page, "cx")


def empty(page: object) -> list[float]:
    """How many screen pixels of the first panel lie left of, right of, above and below the image."""
    return page.evaluate(
        """() => { const v = HOST, area = v.layout.panels[0].areas[0], scale = v.layout.fit * v.s.zoom;
        const [across, down] = [area.w / 2 / scale, area.h / 2 / scale];
        return [across - v.s.cx, v.s.cx + across - v.volumes.nx, down - v.s.cy, v.s.cy + down - v.volumes.ny]
          .map((voxels) => Math.max(0, voxels) * scale); }""".replace("HOST", HOST)
    )


def tops(page: object) -> dict[str, float]:
    """How far below the title each heading, number and button of a place stands."""
    return page.evaluate(
        """() => { const all = document.querySelectorAll("h3, [data-testid=stMetric], .st-key-places button");
        const top = (part) => part.getBoundingClientRect().top, title = top(document.querySelector("h1"));
        const name = (part) => (part.querySelector("label") ?? part).innerText.split("\\n").pop();
        return Object.fromEntries([...all].map((part) => [name(part), top(part) - title])); }"""
    )


def test_the_level_stands_first_with_its_reasons_below(page: object) -> None:
    title = page.get_by_role("heading", name=TITLES)
    assert title.count() == 1
    why = page.get_by_test_id("stExpander").filter(has_text="Why").first
    reasons = why.get_by_test_id("stMarkdown").all_inner_texts()
    assert sum(reason.endswith(".") for reason in reasons) >= 3
    assert any("familiarity" in reason for reason in reasons)
    assert any("held out from its training" in reason for reason in reasons)
    assert title.bounding_box()["y"] < why.bounding_box()["y"]


def test_showing_a_place_moves_the_viewer_there(page: object) -> None:
    assert seen(page, "zoom") == 1
    listed = places(page)
    assert len(listed) >= 2
    assert shown(page, 1) != shown(page, 2)


def test_a_place_at_the_edge_of_the_field_still_fills_its_panels(page: object) -> None:
    # From the middle of the panels to their edge, enlarged so far, are so many of 128 and 160 voxels.
    reach = 128 / 2 / ZOOM, 160 / 2 / ZOOM
    listed = [(y, x) for _, y, x in places(page)]
    near = [number for number, (y, x) in enumerate(listed, 1) if y < reach[0] or x < reach[1]]
    assert near
    for number in near:
        shown(page, number)
        assert max(empty(page)) <= 1


def test_nothing_moves_when_the_map_comes(page: object) -> None:
    before = tops(page)
    assert {"Worst places", "Where it is unsure", "Familiarity", "Show place 1"} <= set(before)
    page.get_by_role("button", name="Look at the middle").click()
    page.get_by_text("Mean of 4 views").wait_for()
    after = tops(page)
    for name in set(before) & set(after):
        assert after[name] == pytest.approx(before[name], abs=3), name


def test_on_a_tablet_nothing_is_cut_off_and_a_place_is_shown(page: object) -> None:
    page.set_viewport_size(NARROW)
    until(page, f"v.stageSize.width < {NARROW['width']}")
    shown(page, 1)
    for part in (page.locator(".lfv"), page.get_by_role("button", name="Show place 1")):
        box = part.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
    wider = "() => document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth"
    assert page.evaluate(wider) <= 0
