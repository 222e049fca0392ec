"""Transforms of the published options, read without running anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelfree_core.errors import ModelError
from labelfree_core.models.transforms_parser import Call, parse_transform, prepare_from, read_preparation

NORMALISE = "fnet.transforms.normalize"


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (NORMALISE, Call("normalize")),
        ("fnet.transforms.Normalize()", Call("Normalize")),
        ("fnet.transforms.Resizer((1, 0.37241, 0.37241))", Call("Resizer", ((1, 0.37241, 0.37241),))),
        ("Resizer(factors=[1, -2.5])", Call("Resizer", ((1, -2.5),))),
        ("fnet.transforms.Padder('+', 16)", Call("Padder", ("+", 16))),
    ],
)
def test_plain_names_and_calls_are_read(text, call):
    assert parse_transform(text) == call


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Resizer(open('x'))",
        "(lambda: 1)()",
        "a if b else c",
        "[x for x in y]",
        "Resizer(*(1, 2))",
        "Resizer(9**9**9)",
        "Resizer('a' * 10**9)",
        "f'{1}'",
        "x := 1",
        "import os",
        "",
        "(" * 299,
        "a" * 301,
        "Resizer(b'x')",
        "Resizer(1j)",
        "Resizer(-'x')",
        "Resizer\0",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ModelError, match="no plain name or call with numbers"):
        parse_transform(text)


@given(text=st.text(max_size=80))
def test_any_text_is_a_call_or_a_sentence(text):
    try:
        call = parse_transform(text)
    except ModelError:
        return
    assert call.name.isidentifier()


def options(*transforms, **more):
    return {"transform_signal": list(transforms), **more}


def test_the_order_of_the_steps_is_kept():
    resize = "fnet.transforms.Resizer((1, 0.29655, 0.29655))"
    assert prepare_from(options(NORMALISE, resize), "o", ndim=3).steps == ("standardise", "resize")
    assert prepare_from(options(resize, NORMALISE), "o", ndim=3).steps == ("resize", "standardise")


def test_cropping_and_padding_are_left_out_and_said():
    found = prepare_from(options(NORMALISE, "fnet.transforms.Propper('-', 16)"), "o", ndim=3)
    assert found.steps == ("standardise",)
    assert found.notes == ("Propper",)


def test_a_network_for_planes_takes_the_last_two_factors():
    assert prepare_from(options("Resizer((1, 0.5, 0.25))"), "o", ndim=2).zoom == (0.5, 0.25)


def test_newer_options_hold_the_transforms_deeper():
    found = prepare_from({"dataset_kwargs": options(NORMALISE)}, "o", ndim=3)
    assert found.steps == ("standardise",)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            options("fnet.transforms.norm_around_center"),
            "the transform 'norm_around_center', which is not known",
        ),
        (options("fnet.transforms.Normalize(2)"), "the transform 'Normalize'"),
        (options(NORMALISE, NORMALISE), "'normalize' twice"),
        (options("Resizer((1, 0, 1))"), "3 factors from 0.01 to 100"),
        (options("Resizer((1, True, 1))"), "3 factors"),
        (options("Resizer()"), "3 factors"),
        (options("Resizer((1, 1e999, 1))"), "3 factors"),
        ({"transform_signal": [1]}, "no list of texts"),
        ({"transform_signal": [NORMALISE] * 21}, "no list of texts"),
        ({}, "has no transform_signal"),
    ],
)
def test_what_is_not_known_is_never_skipped(found, sentence):
    with pytest.raises(ModelError, match=sentence):
        prepare_from(found, "train_options.json", ndim=3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is no valid JSON"),
        (b"\xff\xfe", "is no valid JSON"),
        (b"[]", "no table of options"),
        (b"[" * 100_000, "is no valid JSON"),
        (b" " * 1_100_000, "more than 1 MB"),
    ],
)
def test_a_broken_file_is_a_sentence(tmp_path, content, sentence):
    (tmp_path / "train_options.json").write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        read_preparation(tmp_path / "train_options.json", ndim=3)


def test_what_the_options_tell_stays_on_one_line(tmp_path):
    text = json.dumps(options(NORMALISE, path_run_dir="a\n\nb" + "x" * 1000))
    (tmp_path / "o.json").write_text(text)
    told = read_preparation(tmp_path / "o.json", ndim=3).told
    assert told.startswith("path_run_dir a b")
    assert len(told) <= 300
