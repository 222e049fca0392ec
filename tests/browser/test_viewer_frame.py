"""The viewer's frame in a real browser: the 3-D camera, focus, what opens over the page, and many images."""

from __future__ import annotations

import pytest

from tests.browser.viewing import HOST, focus, open_tab, ringed, seen, until

pytestmark = pytest.mark.browser


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


FOCUSED = f"{HOST}.root.getRootNode().activeElement"


def test_keys_act_on_the_image_again_after_a_click_on_a_control(page):
    page.locator(".lfv .modes label", has_text="Blink").click()
    page.keyboard.press("4")
    until(page, "v.s.mode === 'blend'")
    page.locator(".lfv .tools button[aria-label='Line profile']").click()
    before = seen(page, "line.y0")
    page.keyboard.press("s")
    until(page, f"v.s.line.y0 === {before + 1}")
    select = page.locator(".lfv .planes select")
    select.click()
    select.select_option("max")
    page.keyboard.press("m")
    until(page, "v.s.projection === 'mean'")
    page.locator(".lfv .options input[aria-label='Blend']").click()
    page.keyboard.press("1")
    until(page, "v.s.mode === 'side'")
    page.locator(".lfv .options .check", has_text="predicted").first.locator("span").click()
    page.keyboard.press("3")
    until(page, "v.s.mode === 'swipe'")


def test_whoever_uses_a_control_with_the_keyboard_stays_on_it(page):
    page.locator(".lfv .modes input[value='side']").focus()
    page.keyboard.press("ArrowRight")
    until(page, "v.s.mode === 'blink'")
    assert page.evaluate(f"{FOCUSED}.value") == "blink"
    page.locator(".lfv .tools button[aria-label='Line profile']").focus()
    page.keyboard.press("Enter")
    until(page, "v.s.line")
    assert page.evaluate(f"{FOCUSED}.getAttribute('aria-label')") == "Line profile"


@pytest.mark.parametrize(("opener", "part"), [("Copy or save as PNG", ".menu"), ("Keys", ".shortcuts")])
def test_a_menu_and_the_key_list_close_on_escape_and_on_a_press_elsewhere(page, opener, part):
    button, opened = page.locator(f".lfv .tools button[aria-label='{opener}']"), page.locator(f".lfv {part}")
    stage = page.locator(".lfv .stage").bounding_box()
    corner = (stage["x"] + 4, stage["y"] + 4)
    for close in (
        lambda: page.mouse.click(*corner),
        lambda: page.mouse.click(10, 840),
        lambda: page.keyboard.press("Escape"),
        lambda: button.click(),
    ):
        button.click()
        opened.wait_for(state="visible")
        assert button.get_attribute("aria-expanded") == "true"
        close()
        opened.wait_for(state="hidden")
        assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    page.keyboard.press("Enter")
    opened.wait_for(state="visible")
    page.keyboard.press("Escape")
    assert page.evaluate(f"{FOCUSED}.getAttribute('aria-label')") == opener


def test_arrows_move_through_the_menu(page):
    focus(page)
    page.keyboard.press("p")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(f"{FOCUSED}.textContent") == "Copy, on dark"
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    assert page.evaluate(f"{FOCUSED}.textContent") == "Save PNG, on dark"
    assert seen(page, "z") == 4


def place(page, selector: str) -> dict[str, float]:
    return page.locator(selector).first.bounding_box()


BELOW = "button:has-text('Run again')"


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two boxes have no point in common."""
    beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
    below = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    return beside or below


def settle(page) -> None:
    """Wait until what has opened or closed is drawn."""
    page.wait_for_timeout(500)


@pytest.mark.parametrize("width", [1280, 820, 500])
@pytest.mark.parametrize(("key", "part"), [("v", ".drawer"), ("l", ".profile"), ("?", ".shortcuts")])
def test_what_opens_never_moves_the_page(page, width, key, part):
    page.set_viewport_size({"width": width, "height": 1000})
    settle(page)
    focus(page)
    whole = [place(page, ".lfv"), place(page, ".lfv .top"), place(page, BELOW)]
    page.keyboard.press(key)
    page.locator(f".lfv {part}").wait_for(state="visible")
    settle(page)
    assert [place(page, ".lfv"), place(page, ".lfv .top"), place(page, BELOW)] == whole
    # Nothing is cut off; only a window as narrow as a phone's makes one scroll.
    reach = page.locator(f".lfv {part}").evaluate("(part) => part.scrollHeight - part.clientHeight")
    assert reach <= 0 or width == 500
    if part != ".shortcuts":
        assert apart(place(page, f".lfv {part}"), place(page, ".lfv .stage"))
        assert apart(place(page, f".lfv {part}"), place(page, ".lfv .planes"))
    page.keyboard.press("Escape" if key == "?" else key)
    page.locator(f".lfv {part}").wait_for(state="hidden")
    settle(page)
    assert [place(page, ".lfv"), place(page, ".lfv .top"), place(page, BELOW)] == whole


def test_in_full_screen_profile_and_drawer_take_their_room_from_the_image(page):
    focus(page)
    for key in ("f", "l", "v"):
        page.keyboard.press(key)
    page.wait_for_function("document.fullscreenElement !== null")
    settle(page)
    window = page.viewport_size
    for part in (".profile", ".drawer"):
        box = place(page, f".lfv {part}")
        assert box["x"] + box["width"] <= window["width"]
        assert box["y"] + box["height"] <= window["height"]
        assert apart(box, place(page, ".lfv .stage"))


FRAMED = (
    ".lfv .stage",
    ".lfv .tools button[aria-label='Keys']",
    ".lfv .tools button[aria-label='Full screen']",
)


@pytest.mark.parametrize(
    "control", [*FRAMED, ".lfv .planes select", ".lfv .planes input[aria-label='Plane']"]
)
def test_the_focus_is_seen_on_all_four_sides(page, control):
    settle(page)
    assert ringed(page, control) == [True] * 4


def test_a_legend_begins_at_the_left_edge(page):
    for mode in ("threshold", "merge"):
        page.locator(f".lfv .modes input[value='{mode}']").check(force=True)
        until(page, f"v.s.mode === '{mode}' && v.layout.panels.length === 1")
        settle(page)
        assert place(page, ".lfv .head .entry")["x"] - place(page, ".lfv .head")["x"] <= 5


def test_the_read_out_lies_beside_the_image(page):
    settle(page)
    stage = place(page, ".lfv .stage")
    page.mouse.move(stage["x"] + 40, stage["y"] + stage["height"] - 30)
    page.locator(".lfv .readout").wait_for(state="visible")
    assert apart(place(page, ".lfv .readout"), stage)


@pytest.fixture
def crowd(chromium, address):
    """A tab with nine images."""
    page = open_tab(chromium, f"{address}/many")
    yield page
    problems = page.context.problems
    page.context.close()
    assert problems == []


def test_many_images_stand_in_even_rows_that_fill_the_stage(crowd):
    settle(crowd)
    tops = crowd.evaluate(f"{HOST}.layout.panels.map((panel) => panel.y)")
    assert [tops.count(top) for top in sorted(set(tops))] == [5, 4]
    fit, stage = crowd.evaluate(f"[{HOST}.layout.fit, {HOST}.stageSize]")
    heights, widths = 2 * (40 * fit + 44) + 8, 5 * 60 * fit + 32
    assert max(heights / stage["height"], widths / stage["width"]) > 0.95


@pytest.mark.parametrize("mode", ["side", "swipe", "blend"])
@pytest.mark.parametrize("width", [1280, 768, 390])
def test_the_numbers_under_the_names_never_collide(crowd, width, mode):
    crowd.locator(f".lfv .modes input[value='{mode}']").check(force=True)
    crowd.set_viewport_size({"width": width, "height": 1000})
    until(crowd, f"v.s.mode === '{mode}'")
    settle(crowd)
    cut = crowd.evaluate(
        f"""() => [...{HOST}.controls.heads.querySelectorAll(".head:not([hidden])")].map((head) => {{
        const room = head.getBoundingClientRect();
        const parts = [...head.querySelectorAll(".number, .bar")].filter((part) => part.checkVisibility());
        const boxes = parts.map((part) => part.getBoundingClientRect());
        const over = (one, other) => one.left < other.right && other.left < one.right &&
          one.top < other.bottom - 1 && other.top < one.bottom - 1;
        const inside = boxes.every((box) => box.left >= room.left - 1 && box.right <= room.right + 1 &&
          box.top >= room.top - 1 && box.bottom <= room.bottom + 1);
        return inside && !boxes.some((one, at) => boxes.slice(at + 1).some((other) => over(one, other)));
        }}).indexOf(false)"""
    )
    assert cut == -1


@pytest.mark.parametrize("width", [1280, 390])
def test_a_scale_bar_stays_in_its_panel(crowd, width):
    crowd.set_viewport_size({"width": width, "height": 1000})
    settle(crowd)
    opacity = crowd.evaluate(
        f"""() => {{ const v = {HOST}, ratio = v.canvas.width / v.stageSize.width;
        const [first, second] = v.layout.panels, right = first.x + first.w;
        const gap = [right + 1, first.y, second.x - right - 2, v.stageSize.height - first.y];
        return Math.max(...v.context.getImageData(...gap.map((n) => Math.round(n * ratio))).data); }}"""
    )
    assert opacity == 0
