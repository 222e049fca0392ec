"""The pages around the viewer, gone through with the keyboard: the focus is seen, and all can be read."""

from __future__ import annotations

import re

import pytest

from tests.browser.viewing import ringed

pytestmark = pytest.mark.browser
CONTRAST_OF_TEXT = 4.5  # WCAG 2.2, 1.4.3


@pytest.fixture(params=["light", "dark"])
def page(chromium, address, request):
    """A tab with the controls that pages are made of, in both themes."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, color_scheme=request.param)
    page = context.new_page()
    page.goto(f"{address}/controls")
    page.get_by_text("The main button").wait_for(timeout=60_000)
    page.locator("[data-testid=stImage] img").wait_for()
    page.wait_for_timeout(500)
    yield page
    context.close()


RINGED = (
    ("[data-testid=stSidebarNavLink]:has-text('times')", None),
    ("[data-testid=stPageLink-NavLink]", None),
    ("input[type=checkbox]", "label:has(input[type=checkbox]) > div"),
    ("[data-testid=stBaseButton-primary]", None),
    ("[data-testid=stBaseButton-elementToolbar]", None),
)


@pytest.mark.parametrize(("control", "look"), RINGED)
def test_the_focus_is_seen_around_links_boxes_and_buttons(page, control, look):
    assert ringed(page, control, look) == [True] * 4


def test_the_menu_of_the_app_shows_the_focus(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(server)
    page.locator("[data-testid=stTopNavLink]").nth(3).wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    assert ringed(page, "[data-testid=stTopNavLink]:has-text('Masks')") == [True] * 4
    context.close()


def luminance(colour: str) -> float:
    """Of a colour as the browser names it, from 0 to 1, as WCAG defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (((part + 0.055) / 1.055) ** 2.4 if part > 0.04 else part / 12.92 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("act", ["hover", "focus"])
def test_the_main_button_can_be_read_when_it_is_pointed_at(page, act):
    button = page.locator("[data-testid=stBaseButton-primary]")
    getattr(button, act)()
    page.wait_for_timeout(500)
    ground = button.evaluate("(button) => getComputedStyle(button).backgroundColor")
    colours = [ground, button.locator("p").evaluate("(text) => getComputedStyle(text).color")]
    dark, light = sorted(map(luminance, colours))
    assert (light + 0.05) / (dark + 0.05) >= CONTRAST_OF_TEXT
