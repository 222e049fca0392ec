"""Each page as a visitor meets it: empty, working, and refusing."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.images import samples
from labelfree_core.images.writing import encode_mask, encode_stack
from tests.pages.conftest import ROOT, SIZE_UM, Worker, channels, press, words

Open = Callable[..., AppTest]
PAGES = ("start", "predict", "compare", "masks", "untagged", "models")


@pytest.mark.parametrize("page", PAGES)
def test_each_page_opens_empty_and_says_what_to_do(open_app: Open, page: str) -> None:
    app = open_app(page)
    assert not app.exception
    assert not app.error
    assert len(app.title) == 1


@pytest.mark.parametrize("page", PAGES)
def test_each_page_works_with_a_prediction(predicted: Open, page: str) -> None:
    app = predicted(page)
    assert not app.exception
    assert not app.error


def test_the_gallery_marks_samples_as_simulated(open_app: Open) -> None:
    app = open_app()
    assert words(app).count("simulated") >= 2
    assert "Two cells" in words(app)


def test_one_click_opens_a_sample_and_says_what_was_found(open_app: Open) -> None:
    app = open_app()
    app.button(key="sample-cells").click().run()
    assert not app.exception
    text = words(app)
    assert "cells.ome.tif" in text
    assert "0.29 × 0.29 × 0.29 µm" in text
    assert [box.value for box in app.selectbox if "shows" in box.label] == ["bright-field", "DNA"]


def test_one_choice_corrects_a_channel_and_is_remembered(open_app: Open) -> None:
    app = open_app(sample="cells")
    box = next(box for box in app.selectbox if "H3342" in box.label)
    box.set_value("lamin B1").run()
    assert app.session_state["work"].image.observed == {1: "lamin B1"}
    app.button(key="sample-unstained").click().run()
    app.button(key="sample-cells").click().run()
    assert app.session_state["work"].image.observed == {1: "lamin B1"}


def test_a_voxel_size_can_be_corrected(open_app: Open) -> None:
    app = open_app(sample="cells")
    app.number_input[0].set_value(0.5).run()
    assert app.session_state["work"].image.voxel_size_um == (0.5, 0.29, 0.29)


def test_a_file_that_is_no_image_is_refused_and_the_open_one_stays(open_app: Open) -> None:
    app = open_app(sample="cells")
    before = app.session_state["work"].image
    app.file_uploader[0].set_value(("notes.tif", b"dear diary", "image/tiff")).run()
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.startswith("notes.tif is no image")
    assert app.session_state["work"].image is before


def test_an_upload_is_stored_once_and_leaves_the_memory(open_app: Open) -> None:
    from labelfree_core.images.stack import ImageStack

    app = open_app()
    data = encode_stack(ImageStack(channels()["Bright_100"], SIZE_UM))
    app.file_uploader[0].set_value(("mine.ome.tif", data, "image/tiff")).run()
    assert not app.exception
    work = app.session_state["work"]
    assert work.image.file.name == "mine.ome.tif"
    assert work.image.file.path.parent == work.path
    assert app.file_uploader[0].value is None


def test_a_link_to_an_unknown_sample_is_refused_in_a_sentence(open_app: Open) -> None:
    app = open_app(sample="../../secret")
    assert not app.exception
    assert "There is no sample" in app.error[0].value


@pytest.mark.parametrize(
    ("z", "plane"),
    [("7", 7), ("²", None), ("-1", None), ("9" * 5000, None), ("1e3", None), ("", None), ("٣", None)],
)
def test_a_link_with_a_strange_plane_opens_its_sample(open_app: Open, z: str, plane: int | None) -> None:
    app = open_app(sample="cells", z=z, view="<b>", model="../x")
    assert not app.exception
    assert app.session_state["work"].linked_z == plane


def test_a_link_is_shown_as_text(open_app: Open) -> None:
    app = open_app(sample="![x](http://127.0.0.1:9/leak.png)")
    assert "\\!\\[x\\]\\(http\\://" in app.error[0].value


def test_whatever_is_said_in_a_box_is_escaped() -> None:
    """Sentences have names of files and models in them: only words of our own act as Markdown."""
    boxes = {"error", "warning", "info", "success", "toast"}
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if called and node.func.attr in boxes and ast.unparse(node.func.value) == "st":
                said = node.args[0]
                parts = said.values if isinstance(said, ast.JoinedStr) else [said]
                for part in parts:
                    inner = part.value if isinstance(part, ast.FormattedValue) else part
                    ours = isinstance(inner, ast.Constant) or ast.unparse(inner).startswith("words.")
                    assert ours, f"{path.name}:{node.lineno}: {ast.unparse(said)}"


def test_a_failed_download_is_a_sentence_and_never_blocks(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = samples.PublicSample(
        "far", "A far image", "Far.", "http://127.0.0.1:9/far.tif", "nowhere", "CC0", 10, "0" * 64
    )
    monkeypatch.setattr(samples, "public_samples", lambda: (nowhere,))
    app = open_app(sample="cells")
    app.button(key="fetch-far").click().run()
    for _ in range(40):
        if app.error:
            break
        time.sleep(0.25)
        app.run()
    assert not app.exception
    assert len(app.error) == 1
    assert app.session_state["work"].image.sample == "cells"


def test_predict_shows_what_it_will_take(open_app: Open) -> None:
    assert "About 3 s and 200 MB" in words(open_app("predict", sample="cells"))


def test_predict_shows_progress_and_can_be_cancelled(open_app: Open, worker: Worker) -> None:
    worker.looks_needed = 1000
    app = press(open_app("predict", sample="cells"), "Predict")
    work = app.session_state["work"]
    assert len(work.jobs) == 1
    press(app, "Cancel")
    app.run()
    assert not app.exception
    assert work.jobs == {}
    assert work.results() == {}


def test_a_failed_prediction_is_a_sentence_and_others_stay(predicted: Open, worker: Worker) -> None:
    app = predicted("predict")
    worker.failing["cells"] = "The image has 999 million voxels; crop it."
    before = dict(app.session_state["work"].predictions)
    press(app, "Predict")
    app.run()
    assert "crop it" in words(app)
    assert app.session_state["work"].predictions == before


def test_predict_without_a_voxel_size_asks_for_it(open_app: Open) -> None:
    app = open_app()
    data = encode_mask(np.ones((4, 32, 32), bool), None)
    app.file_uploader[0].set_value(("nosize.tif", data, "image/tiff")).run()
    app.switch_page("pages/predict.py").run()
    assert not app.exception
    assert "voxel size in micrometres" in words(app)


def test_results_survive_every_page_and_every_slider(predicted: Open) -> None:
    app = predicted("masks")
    before = dict(app.session_state["work"].predictions)
    app.slider[0].set_value(app.slider[0].max / 2).run()
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
    assert app.session_state["work"].predictions == before
    app.switch_page("pages/masks.py").run()
    assert app.session_state["work"].thresholds


def test_compare_shows_scores_beside_the_published_one_where_the_image_is_real(predicted: Open) -> None:
    app = predicted("compare", sample="real")
    assert [metric.label for metric in app.metric][:3] == ["Pearson r", "SSIM", "NRMSE"]
    assert float(app.metric[0].value) > 0.5
    assert app.metric[5].value == "0.65"
    simulated = predicted("compare")
    assert [metric.label for metric in simulated.metric][-1] == "Noise ceiling"


def test_compare_without_a_stain_says_so_and_offers_what_works(predicted: Open) -> None:
    app = predicted("compare", sample="unstained")
    assert not app.exception
    assert not app.metric
    assert "no observed stain" in words(app)


def test_masks_follow_a_moved_threshold_and_go_back_to_otsu(predicted: Open) -> None:
    app = predicted("masks")
    dice, otsu = app.metric[0].value, app.slider[1].value
    app.slider[1].set_value(app.slider[1].max).run()
    assert app.metric[0].value != dice
    press(app, "Back to Otsu") if not app.button[0].disabled else app.button[1].click().run()
    assert app.slider[1].value == pytest.approx(otsu, abs=0.02)
    assert app.metric[0].value == dice


def test_masks_work_without_a_stain(predicted: Open) -> None:
    app = predicted("masks", sample="unstained")
    assert not app.exception
    assert len(app.slider) == 1


def test_one_bad_file_never_stops_the_others(open_app: Open, worker: Worker) -> None:
    from labelfree_core.images.stack import ImageStack
    from pages.components import batching

    app = open_app("untagged")
    good = encode_stack(ImageStack(channels()["Bright_100"], SIZE_UM))
    files = [
        ("broken.tif", b"II*\0 not a tiff", "image/tiff"),
        ("cut.tif", good[:-20_000], "image/tiff"),
        ("one.ome.tif", good, "image/tiff"),
        ("**two**.ome.tif", good, "image/tiff"),
    ]
    app.file_uploader[0].set_value(files).run()
    worker.failing["one"] = "one.ome.tif can't be predicted: it is out of focus."
    press(app, "Predict 2 images")
    for _ in range(6):
        app.run()
    assert not app.exception
    work = app.session_state["work"]
    assert [item.prediction is not None for item in work.batch] == [False, False, False, True]
    assert len(app.error) == 3
    captions = [picture.caption for shown in app.get("image") for picture in shown.proto.imgs]
    assert [text for text in captions if "two" in text] == [r"\*\*two\*\*.ome.tif"]
    with zipfile.ZipFile(io.BytesIO(batching.archive(work))) as folder:
        assert sum(name.endswith(".ome.tif") for name in folder.namelist()) == 1
        assert "out of focus" in folder.read("images.csv").decode()


def test_a_hostile_checkpoint_is_refused_in_a_sentence(open_app: Open) -> None:
    app = open_app("models")
    app.file_uploader[0].set_value(("model.p", b"cos\nsystem\n(S'true'\ntR.", "application/x")).run()
    press(app, "Add")
    assert not app.exception
    assert len(app.error) == 1


def test_two_visitors_never_see_each_other(predicted: Open, open_app: Open) -> None:
    first, second = predicted("predict"), open_app("predict")
    assert second.session_state["work"].image is None
    owners = {app.session_state["work"].owner for app in (first, second)}
    folders = {app.session_state["work"].path for app in (first, second)}
    assert len(owners) == len(folders) == 2


def test_an_edit_of_nine_voxels_is_another_image(open_app: Open) -> None:
    """Keyed on the array itself, the cache would look at a sample of it and return the old answer."""
    from labelfree_core.images.stack import ImageStack

    app, stack = open_app(), channels()["Bright_100"].copy()
    keys = []
    for _ in range(2):
        data = encode_stack(ImageStack(stack, SIZE_UM))
        app.file_uploader[0].set_value(("same-name.ome.tif", data, "image/tiff")).run()
        keys.append(app.session_state["work"].image.key)
        stack[3, 10:13, 10:13] += 500
    assert keys[0] != keys[1]


def test_the_app_is_there_before_torch_is() -> None:
    code = "import sys, time, pages.components.layout, pages.components.comparing, pages.components.batching;"
    code += "print('torch' in sys.modules, time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    torch_is_there, seconds = done.stdout.split()
    assert torch_is_there == "False"
    assert float(seconds) < 5  # of processor time, so that a busy machine takes no longer; measured: 1.5


def test_every_page_begins_with_the_guard() -> None:
    for path in (ROOT / "pages").glob("[a-z]*.py"):
        text = path.read_text(encoding="utf-8")
        assert f'layout.page(\n    "{path.stem}"' in text, path.name


def test_no_cache_is_keyed_on_an_image() -> None:
    """Arguments that hold images start with an underscore, so that nothing looks at them for a key."""
    for path in (ROOT / "pages/components").glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if not line.startswith(("@st.cache", "@kept")):
                continue
            head = " ".join(lines[number + 1 : number + 6]).split("->")[0]
            for kind in ("np.ndarray", "ImageStack", "Prediction,", "Prediction)", "Pair", "Opened"):
                for part in head.split(",") if kind in head else []:
                    assert kind.rstrip(",)") not in part or "_" in part.split(":")[0], (Path(path).name, part)
