"""Which fields are drawn how often, and what a patch of nothing is."""

import numpy as np
import pytest
import torch

from labelfree_core.errors import ModelError
from labelfree_core.training.augment import Augmentation, draw, transferred
from labelfree_core.training.losses import segmentation_loss, stain_loss
from labelfree_core.training.nothing import nothing_like, scrambled
from labelfree_core.training.pairs import Pair
from labelfree_core.training.sampling import pool


def field(name: str = "a", *, table: int = 0, weight: float = 1.0, background: float = 0.0) -> Pair:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(64, 64)).astype(np.float32)
    target = np.full((1, 64, 64), background, np.float32)
    target[0, 20:30, 20:30] = 3
    return Pair(name, name, False, image, target, np.ones(target.shape, bool), weight, table)


def test_shares_are_kept_whatever_the_number_of_fields() -> None:
    fields = [field("real")] + [field(f"scene {n}", table=1) for n in range(9)]
    chances = pool(fields, (0.6, 0.4)).chances
    assert chances[0] == pytest.approx(0.6)
    assert chances[1:] == pytest.approx([0.4 / 9] * 9)


def test_a_weight_multiplies_how_often_a_field_is_drawn() -> None:
    assert pool([field("a", weight=3), field("b")]).chances == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize(
    ("weights", "shares", "match"),
    [((1, 1), (1,), "give one share for each table"), ((0, 0), (), "weight 0"), ((), (), "No field is left")],
)
def test_what_can_not_be_drawn_says_why(weights: tuple, shares: tuple, match: str) -> None:
    fields = [field(str(n), table=n, weight=weight) for n, weight in enumerate(weights)]
    with pytest.raises(ModelError, match=match):
        pool(fields, shares)


def test_the_background_of_a_stain_is_its_dark_end() -> None:
    assert pool([field(background=-0.4), field(background=-0.6)]).background == pytest.approx([-0.5])


def test_scrambling_keeps_the_spectrum_and_takes_the_content() -> None:
    y, x = np.mgrid[:64, :64]
    disc = torch.from_numpy(((y - 32) ** 2 + (x - 32) ** 2 < 150).astype(np.float32))[None, None]
    for seed in range(6):
        found = scrambled(disc, np.random.default_rng(seed))
        power = [torch.fft.fft2(image - image.mean()).abs() for image in (disc, found)]
        torch.testing.assert_close(power[1], power[0], atol=0.05, rtol=1e-3)
        assert abs(float(torch.corrcoef(torch.stack([disc.ravel(), found.ravel()]))[0, 1])) < 0.5
        assert found.mean() == pytest.approx(float(disc.mean()), abs=1e-4)


def test_the_asked_share_of_patches_holds_nothing_and_answers_background() -> None:
    plain = Augmentation(patch_px=32, nothing=0.25)
    fields = pool([field(background=-0.5)])
    empty = 0
    for seed in range(200):
        image, target, known = draw(fields, (0, 0), plain, np.random.default_rng(seed))
        assert torch.isfinite(image).all()
        if bool((target == -0.5).all()) and bool(known.all()):
            empty += 1
    dark = sum(
        bool(
            (
                draw(fields, (0, 0), Augmentation(patch_px=32, nothing=0), np.random.default_rng(s))[1]
                == -0.5
            ).all()
        )
        for s in range(200)
    )
    assert 25 <= empty - dark <= 75


def test_a_patch_of_nothing_looks_like_a_prepared_image() -> None:
    image = torch.randn(1, 6, 48, 48)
    for seed in range(20):
        found = nothing_like(image, np.random.default_rng(seed))
        assert found.shape == image.shape
        assert 0.2 < float(found.std()) < 5


@pytest.mark.parametrize("loss", [stain_loss, segmentation_loss])
def test_an_even_target_gives_finite_slopes(loss: object) -> None:
    for known in (torch.ones(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)):
        predicted = torch.randn(2, 1, 8, 8, requires_grad=True)
        loss(predicted, torch.zeros(2, 1, 8, 8), known).backward()
        assert torch.isfinite(predicted.grad).all()


@pytest.mark.parametrize("loss", [stain_loss, segmentation_loss])
def test_importance_weighs_structures(loss: object) -> None:
    torch.manual_seed(0)
    predicted, target, known = torch.rand(2, 2, 8, 8), torch.rand(2, 2, 8, 8), torch.ones(2, 2, 8, 8)
    even = loss(predicted, target, known)
    torch.testing.assert_close(loss(predicted, target, known, torch.ones(2)), even)
    worse = predicted.clone()
    worse[:, 1] += 1

    def cost(importance: list[float]) -> float:
        weights = torch.tensor(importance)
        return float(loss(worse, target, known, weights) - loss(predicted, target, known, weights))

    assert cost([1.0, 4.0]) > 2 * cost([1.0, 1.0])


@pytest.mark.parametrize("shape", [(1, 96, 96), (1, 4, 96, 96)])
def test_another_transfer_function_changes_detail_and_neither_mean_nor_spread(shape: tuple[int, ...]) -> None:
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 3
    found = [transferred(image, np.random.default_rng(seed)) for seed in range(8)]
    assert torch.equal(found[0], transferred(image, np.random.default_rng(0)))
    for one in found:
        assert one.shape == image.shape
        assert float(one.mean()) == pytest.approx(3, abs=0.05)
        assert float(one.std()) == pytest.approx(float(image.std()), rel=0.02)
        assert float((one - image).std()) > 0.05
    likeness = [float(torch.corrcoef(torch.stack([one.flatten(), image.flatten()]))[0, 1]) for one in found]
    assert min(likeness) < 0.7  # where fine detail turned
    assert max(likeness) > 0.9


def test_planes_are_seen_through_one_transfer_function() -> None:
    plane = torch.randn((1, 1, 96, 96), generator=torch.Generator().manual_seed(0))
    found = transferred(plane.expand(1, 4, 96, 96).contiguous(), np.random.default_rng(3))
    torch.testing.assert_close(found[:, :1].expand_as(found), found)


def test_a_field_of_one_brightness_stays_so() -> None:
    flat = torch.full((1, 16, 16), 2.0)
    torch.testing.assert_close(transferred(flat, np.random.default_rng(0)), flat)
