"""Names and texts of strangers in a real browser: read, never run, and nothing is fetched for them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from urllib.parse import quote

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.browser
LEAK = "http://127.0.0.1:9/leak.png"
NAMES = (
    "<img src=x onerror=alert(1)>.tif",
    "**bold** [x](javascript:alert(1)).tif",
    f"![x]({LEAK.replace('/', '∕')}) :material/home: $x^2$.tif",
    "../../etc/passwd.tif",
    "gnp\u202efit.\u0627\u0628\u062c.tif",
    f"{'n' * 245}.tif",
)
ACTS = "img[src='x'], img[src*='leak'], a[href^='javascript'], strong:text-is('bold'), .katex"


@pytest.fixture
def page(chromium: object, server: str) -> Iterator[object]:
    context = chromium.new_context()
    shown = context.new_page()
    shown.trouble = []
    shown.on("dialog", lambda dialog: (shown.trouble.append(dialog.message), dialog.dismiss()))
    shown.on("request", lambda request: note(shown, request.url, server))
    yield shown
    context.close()


def note(page: object, url: str, server: str) -> None:
    """Write down whatever is asked of somebody else."""
    if not url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:")):
        page.trouble.append(url)


def image(name: str = "") -> bytes:
    target = BytesIO()
    voxels = np.random.default_rng(0).integers(1000, 3000, (2, 4, 40, 48)).astype(np.uint16)
    sizes = {f"PhysicalSize{axis}": 0.29 for axis in "XYZ"}
    about = {"axes": "CZYX", **sizes, "Channel": {"Name": [f"Bright {name}", f"DNA {name}"]}}
    tifffile.imwrite(target, voxels, ome=True, photometric="minisblack", metadata=about)
    return target.getvalue()


def rest(page: object) -> None:
    """Wait until the page is drawn: what is given to a part that is being replaced gets lost."""
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')", timeout=60_000)


def give(page: object, name: str, content: bytes) -> None:
    rest(page)
    file = {"name": name, "mimeType": "image/tiff", "buffer": content}
    page.locator("input[type=file]").first.set_input_files(file)


def check(page: object) -> None:
    assert page.locator(ACTS).count() == 0
    assert page.trouble == []


@pytest.mark.parametrize("name", NAMES, ids=["html", "markdown", "image", "path", "right-to-left", "long"])
def test_a_file_name_is_read_and_never_run(page: object, server: str, name: str) -> None:
    page.goto(server)
    give(page, name, b"no image")
    page.get_by_text("is no image that is known here").wait_for(timeout=60_000)
    check(page)
    give(page, name, image(name))
    page.get_by_text("What was found in the file").wait_for(timeout=60_000)
    check(page)
    for menu in ("Predict", "Untagged structure", "Train your own"):
        page.get_by_role("link", name=menu).first.click()
        page.get_by_role("heading", level=1).first.wait_for(timeout=30_000)
        rest(page)
        check(page)


def test_a_list_of_images_shows_their_names_as_text(page: object, server: str) -> None:
    page.goto(f"{server}/untagged")
    page.locator("input[type=file]").first.wait_for(state="attached", timeout=60_000)
    files = [{"name": name, "mimeType": "image/tiff", "buffer": image()} for name in NAMES[:3]]
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_text("bold").first.wait_for(timeout=60_000)
    check(page)


@pytest.mark.parametrize("where", ["", "models", "predict"])
def test_an_address_is_read_and_never_run(page: object, server: str, where: str) -> None:
    page.goto(f"{server}/{where}?sample={quote(f'![x]({LEAK}) <img src=x onerror=alert(1)>')}&z=²&model=<b>")
    page.get_by_text("There is no sample").wait_for(timeout=60_000)
    check(page)
