"""What the viewer says in numbers and units: under the pointer, of a difference, along a line, of masks."""

from __future__ import annotations

import pytest

from tests.browser.viewing import HOST, drawn, focus, open_tab, pixel, until

pytestmark = pytest.mark.browser

MIDDLE = f"""() => {{
  const v = {HOST}, box = v.controls.stage.getBoundingClientRect(), area = v.layout.panels[0].areas[0];
  const half = v.layout.fit / 2; // of a voxel: not on its edge
  return [box.x + area.x + area.w / 2 + half, box.y + area.y + area.h / 2 + half]; }}"""


@pytest.fixture
def visit(chromium, address):
    """Open a page of the tests' app in a tab of its own; any script error fails the test."""
    opened = []

    def go(path: str = "", **options):
        opened.append(open_tab(chromium, f"{address}/{path}", **options))
        return opened[-1]

    yield go
    for page in opened:
        problems = page.context.problems
        page.context.close()
        assert problems == []


def settled(page, script: str):
    """What a script finds once the viewer has fitted its size: the same twice in a row."""
    seen = [None, page.evaluate(script)]
    while seen[-1] != seen[-2]:
        page.wait_for_timeout(400)
        seen.append(page.evaluate(script))
    return seen[-1]


def point_at_the_middle(page) -> None:
    """Rest the pointer on the middle of the first panel, which is the middle of the image."""
    page.mouse.move(*settled(page, MIDDLE))


def test_under_a_resting_pointer_the_value_follows_the_plane_the_view_and_the_layer(visit):
    page = visit()
    point_at_the_middle(page)
    readout = page.locator(".lfv .readout")
    assert "z 2.00 µm  (30, 20, 4)" in readout.inner_text()
    assert readout.inner_text().endswith("100.0 counts")
    focus(page)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert "z 3.50 µm  (30, 20, 7)" in readout.inner_text()
    assert readout.inner_text().endswith("0.000 counts")  # above the box
    page.keyboard.press("2")  # Blink: both images
    until(page, "v.controls.readout.textContent.endsWith('predicted 0.000 counts')")
    page.keyboard.press("8")  # 3-D
    until(page, "v.s.mode === '3d' && v.controls.readout.hidden")
    page.keyboard.press("1")
    until(page, "v.s.mode === 'side' && !v.controls.readout.hidden")


def test_images_in_one_unit_are_subtracted_in_it(visit):
    page = visit()
    focus(page)
    page.keyboard.press("6")
    page.locator(".lfv .head .scale", has_text="+100.0 counts").wait_for()
    point_at_the_middle(page)
    until(page, "v.controls.readout.textContent.endsWith('difference 0.000 counts')")


def test_of_images_in_different_units_the_share_of_each_window_is_subtracted(visit):
    page = visit("masks")
    focus(page)
    page.keyboard.press("6")
    bar = page.locator(".lfv .head .scale", has_text="+100 % of each window")
    bar.wait_for()
    assert "observed is in counts, score in score" in bar.get_attribute("title")
    # 100 counts of 100 and a score of 1 of 1: equally white, so the box is as neutral as what lies around it.
    assert pixel(page, 30, 25) == pixel(page, 5, 5)
    assert pixel(page, 20, 25)[0] > pixel(page, 20, 25)[2] + 60  # observed only: red
    assert pixel(page, 40, 25)[2] > pixel(page, 40, 25)[0] + 60  # predicted only: blue
    point_at_the_middle(page)
    until(page, "v.controls.readout.textContent.endsWith('difference 0 % of each window')")
    assert page.locator(".lfv .options output:visible").inner_text() == "100 % of each window"


def test_the_viewer_counts_dice_and_iou_as_the_page_does(visit):
    page = visit("camera")
    score = page.locator(".lfv .score", has_text="Dice")
    assert page.get_by_text("page: Dice").inner_text() == f"page: {score.inner_text()}"
    texts = page.locator(".lfv .options label:visible output").all_inner_texts()
    assert texts == ["4.600 counts", "5.400 counts"]
    page.get_by_role("button", name="Otsu").click()
    until(page, "v.s.thresholds[0] === undefined")
    page.wait_for_timeout(200)
    assert page.get_by_text("page at Otsu: Dice").inner_text() == f"page at Otsu: {score.inner_text()}"
    assert "precision" not in page.locator(".lfv").inner_text()


@pytest.mark.parametrize("keys", ["", "m", "mm", "x"])  # a plane, both projections, sections
def test_outside_the_region_nothing_is_marked(visit, keys):
    page = visit("camera")
    focus(page)
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(1500)  # also after the page has run with it
    drawn(page)
    outside = [pixel(page, x, y) for x in range(6) for y in (5, 12, 30)]
    assert all(red == green == blue for red, green, blue in outside)
    assert any(len({*pixel(page, x, y)}) > 1 for x in range(6, 60) for y in (12, 25))


def test_of_a_coarse_copy_the_pages_own_numbers_are_shown_until_a_threshold_moves(visit):
    page = visit("coarse")
    page.get_by_text("Dice 0.12 · IoU 0.06").wait_for()
    focus(page)
    page.keyboard.press("]")
    page.locator(".lfv .score", has_text="Dice ≈ 0.3").wait_for()
    assert "rounded" in page.locator(".lfv .score:visible").get_attribute("title")


PLOT = f"""() => {{ const canvas = {HOST}.controls.profileCanvas, ratio = canvas.width / canvas.clientWidth;
  const middle = canvas.getContext('2d').getImageData(canvas.width / 2 + 4 * ratio, 0, 1, canvas.height).data;
  const rows = (r, g, b) => {{ for (let y = 0; y < canvas.height; y++) {{
    const near = Math.hypot(middle[4 * y] - r, middle[4 * y + 1] - g, middle[4 * y + 2] - b);
    if (middle[4 * y + 3] > 120 && near < 70) return y / canvas.height; }} return null; }};
  return {{ observed: rows(10, 157, 108), predicted: rows(194, 49, 155),
    says: canvas.getAttribute('aria-label') }}; }}"""


def set_white(page, layer: int, white: float) -> dict[str, object]:
    """Set a layer's white, and return the line profile after it."""
    page.evaluate(f"() => {{ {HOST}.s.per[{layer}].hi = {white}; }}")
    focus(page)
    page.keyboard.press("+")  # paints again
    return settled(page, PLOT)


def test_contrast_leaves_a_profile_in_one_unit_as_it_is(visit):
    page = visit()
    focus(page)
    page.keyboard.press("l")
    page.locator(".lfv .profile canvas").wait_for()
    before = settled(page, PLOT)
    assert before["says"].startswith("Values in counts along a line of 9 µm: ")
    assert before["predicted"] < 0.2  # at the top
    assert set_white(page, 1, 200) == before
    assert page.locator(".lfv .profile .entry").all_inner_texts()[1] == "predicted"


def test_in_different_units_a_profile_shows_shares_beyond_the_window_too(visit):
    page = visit("masks")
    focus(page)
    for key in ("2", "l"):
        page.keyboard.press(key)
    page.locator(".lfv .profile canvas").wait_for()
    before = settled(page, PLOT)
    assert before["says"].startswith("Values drawn as the share of each one's window along a line")
    after = set_white(page, 1, 0.5)  # the box is now at 200 % of its window, the observed one still at 100 %
    assert after["predicted"] is not None
    assert after["observed"] - after["predicted"] > 0.25
    legend = page.locator(".lfv .profile .entry").all_inner_texts()
    assert legend[1] == "score, 0 to 100 %: 0.000 to 0.500 score"
