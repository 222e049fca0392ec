"""The page "Train your own" in a real browser: something to try, nothing that jumps, a button to be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.browser
START = "Start training"
# Of text of this size, by WCAG 2.2.
LEAST_CONTRAST = 4.5
COLOURS = """button => [getComputedStyle(button.querySelector('p')).color,
                        getComputedStyle(button).backgroundColor]"""


@pytest.fixture(scope="module")
def page(chromium: object, server: str) -> Iterator[object]:
    """The page with the sample pairs on it, after one press."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{server}/train")
    page.get_by_role("button", name="Try it with these pairs").click()
    page.get_by_role("button", name=START).wait_for()
    page.get_by_text("File doctor").last.wait_for()
    yield page
    context.close()


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)``, by WCAG 2.2."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_main_button_can_be_read_when_the_theme_changes_under_an_open_page(page: object) -> None:
    button = page.get_by_role("button", name=START)
    grounds = set()
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(
            "theme => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === theme",
            arg=theme,
        )
        text, ground = button.evaluate(COLOURS)
        low, high = sorted((luminance(text), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= LEAST_CONTRAST
        grounds.add(ground)
    assert len(grounds) == 2


def place(page: object, button: object) -> tuple[float, float]:
    """Where a button stands on the page, however far that is scrolled."""
    own, title = button.bounding_box(), page.get_by_role("heading", level=1).bounding_box()
    return own["x"] - title["x"], own["y"] - title["y"]


def test_a_grey_start_says_why_beside_it_and_nothing_moves(page: object) -> None:
    button = page.get_by_role("button", name=START)
    boxes = page.get_by_text("Keep for the score")
    before = place(page, button)
    assert boxes.count() >= 3
    for number in range(boxes.count() - 1):  # the last one is kept already
        boxes.nth(number).click()
    page.get_by_text("leave at least one to learn from").wait_for()
    assert button.is_disabled()
    assert place(page, button) == pytest.approx(before, abs=1)
    boxes.first.click()
    page.get_by_text("leave at least one to learn from").wait_for(state="detached")
    assert button.is_enabled()
    assert place(page, button) == pytest.approx(before, abs=1)


def test_a_warning_about_the_score_comes_where_nothing_moves(page: object) -> None:
    button, kept = page.get_by_role("button", name=START), page.get_by_text("Keep for the score").last
    structure = page.get_by_text("Structure", exact=True)
    checked = page.get_by_role("checkbox", name="Keep for the score", checked=True)
    for box in reversed(checked.all()[:-1]):  # from below: each is found anew, by its number among them
        box.uncheck(force=True)  # its label lies over it
    page.get_by_text("1 for the score").wait_for()
    before = place(page, button), place(page, structure)
    kept.click()
    page.get_by_text("Keep at least one pair for the score").wait_for()
    assert (place(page, button), place(page, structure)) == before
    kept.click()
    page.get_by_text("1 for the score").wait_for()
    assert (place(page, button), place(page, structure)) == before
