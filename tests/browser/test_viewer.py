"""The viewer in a real browser: keys, drags, modes, reruns, page changes, and names that look like markup."""

from __future__ import annotations

import pytest

from tests.browser.viewing import HOST, drawn, focus, open_tab, pixel, seen, until

pytestmark = pytest.mark.browser


def test_keys_move_the_plane_and_the_page_learns_it_once(page):
    focus(page)
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    assert seen(page, "z") == 6
    page.get_by_text("z=6 mode=side").wait_for()
    page.wait_for_timeout(1000)
    assert "runs=2" in page.get_by_text("z=6 mode=side").inner_text()


def test_a_rerun_never_moves_the_view(page):
    focus(page)
    for key in ("Home", "+", "+"):
        page.keyboard.press(key)
    page.get_by_text("z=0").wait_for()
    zoom = seen(page, "zoom")
    page.get_by_role("button", name="Run again").click()
    page.get_by_text("runs=3").wait_for()
    assert (seen(page, "z"), seen(page, "zoom")) == (0, zoom)


def test_the_view_survives_a_page_change(page):
    focus(page)
    page.keyboard.press("End")
    page.keyboard.press("3")
    page.get_by_text("z=8 mode=swipe").wait_for()
    page.get_by_role("link", name="Other").click()
    page.get_by_text("nothing here").wait_for()
    page.get_by_role("link", name="Viewer").click()
    drawn(page)
    until(page, "v.s.z === 8 && v.s.mode === 'swipe'")


def test_a_drag_pans_and_the_pixels_stay_crisp(page):
    stage = page.locator(".lfv .stage").bounding_box()
    x, y = stage["x"] + stage["width"] / 4, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    page.mouse.up()
    until(page, "v.s.cx < 29")
    edge = {tuple(pixel(page, x, 20)) for x in (18, 19, 20, 21)}
    assert edge == {(0, 0, 0), (255, 255, 255)}  # black or white: nothing in between


def test_swiping_uncovers_the_other_image(page):
    page.locator(".lfv .modes input[value='swipe']").check(force=True)
    until(page, "v.layout.panels.length === 1 && v.layout.panels[0].swipe")
    assert pixel(page, 40, 25) == [255, 255, 255]  # right of the edge: the predicted box reaches x = 40
    box = page.locator(".lfv .options input[aria-label='Edge']").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    until(page, "v.s.swipe > 0.95")
    page.wait_for_timeout(100)
    assert pixel(page, 40, 25) == [0, 0, 0]


def test_blinking_stops_at_three_changes_a_second_and_for_people_who_ask_for_calm(page, chromium, address):
    page.locator(".lfv .modes input[value='blink']").check(force=True)
    page.evaluate(
        f"() => {{ const v = {HOST}; let phase = v.phase; window.flips = 0;"
        "setInterval(() => { if (v.phase !== phase) { phase = v.phase; window.flips++; } }, 5); }"
    )
    focus(page)
    for _ in range(12):
        page.keyboard.press("[")
    page.wait_for_timeout(2000)
    assert seen(page, "blinkSeconds") == pytest.approx(0.34)
    assert 1 <= page.evaluate("window.flips") <= 9  # 12 key presses and 2 s at most 3 a second
    calm = open_tab(chromium, address, reduced_motion="reduce")
    calm.locator(".lfv .modes input[value='blink']").check(force=True)
    calm.get_by_role("button", name="Start").wait_for()
    calm.context.close()


def test_the_dice_of_a_known_mask(page):
    page.locator(".lfv .modes input[value='threshold']").check(force=True)
    # Boxes 20 voxels wide, one voxel apart: 2 * 19 / 40.
    page.get_by_text("Dice 0.95 · IoU 0.90").wait_for()
    assert pixel(page, 20, 20)[2] < 60  # observed only: orange
    assert pixel(page, 40, 20)[0] < 80  # predicted only: blue
    assert min(pixel(page, 30, 20)) > 200  # both: white
    page.locator(".lfv .options input[aria-label='predicted']").focus()
    page.keyboard.press("End")  # nothing is above the highest value
    page.get_by_text("Dice 0.00").wait_for()


def test_a_name_that_looks_like_markup_is_shown_as_text(page):
    assert page.locator(".lfv img").count() == 0
    assert page.locator(".lfv b").count() == 0
    assert "<b>DNA</b>" in page.locator(".lfv .head .name").first.inner_text()
    assert page.title() != "run"


def test_sections_projection_line_drawer_and_keys_work_by_keyboard(page):
    focus(page)
    for key in ("x", "m", "l", "v", "?"):
        page.keyboard.press(key)
    until(page, "v.s.sections && v.s.projection === 'max' && v.s.line && v.s.drawer")
    assert page.locator(".lfv .shortcuts").is_visible()
    page.keyboard.press("s")
    until(page, "v.s.line.y0 === 21")
    page.locator(".lfv .profile canvas").wait_for(state="visible")


def test_a_picture_is_saved_with_its_mode_and_plane_in_the_name(page):
    focus(page)
    page.keyboard.press("p")
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Save PNG, on white").click()
    assert download.value.suggested_filename == "view-side-z5.png"


def test_a_picture_is_copied_for_a_slide(chromium, address):
    page = open_tab(chromium, address, permissions=["clipboard-read", "clipboard-write"])
    focus(page)
    page.keyboard.press("Control+c")
    page.get_by_text("Picture copied").first.wait_for()
    kinds = "async () => (await navigator.clipboard.read()).flatMap((item) => item.types)"
    assert page.evaluate(kinds) == ["image/png"]
    page.context.close()


def test_where_copying_is_refused_the_picture_is_saved(chromium, address):
    page = open_tab(chromium, address, script="delete Navigator.prototype.clipboard")
    focus(page)
    with page.expect_download() as download:
        page.keyboard.press("Control+c")
    assert download.value.suggested_filename.endswith(".png")
    assert page.locator(".lfv .told").inner_text().startswith("This browser does not allow copying")
    page.context.close()


def settled_height(page):
    """Height of the viewer once it has followed the window: the same for half a second."""
    heights = [0.0]
    while len(heights) < 3 or len({*heights[-3:]}) > 1:
        page.wait_for_timeout(250)
        heights.append(page.locator(".lfv").bounding_box()["height"])
        assert len(heights) < 40, heights
    return heights[-1]


def test_a_narrow_window_has_no_black_bands_and_keeps_its_height_at_a_rerun(page):
    page.set_viewport_size({"width": 700, "height": 900})
    # At most a few pixels of the stage lie above and below two 40 x 60 images side by side or stacked.
    until(page, "v.stageSize.width < 700 && v.layout.panels[0].areas[0].h - 40 * v.layout.fit < 4")
    height = settled_height(page)
    assert height < 560
    focus(page)
    page.keyboard.press("Home")
    page.get_by_text("z=0").wait_for()
    assert settled_height(page) == height


def test_beside_a_single_panel_the_page_shows_and_no_dark_band(page):
    page.locator(".lfv .modes input[value='blink']").check(force=True)
    until(page, "v.s.mode === 'blink' && v.layout.panels.length === 1 && v.layout.panels[0].x > 40")
    beside, inside = page.evaluate(
        f"""() => {{ const v = {HOST}, [panel] = v.layout.panels, ratio = v.canvas.width / v.stageSize.width;
        const at = (x) => v.context.getImageData(x * ratio, (panel.y + panel.h / 2) * ratio, 1, 1).data[3];
        return [at(panel.x / 2), at(panel.x + panel.w / 2)]; }}"""
    )
    assert (beside, inside) == (0, 255)
    page.locator(".lfv .modes input[value='3d']").check(force=True)
    until(page, "v.controls.stage.classList.contains('dark')")
    colour = "(stage) => getComputedStyle(stage).backgroundColor"
    assert page.locator(".lfv .stage").evaluate(colour) == "rgb(12, 13, 16)"


def test_fingers_zoom_and_move_the_view(chromium, address):
    page = open_tab(chromium, address, has_touch=True)
    box = page.locator(".lfv .stage").bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    client = page.context.new_cdp_session(page)

    def touch(kind, *points):
        at = [{"x": px, "y": py, "id": k} for k, (px, py) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 40, 50, 60):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    until(page, "v.s.zoom > 2")
    before = seen(page, "cx")
    touch("touchStart", (x, y))
    for moved in (10, 20, 40):
        touch("touchMove", (x - moved, y))
    touch("touchEnd")
    until(page, f"v.s.cx > {before}")
    page.context.close()


def test_the_volume_is_drawn_in_3d_or_says_why_not(page):
    page.locator(".lfv .modes input[value='3d']").check(force=True)
    until(page, "v.gl || v.noWebgl")
    page.wait_for_timeout(500)
    assert page.locator(".lfv canvas.deep").is_visible() or page.get_by_text("WebGL2").is_visible()


def test_without_webgl_the_projections_are_shown(chromium, address):
    script = """const get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
      return kind === 'webgl2' ? null : get.call(this, kind, ...rest); };"""
    page = open_tab(chromium, address, script=script)
    page.locator(".lfv .modes input[value='3d']").check(force=True)
    page.get_by_text("WebGL2 is missing or switched off").wait_for()
    assert page.locator(".lfv .fallback canvas").count() == 6  # two images along three axes
    page.context.close()


def test_two_tabs_have_two_views(page, chromium, address):
    second = open_tab(chromium, address)
    focus(second)
    second.keyboard.press("Home")
    second.get_by_text("z=0").wait_for()
    assert seen(page, "z") == 4
    second.context.close()
