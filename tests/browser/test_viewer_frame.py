"""The viewer's frame in a real browser: the 3-D camera, focus, what opens over the page, and many images."""

from __future__ import annotations

import pytest

from tests.browser.viewing import HOST, focus, open_tab, seen, until, viewer_server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address():
    with viewer_server() as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium):
    """The browser of all browser tests: a process can run one Playwright only."""
    return chromium


@pytest.fixture
def page(browser, address):
    """A fresh tab and session with the viewer drawn; any script error fails the test."""
    page = open_tab(browser, address)
    yield page
    problems = page.context.problems
    page.context.close()
    assert problems == []


def deep(page) -> None:
    """Switch to 3-D and wait for its first picture."""
    page.locator(".lfv .modes input[value='3d']").check(force=True)
    until(page, "v.s.mode === '3d' && (v.noWebgl || v.volumeKey)")
    if page.evaluate(f"Boolean({HOST}.noWebgl)"):
        pytest.skip("this browser has no WebGL2")
    focus(page)


# The least opacity along each line of the box, of the canvas that shows it.
LINES = f"""() => {{ const v = {HOST};
  const ratio = v.canvasBefore.width / v.stageSize.width;
  const least = (context) => ([x0, y0, x1, y1]) => Math.min(...Array.from({{ length: 41 }}, (_, at) => {{
    const [x, y] = [x0 + (x1 - x0) * (0.02 + 0.024 * at), y0 + (y1 - y0) * (0.02 + 0.024 * at)];
    const around = context.getImageData(Math.floor(x * ratio) - 1, Math.floor(y * ratio) - 1, 3, 3).data;
    return Math.max(...around.filter((_, part) => part % 4 === 3));
  }}));
  return [...v.box.behind.map(least(v.context)), ...v.box.before.map(least(v.contextBefore))]; }}"""


@pytest.mark.parametrize("size", [(1280, 860), (500, 860)])
def test_the_first_3d_view_shows_all_of_the_box_with_unbroken_lines(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    deep(page)
    page.wait_for_timeout(400)
    opacities = page.evaluate(LINES)
    assert len(opacities) == 12
    assert min(opacities) > 30
    ends = page.evaluate(f"() => {{ const {{ box }} = {HOST}; return [...box.behind, ...box.before]; }}")
    width, height = (seen_size(page, side) for side in ("width", "height"))
    across = [x for x0, _, x1, _ in ends for x in (x0, x1)]
    down = [y for _, y0, _, y1 in ends for y in (y0, y1)]
    assert min(across) > 0
    assert max(across) < width
    assert min(down) > 0
    assert max(down) < height
    assert max((max(across) - min(across)) / width, (max(down) - min(down)) / height) > 0.8  # and fills it


def seen_size(page, side: str) -> float:
    return page.evaluate(f"{HOST}.stageSize.{side}")


def test_keys_in_3d_change_nothing_that_is_not_seen(page):
    page.locator(".lfv .planes button").click()
    until(page, "v.s.playing")
    deep(page)
    before = page.evaluate(f"JSON.stringify({HOST}.s)")
    assert not seen(page, "playing")
    for key in ("Home", "End", "PageUp", " ", "=", "x", "l", "m", "o", "e", "w", "{", "}", "[", "]"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.evaluate(f"JSON.stringify({HOST}.s)") == before
    assert page.evaluate(f"[{HOST}.controls.play.inert, {HOST}.controls.z.inert]") == [True, True]
    page.keyboard.press("1")
    until(page, "v.s.mode === 'side' && !v.controls.play.inert")


def test_fit_brings_a_turned_volume_back(page):
    deep(page)
    camera = f"JSON.stringify({HOST}.camera)"
    home = page.evaluate(camera)
    centre = page.locator(".lfv .stage").bounding_box()
    middle = (centre["x"] + centre["width"] / 2, centre["y"] + centre["height"] / 2)
    fits = (
        lambda: page.keyboard.press("0"),
        lambda: page.locator(".lfv .tools button[aria-label='Fit to the window']").click(),
        lambda: page.mouse.dblclick(*middle),
    )
    for fit in fits:
        focus(page)
        for key in ("ArrowLeft", "ArrowUp", "+"):
            page.keyboard.press(key)
        assert page.evaluate(camera) != home
        zoom = seen(page, "zoom")
        fit()
        assert (page.evaluate(camera), seen(page, "zoom")) == (home, zoom)
