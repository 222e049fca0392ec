"""Samples that ship open; public ones come whole and verified, or a sentence comes instead."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from labelfree_core.errors import ImageError
from labelfree_core.images.reading import open_image
from labelfree_core.images.samples import PublicSample, fetch, public_samples, samples

DATA = b"a small image" * 100


@pytest.fixture
def server():
    """A local web server that gives the file, a longer one, or an error."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/gone.tif":
                self.send_error(404)
                return
            body = DATA * 1000 if self.path == "/longer.tif" else DATA
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body[:7] if self.path == "/cut.tif" else body)

        def log_message(self, *_):
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    thread.join()
    web.server_close()


def sample(**changes):
    """A public sample of the small image."""
    known = {
        "id": "x", "title": "Cells", "sentence": "A plane.",
        "url": "http://127.0.0.1:9/cells.tif", "source": "nowhere",
        "licence": "none", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest(),
    }  # fmt: skip
    return PublicSample(**(known | changes))


def test_a_public_image_comes_whole_and_is_not_fetched_twice(server, tmp_path):
    path = fetch(sample(), tmp_path / "kept", url=f"{server}/cells.tif")
    assert path.read_bytes() == DATA
    assert fetch(sample(), tmp_path / "kept", url="http://127.0.0.1:9/nobody-listens") == path
    assert [p.name for p in path.parent.iterdir()] == ["cells.tif"]


@pytest.mark.parametrize(
    ("page", "words"),
    [("gone", "can't be fetched"), ("cut", "hash differs"), ("longer", "hash differs")],
)
def test_what_was_not_promised_is_not_kept(server, tmp_path, page, words):
    with pytest.raises(ImageError, match=words):
        fetch(sample(), tmp_path, url=f"{server}/{page}.tif")
    assert list(tmp_path.iterdir()) == []


def test_offline_is_a_sentence(tmp_path):
    with pytest.raises(ImageError, match="Check the internet connection"):
        fetch(sample(), tmp_path)


def test_only_the_web_is_fetched_from(tmp_path):
    with pytest.raises(ImageError, match="give a web address"):
        fetch(sample(), tmp_path, url="file:///etc/hostname")


def test_every_public_sample_says_where_it_comes_from():
    for known in public_samples():
        assert known.url.startswith("https://")
        assert len(known.sha256) == 64
        assert known.size > 0
        assert known.licence
        assert known.source


def test_every_sample_that_ships_is_small_opens_and_says_whether_it_is_simulated():
    for known in samples():
        assert known.path.stat().st_size < 2_000_000
        assert open_image(known.path).simulated == known.simulated
        assert known.title
        assert known.sentence


def test_a_list_of_samples_is_read(tmp_path):
    (tmp_path / "a.ome.tif").write_bytes(b"x")
    (tmp_path / "samples.toml").write_text(
        '[[sample]]\nfile = "a.ome.tif"\ntitle = "A"\nsentence = "B."\nstructures = ["DNA"]\nhard = true\n'
        '[[sample]]\nfile = "missing.ome.tif"\ntitle = "C"\nsentence = "D."\n'
    )
    (known,) = samples(tmp_path)
    assert (known.id, known.structures, known.simulated, known.hard) == ("a", ("DNA",), True, True)
    assert samples(tmp_path / "none") == ()
    (tmp_path / "samples.toml").write_text("[[sample")
    with pytest.raises(ImageError, match="Install again"):
        samples(tmp_path)
