"""Model cards: a round trip, and a sentence for every way to be wrong."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelfree_core.errors import ModelError
from labelfree_core.models.card import ModelCard, Score
from labelfree_core.models.cardfile import format_card, parse_card, read_card, write_card

CARD = ModelCard(
    id="dna-test-3d",
    title='DNA, "quoted"\nand on two lines',
    structure="DNA",
    modality="bright-field",
    ndim=3,
    architecture="fnet",
    network={"mult_chan": 8, "depth": 3, "widths": [8, 16], "odd key!": {"a": 1.5}},
    voxel_size_um=(0.29, 0.29, 0.29),
    steps=("standardise", "resize"),
    zoom=(1.0, 0.37241, 0.37241),
    sha256="a" * 64,
    scores=(
        Score("six images", "pearson_r", 6, 0.6, 0.5, 0.7, "small"),
        Score("six images", "dice", 6, 0.7, 0.6, 0.8),
    ),
    limits=("One.", "Two: µm, \x7f and \t."),
    simulated=True,
    hallucination={"empty": 0.01},
)
SOURCE = format_card(CARD)


def test_a_card_comes_back_as_it_was(tmp_path):
    write_card(tmp_path, CARD)
    assert read_card(tmp_path) == CARD
    assert read_card(tmp_path / "card.toml") == CARD
    assert [file.name for file in tmp_path.iterdir()] == ["card.toml"]


def test_an_empty_field_does_not_turn_into_its_default():
    card = dataclasses.replace(CARD, steps=(), units="", title="")
    assert parse_card(format_card(card)) == card


@given(text=st.text(st.characters(codec="utf-8"), max_size=40), number=st.floats(-1e9, 1e9))
def test_any_text_and_number_survives(text, number):
    card = dataclasses.replace(CARD, title=text, limits=(text,), hallucination={text: number})
    assert parse_card(format_card(card)) == dataclasses.replace(card, limits=(text,))


@pytest.mark.parametrize(
    ("find", "put", "sentence"),
    [
        ('id = "dna-test-3d"\n', "", "has no 'id'; add it"),
        ("ndim = 3\n", "", "has no 'ndim'; add it, for example: ndim = 3"),
        ("ndim = 3", "ndim = 4", "'ndim' is '4'; it has to be 2 .planes. or 3"),
        ("ndim = 3", 'ndim = "3"', "'ndim' is '3'; it has to be a whole number"),
        ("ndim = 3", "ndim = 2", "'voxel_size_um' .* has to be 2 numbers, because ndim is 2"),
        ("ndim = 3", "ndim = 3\ndepth = 4", "unknown field 'depth'"),
        ('id = "dna-test-3d"', 'id = "../evil"', "'id' is '../evil'; it has to be 1 to 80 small letters"),
        ('id = "dna-test-3d"', 'id = "a..b"', "'id' is 'a..b'"),
        ('"fnet"', '"resnet"', "'architecture' is 'resnet'; it has to be fnet or compact"),
        ("[0.29, 0.29, 0.29]", "[0.29, 0.0, 0.29]", "positive numbers"),
        ("[0.29, 0.29, 0.29]", "[0.29, nan, 0.29]", "a finite number"),
        ("[0.29, 0.29, 0.29]", "0.29", "'voxel_size_um' is '0.29'"),
        ('"standardise"', '"flip"', "a list of standardise, flatten, resize"),
        ('"standardise"', '"resize"', "each at most once"),
        ("a" * 64, "xyz", "64 hexadecimal digits"),
        ("simulated = true", "simulated = 1", "true or false"),
        ("median = 0.6", "median = 0.9", "lowest <= median <= highest"),
        ("n = 6\n", "", "a score has no 'n'"),
        ("n = 6\n", "n = 6\nm = 6\n", "a score has the unknown field 'm'"),
        ("title = ", "title = = ", "is not valid TOML"),
        ("ndim = 3", "ndim = " + "9" * 5000, "is not valid TOML"),
        ("ndim = 3", "ndim = 3\nlimits = " + "[" * 5000, "is not valid TOML"),
        ("[network]", "[[network]]", r"a table, \[network\]"),
        ('["One.", ', "[1, ", "text in quotes"),
        ('modality = "bright-field"', 'modality = " "', "'modality' is ' '; it has to be a word"),
        ('structure = "DNA"', f'structure = "{"D" * 301}"', "text of at most 300 characters"),
        ('["One.", ', f'["{"a" * 20_001}", ', "of at most 20000 characters"),
        ("n = 6\n", f"n = 1{'0' * 400}\n", "a whole number of at most"),
        ("n = 6\n", f"n = 0x{'f' * 5000}\n", "'a number without end'; it has to be a whole number"),
        ("median = 0.6", f"median = 1{'0' * 400}", "a finite number"),
    ],
)
def test_a_wrong_card_is_a_sentence(find, put, sentence):
    assert find in SOURCE
    with pytest.raises(ModelError, match=sentence):
        parse_card(SOURCE.replace(find, put, 1))


def test_a_missing_or_absurd_file_is_a_sentence(tmp_path):
    with pytest.raises(ModelError, match=r"can't be read .*Add the model again"):
        read_card(tmp_path / "card.toml")
    (tmp_path / "card.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="can't be read"):
        read_card(tmp_path)
    (tmp_path / "card.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(ModelError, match="more than 1 MB"):
        read_card(tmp_path)


def test_a_card_refuses_values_that_are_not_finite():
    with pytest.raises(ModelError, match="finite numbers"):
        format_card(dataclasses.replace(CARD, hallucination={"empty": float("nan")}))
