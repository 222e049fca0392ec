"""Large stacks, time points, thresholds that a page shares, and brightness scales, in a real browser."""

from __future__ import annotations

import base64

import pytest

from tests.browser.viewing import HOST, focus, open_tab, pixel, seen, tab, until

pytestmark = pytest.mark.browser


@pytest.fixture
def large(chromium, address):
    """A tab with stacks of which the browser gets an overview."""
    with tab(chromium, f"{address}/large", script=FIRST) as page:
        yield page


# Notes how many planes were there when the first frame was painted.
FIRST = f"""setInterval(() => {{ const v = {HOST};
  if (v?.frames && !window.firstPainted) window.firstPainted = v.volumes.layers[0].samples.length; }}, 1);"""


# Counts the images that are unpacked from now on.
COUNT_UNPACKED = """() => {
  window.unpacked = 0;
  window.DecompressionStream = class extends DecompressionStream {
    constructor(...given) { super(...given); window.unpacked += 1; }
  };
}"""


def test_a_browser_that_lost_its_images_gets_them_again(chromium, address):
    page = open_tab(chromium, f"{address}/masks")
    until(page, "v.s.mode === 'threshold'")
    page.evaluate(COUNT_UNPACKED)
    page.evaluate(f"() => {{ const v = {HOST}; v.content = 'forgotten'; }}")
    page.get_by_label("Predicted threshold").fill("0.25")
    page.keyboard.press("Enter")
    until(page, "v.content !== 'forgotten' && v.s.thresholds[1] === 0.25")
    assert page.evaluate("window.unpacked") > 0
    page.context.close()


def test_one_plane_is_seen_before_the_volumes_have_come(large):
    assert large.evaluate("window.firstPainted") == 500 * 500
    assert seen(large, "z") == 12
    assert large.evaluate(f"{HOST}.volumes.layers[0].samples.length") == 25 * 500 * 500


def test_a_plane_at_rest_comes_in_full_resolution_without_running_the_page(large):
    large.get_by_text("A plane at rest comes in full resolution").wait_for()
    focus(large)
    large.keyboard.press("ArrowRight")
    until(large, "v.fullPlanes?.has('0 13')")
    large.get_by_text("z=13 runs=2").wait_for()
    for _ in range(10):
        large.keyboard.press("+")
    until(large, "v.s.zoom > 4")
    large.wait_for_timeout(300)
    values = large.evaluate(f"[...{HOST}.fullPlanes.get('0 13')[0].slice(0, 4)]")
    assert values == [0, 200, 0, 200]
    assert {tuple(pixel(large, 250 + x / 2 - 0.25, 250)) for x in range(4)} >= {(0, 0, 0), (255, 255, 255)}
    large.wait_for_timeout(1000)
    assert "runs=3" in large.get_by_text("z=13 runs=").inner_text()  # for the plane and for the zoom


def test_time_points_have_their_own_slider(chromium, address):
    page = open_tab(chromium, f"{address}/times")
    page.get_by_label("Time point").focus()
    before = pixel(page, 10, 10)
    page.keyboard.press("ArrowRight")
    page.get_by_text("t=1").wait_for()
    assert pixel(page, 10, 10)[0] > before[0]
    page.context.close()


def test_the_threshold_of_the_page_and_of_the_viewer_are_one(chromium, address):
    page = open_tab(chromium, f"{address}/masks")
    until(page, "v.s.mode === 'threshold' && v.s.thresholds[1] === 0.5")
    received = []
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.on("Network.webSocketFrameReceived", lambda event: received.append(event["response"]["payloadData"]))
    page.get_by_label("Predicted threshold").fill("0.25")
    page.keyboard.press("Enter")
    until(page, "v.s.thresholds[1] === 0.25")
    page.get_by_text("page has 0.250").wait_for()
    sent = b"".join(map(base64.b64decode, received))
    assert b'"part": "view"' in sent  # where to look, and the images not again
    assert b'"part": "volumes"' not in sent
    focus(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("]")
    until(page, "v.s.thresholds[1] > 0.25")
    moved = seen(page, "thresholds[1]")
    page.get_by_text(f"page has {moved:.3f}").wait_for()
    page.wait_for_timeout(800)
    assert (seen(page, "thresholds[1]"), seen(page, "z")) == (moved, 5)
    page.context.close()


def test_what_is_still_to_be_said_is_said_while_the_pointer_leaves(chromium, address):
    slow = "const now = setTimeout; window.setTimeout = (f, ms) => now(f, ms === 400 ? 1e9 : ms);"
    page = open_tab(chromium, address, script=slow)
    before = seen(page, "z")
    focus(page)
    page.keyboard.press("ArrowRight")
    until(page, f"v.s.z === {before + 1}")
    assert page.evaluate(f"{HOST}.reportWaits")
    page.mouse.move(2, 2)
    page.get_by_text(f"z={before + 1} ").wait_for()
    page.context.close()


def test_a_score_beside_counts_is_not_dark(chromium, address):
    page = open_tab(chromium, f"{address}/masks")
    page.locator(".lfv .modes input[value='swipe']").check(force=True)
    until(page, "v.s.mode === 'swipe'")
    page.wait_for_timeout(200)
    assert pixel(page, 40, 25) == [255, 255, 255]
    page.context.close()


def test_one_click_gives_one_scale_where_both_are_in_one_unit(chromium, address):
    page = open_tab(chromium, f"{address}/counts")
    page.locator(".lfv .modes input[value='swipe']").check(force=True)
    until(page, "v.s.mode === 'swipe'")
    page.locator(".lfv input[value='same']").check(force=True)
    until(page, "v.s.linked")
    page.wait_for_timeout(200)
    assert pixel(page, 40, 25)[0] < 10  # 1 of 100
    focus(page)
    page.keyboard.press("e")
    until(page, "!v.s.linked")
    page.wait_for_timeout(1500)  # also after the page has run with it
    assert (seen(page, "linked"), seen(page, "per[1].hi")) == (False, 1)
    assert pixel(page, 40, 25) == [255, 255, 255]
    page.context.close()


def test_in_different_units_one_scale_is_refused_with_its_reason(chromium, address):
    page = open_tab(chromium, f"{address}/restored")
    assert seen(page, "linked") is False  # though it was saved with one scale, and its window
    assert seen(page, "per[1].hi") == 1
    assert page.locator(".lfv input[value='same']").is_disabled()
    why = "observed is in counts, score in score, so equal grey could not mean equal value"
    assert why in page.locator(".lfv label:has(input[value='same'])").get_attribute("title")
    focus(page)
    page.keyboard.press("e")
    page.locator(".lfv .told", has_text=why).wait_for()
    assert (seen(page, "linked"), seen(page, "per[1].hi")) == (False, 1)
    page.keyboard.press("v")
    box = page.locator(".lfv .drawer label:has-text('One window') input")
    assert box.is_disabled()
    page.context.close()


CORNER_OPACITY = f"""() => {{ const v = {HOST};
  return [v.layout.panels[0].x, v.context.getImageData(1, v.canvas.height / 2, 1, 1).data[3]]; }}"""


@pytest.mark.parametrize("mode", ["blink", "merge"])
def test_the_page_shows_around_a_single_image_and_black_lies_under_it(chromium, address, mode):
    page = open_tab(chromium, address, color_scheme="light")
    focus(page)
    page.locator(f".lfv .modes input[value='{mode}']").check(force=True)
    until(page, f"v.s.mode === '{mode}' && v.layout.panels.length === 1")
    left, opacity = page.evaluate(CORNER_OPACITY)
    assert left > 1
    assert opacity == 0
    assert pixel(page, 5, 5) == [0, 0, 0]
    ground = "getComputedStyle(document.querySelector('[data-testid=stBidiComponentIsolated]')"
    stage = page.evaluate(f"{ground}.shadowRoot.querySelector('.stage')).backgroundColor")
    assert stage == "rgba(0, 0, 0, 0)"
    page.context.close()


@pytest.mark.parametrize("projection", ["plane", "max", "mean"])
def test_drawings_over_an_image_have_exactly_the_colour_of_their_legend(chromium, address, projection):
    page = open_tab(chromium, f"{address}/drawn")
    page.locator(".lfv .planes select").select_option(projection)
    until(page, f"v.s.mode === 'merge' && v.s.projection === '{projection}'")
    page.wait_for_timeout(200)
    colour = "(swatch) => getComputedStyle(swatch).backgroundColor.match(/\\d+/g).map(Number)"
    for name, x in (("orange ones", 10), ("blue ones", 30)):
        swatch = page.locator(".lfv .head .entry", has_text=name).locator("i").evaluate(colour)
        assert {tuple(pixel(page, at, 10)) for at in range(x - 4, x + 4)} == {tuple(swatch)}
        assert max(swatch) > 200
    around = pixel(page, 20, 10)
    assert around[0] == around[1] == around[2] > 20  # the light, in grey
    page.context.close()


def test_while_blinking_the_name_stands_above_the_image_and_not_on_it(chromium, address):
    page = open_tab(chromium, address, reduced_motion="reduce")
    focus(page)
    page.keyboard.press("2")
    until(page, "v.s.mode === 'blink' && v.layout.panels.length === 1")
    page.wait_for_timeout(200)
    corner = {tuple(pixel(page, x, y)) for x in range(10) for y in range(3)}
    assert corner == {(0, 0, 0)}
    assert "<b>DNA</b>" in page.locator(".lfv .head:visible .name").inner_text()
    page.context.close()


def test_a_colour_map_is_called_grey(chromium, address):
    page = open_tab(chromium, address)
    names = page.locator(".lfv .drawer select").first.locator("option").all_text_contents()
    assert "grey" in names
    assert "gray" not in names
    page.context.close()


def test_the_wheel_and_the_arrows_move_a_projection_and_never_leave_it(chromium, address):
    page = open_tab(chromium, address)
    focus(page)
    page.keyboard.press("m")
    until(page, "v.s.projection === 'max'")
    box = page.locator(".lfv .stage").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.wheel(0, 100)
    page.locator(".lfv .told", has_text="takes in all planes").wait_for()
    assert [seen(page, name) for name in ("projection", "z0", "z1", "z")] == ["max", 0, 8, 4]
    for _ in range(5):
        page.get_by_label("Last plane of the projection").press("ArrowLeft")
    until(page, "v.s.z1 === 3")
    page.mouse.wheel(0, 100)
    until(page, "v.s.z0 > 0")
    moved = [seen(page, name) for name in ("projection", "z0", "z1")]
    assert moved[0] == "max"
    assert moved[2] - moved[1] == 3
    focus(page)
    page.keyboard.press("End")
    until(page, "v.s.z1 === 8")
    for key in ("ArrowRight", "PageUp", "ArrowLeft"):
        page.keyboard.press(key)
    until(page, "v.s.z1 === 7")
    assert [seen(page, name) for name in ("projection", "z0")] == ["max", 4]
    page.keyboard.press("Home")
    until(page, "v.s.z0 === 0 && v.s.z1 === 3 && v.s.projection === 'max'")
    page.context.close()


@pytest.mark.parametrize("width", [1280, 768, 500])
def test_where_a_page_asks_for_it_no_view_moves_what_lies_below(chromium, address, width):
    page = open_tab(chromium, f"{address}/masks")
    page.set_viewport_size({"width": width, "height": 900})
    below = page.get_by_text("page has 0.500")
    places, stages = set(), set()
    focus(page)
    for digit in "12345671":
        page.keyboard.press(digit)
        until(page, f"v.s.mode === v.header.modes[{int(digit) - 1}]")
        page.wait_for_timeout(700)
        places.add(round(below.bounding_box()["y"]))
        stages.add(page.evaluate(f"{HOST}.stageSize.height"))
    assert max(places) - min(places) <= 3, places
    assert max(stages) - min(stages) > 20  # though the views need different heights
    page.context.close()
