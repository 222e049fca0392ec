"""Fingers on the viewer: the page scrolls where the image has nothing to move, and two fingers zoom."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.viewing import focus, seen, tab, until

pytestmark = pytest.mark.browser
SCROLLED = "() => document.querySelector('[data-testid=stMain]').scrollTop"
Touch = Callable[..., None]


@pytest.fixture
def tablet(chromium, address):
    """A tab on a touch screen that is less high than the page."""
    with tab(chromium, address, has_touch=True) as page:
        page.set_viewport_size({"width": 900, "height": 480})
        until(page, "v.stageSize.width < 900")
        yield page


@pytest.fixture
def touch(tablet) -> Touch:
    """Move fingers over the first image: where each begins, from its middle, and how far it goes."""
    session = tablet.context.new_cdp_session(tablet)

    def move(*fingers: tuple[tuple[int, int], tuple[int, int]], steps: int = 12) -> None:
        box = tablet.locator(".lfv .stage").bounding_box()
        middle = box["x"] + box["width"] / 4, box["y"] + min(box["height"], 300) / 2
        for step in range(steps + 1):
            share = step / steps
            points = [
                {
                    "x": middle[0] + begin[0] + share * by[0],
                    "y": middle[1] + begin[1] + share * by[1],
                    "id": number,
                }
                for number, (begin, by) in enumerate(fingers)
            ]
            kind = "touchMove" if step else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            tablet.wait_for_timeout(16)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    return move


def test_a_finger_scrolls_the_page_over_an_image_that_is_seen_whole(tablet, touch: Touch) -> None:
    before = seen(tablet, "cy")
    touch(((0, 40), (0, -120)))
    tablet.wait_for_function(f"() => ({SCROLLED})() > 40")
    until(tablet, f"v.s.cy === {before}")


def test_a_finger_moves_an_image_that_is_zoomed_in_and_not_the_page(tablet, touch: Touch) -> None:
    focus(tablet)
    for _ in range(3):
        tablet.keyboard.press("+")
    until(tablet, "v.s.zoom > 1.5 && v.controls.stage.style.touchAction === 'none'")
    before, scrolled = seen(tablet, "cy"), tablet.evaluate(SCROLLED)
    touch(((0, 40), (0, -120)))
    until(tablet, f"v.s.cy > {before} + 3")
    assert tablet.evaluate(SCROLLED) == scrolled


def test_two_fingers_zoom(tablet, touch: Touch) -> None:
    before = seen(tablet, "zoom")
    touch(((-30, 0), (-60, 0)), ((30, 0), (60, 0)))
    until(tablet, f"v.s.zoom > {before} * 2")
