"""The main job in a real browser: upload, predict, slide, compare, take the GIF away."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from labelfree_core.images.samples import samples
from labelfree_core.images.writing import write_channels

pytestmark = pytest.mark.browser
PATIENCE_MS = 60_000
DNA = "dna-brightfield-3d"


@pytest.fixture
def visit(chromium: object, start_server: Callable[[], str]) -> Iterator[Callable[..., object]]:
    """Open an address in a new window; afterwards assert that nothing was asked of another computer."""
    contexts, asked = [], []

    def open_page(address: str) -> object:
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    elsewhere = {url for url in asked if urlsplit(url).scheme not in ("data", "blob")}
    assert {urlsplit(url).hostname for url in elsewhere} <= {"127.0.0.1"}


def at_rest(page: object) -> None:
    """Wait until the page is drawn: a file offered by an unfinished run may be withdrawn by the next."""
    page.locator('[data-test-script-state="notRunning"]').first.wait_for()


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cells in bright-field and DNA, small enough for a slow machine."""
    random = np.random.default_rng(3)
    z, y, x = np.indices((16, 64, 96))
    nuclei = sum(
        np.exp(-((((z - 8) / 5) ** 2 + ((y - a) / 13) ** 2 + ((x - b) / 13) ** 2) ** 3))
        for a, b in ((24, 26), (40, 66))
    )
    light = 9000 - 1500 * nuclei + 900 * np.roll(nuclei, 5, 2) + random.normal(0, 60, nuclei.shape)
    stain = 400 + 3000 * nuclei + random.normal(0, 40, nuclei.shape)
    path = tmp_path_factory.mktemp("cells") / "two-cells.ome.tif"
    channels = {"Bright_100": light.astype(np.uint16), "H3342": stain.astype(np.uint16)}
    write_channels(path, channels, (0.29, 0.29, 0.29), provenance={"simulated": True})
    return path


def test_a_fresh_server_asked_for_predict_first_shows_the_whole_app(
    visit: Callable, start_server: Callable[[], str]
) -> None:
    """Streamlit would run the page's file alone: no menu, no page set-up, no app.py."""
    page = visit(f"{start_server()}/predict")
    page.get_by_role("heading", name="Predict fluorescence").wait_for()
    page.get_by_role("link", name="Untagged structure").wait_for()
    assert page.title() == "labelfree"
    assert urlsplit(page.url).path == "/predict"


def test_upload_predict_slide_and_take_the_gif_away(
    visit: Callable, server: str, cells: Path, tmp_path: Path
) -> None:
    page = visit(server)
    page.locator("input[type=file]").first.set_input_files(cells)
    page.get_by_text("What was found in the file").wait_for()
    page.get_by_role("button", name="Go on to Predict").click()
    page.get_by_text("of memory, on the").wait_for()
    page.get_by_test_id("stBaseButton-primary").get_by_text("Predict", exact=True).click()
    page.get_by_text("Image (OME-TIFF)").first.wait_for()

    slider = page.locator("input[type=range]:visible").first
    slider.wait_for()
    before = slider.input_value()
    slider.focus()
    slider.press("ArrowRight")
    changed(slider, before)
    page.screenshot(path=tmp_path / "predicted.png")

    go(page, "Compare")
    page.get_by_text("Pearson r").first.wait_for()
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Blink (GIF").click()
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as gif:
        assert gif.n_frames == 2
        assert gif.info["duration"] == 2000

    go(page, "Masks")
    page.get_by_text("Dice").first.wait_for()
    go(page, "Predict")
    page.get_by_text("Image (OME-TIFF)").first.wait_for()  # the result is still there


def test_a_link_opens_the_sample_it_names(visit: Callable, server: str) -> None:
    first = samples()[0]
    page = visit(f"{server}/compare?sample={first.id}&z=3")
    page.get_by_text(first.path.name).first.wait_for()
    page.get_by_text("Nothing is predicted yet").wait_for()
    page.get_by_role("button", name="Go to Predict").click()
    page.get_by_test_id("stBaseButton-primary").wait_for()
    page.wait_for_url(f"**sample={first.id}*")


def shows(slider: object, value: str) -> None:
    """Wait until a slider has a value: it is on the page a moment before it is set."""
    from playwright.sync_api import expect

    expect(slider).to_have_value(value, timeout=PATIENCE_MS)


def go(page: object, name: str) -> None:
    """
    Follow a link of the menu, once the page has said all that it has to say.

    Streamlit forgets a page change that meets a late word of the page that is left, within some 20 ms.
    """
    at_rest(page)
    page.wait_for_timeout(1000)
    page.get_by_role("link", name=name, exact=True).click()


def changed(slider: object, value: str) -> None:
    """Wait until a slider has left a value: the other planes arrive a moment after the first."""
    from playwright.sync_api import expect

    expect(slider).not_to_have_value(value, timeout=PATIENCE_MS)


def test_a_link_opens_model_view_and_plane_on_any_page(visit: Callable, server: str) -> None:
    page = visit(f"{server}/compare?sample=colony&model={DNA}&view=swipe&z=7")
    page.get_by_text("Pearson r").first.wait_for()  # predicted without a click
    plane = page.locator(".lfv input[aria-label='Plane']")
    shows(plane, "7")
    assert page.locator(".lfv .modes input:checked").input_value() == "swipe"
    assert urlsplit(page.url).path == "/compare"

    pages_before = page.evaluate("history.length")
    plane.press("ArrowRight")
    page.wait_for_url(f"**/compare?sample=colony&model={DNA}&view=swipe&z=8")
    assert page.evaluate("history.length") == pages_before  # "back" leaves the page, not the plane


def test_a_page_change_and_back_keeps_result_and_view(visit: Callable, server: str) -> None:
    page = visit(f"{server}/predict?sample=colony&model={DNA}&z=11")
    page.get_by_text("Image (OME-TIFF)").first.wait_for()
    page.locator(".lfv input[aria-label='Plane']").wait_for()
    go(page, "Masks")
    page.get_by_role("heading", name="Masks", exact=True).wait_for()
    page.get_by_text("Overlay").first.wait_for()
    page.go_back()
    page.get_by_text("Image (OME-TIFF)").first.wait_for()
    plane = page.locator(".lfv input[aria-label='Plane']")
    shows(plane, "11")


def test_two_tabs_at_once_keep_to_their_own_image(visit: Callable, server: str) -> None:
    first = visit(f"{server}/compare?sample=colony&model={DNA}")
    second = first.context.new_page()  # the same browser, so the same cookies
    second.set_default_timeout(PATIENCE_MS)
    second.goto(f"{server}/compare?sample=sparse-cells&model={DNA}")
    scores = []
    for tab, name in ((first, "colony"), (second, "sparse-cells")):
        tab.get_by_text("Pearson r").first.wait_for()
        assert tab.get_by_text(f"{name}.ome.tif").first.is_visible()
        at_rest(tab)
        with tab.expect_download() as download:
            tab.get_by_role("button", name="Scores (CSV)").click()
        scores.append(Path(download.value.path()).read_text())
        assert f"image,{name}.ome.tif" in scores[-1]
    assert scores[0] != scores[1]


def test_a_plot_is_saved_as_svg_and_pdf(visit: Callable, server: str) -> None:
    page = visit(f"{server}/compare?sample=colony&model={DNA}")
    page.get_by_role("button", name="Save figure").first.click()
    for label, begins in (("SVG", b"<svg"), ("PDF", b"%PDF-1.4"), ("PNG, dark", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=label, exact=True).click()
        assert Path(download.value.path()).read_bytes().startswith(begins)


def test_a_moved_threshold_goes_back_to_otsu_and_stays_there(visit: Callable, server: str) -> None:
    from playwright.sync_api import expect

    page = visit(f"{server}/masks?sample=colony&model={DNA}")
    slider = page.get_by_role("slider", name="Threshold of the predicted image").first
    slider.wait_for()
    at_rest(page)
    otsu = float(slider.input_value())
    for _ in range(3):
        slider.press("PageUp")
    back = page.get_by_role("button", name="Back to Otsu").last
    expect(back).to_be_enabled(timeout=PATIENCE_MS)
    at_rest(page)
    assert float(slider.input_value()) > otsu
    back.click()
    expect(back).to_be_disabled(timeout=PATIENCE_MS)
    page.wait_for_timeout(3000)  # a browser that kept the old value would have sent it by now
    expect(back).to_be_disabled()
    assert float(slider.input_value()) == pytest.approx(otsu, abs=0.02)
