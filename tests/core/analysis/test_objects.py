"""Objects of known size and place: balls and squares drawn by formula."""

import csv
import io

import numpy as np
import pytest

from labelfree_core.analysis.matching import match, with_status
from labelfree_core.analysis.objects import find_objects, label, table, to_csv
from labelfree_core.errors import ImageError

SIZE_UM = (0.5, 0.25, 0.25)


def ball(
    centre: tuple[int, int, int], radius: int, shape: tuple[int, int, int] = (24, 80, 100)
) -> np.ndarray:
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) <= radius**2


def square(y: int, x: int, side: int = 10) -> np.ndarray:
    plane = np.zeros((60, 60), bool)
    plane[y : y + side, x : x + side] = True
    return plane


def test_volume_and_centroid_are_in_micrometres() -> None:
    (row,) = table(label(ball((12, 40, 30), 9)), voxel_size_um=SIZE_UM)
    assert row.size == pytest.approx(4 / 3 * np.pi * 9**3 * 0.5 * 0.25 * 0.25, rel=0.02)
    assert row.centroid_um == pytest.approx((6.0, 10.0, 7.5))
    assert row.centroid_px == pytest.approx((12, 40, 30))


def test_without_a_voxel_size_the_table_is_in_voxels() -> None:
    rows = table(label(square(5, 5)))
    assert (rows[0].size, rows[0].centroid_um) == (100, None)
    assert to_csv(rows, axes="YX").startswith("label,size_voxels,voxels,centroid_y_px,centroid_x_px")


def test_channels_are_averaged_in_each_object() -> None:
    inside = square(5, 5) | square(30, 30)
    image = np.where(square(5, 5), 100.0, 7.0)
    rows = table(label(inside), channels={"DNA": image})
    assert [row.mean["DNA"] for row in rows] == [100, 7]


def test_a_watershed_cuts_touching_balls() -> None:
    touching = ball((12, 20, 20), 8) | ball((12, 20, 34), 8)
    assert label(touching).max() == 1
    cut = label(touching, method="watershed", voxel_size_um=(1, 1, 1))
    assert cut.max() == 2
    assert (cut[12, 20, 20], cut[12, 20, 34]) in ((1, 2), (2, 1))
    np.testing.assert_array_equal(cut > 0, touching)


def test_a_watershed_leaves_one_ball_whole() -> None:
    assert label(ball((12, 40, 40), 10), method="watershed", voxel_size_um=(1, 1, 1)).max() == 1


def test_a_watershed_leaves_a_ball_with_holes_from_noise_whole() -> None:
    inside = ball((12, 40, 40), 10)
    noisy = inside & (np.random.default_rng(0).random(inside.shape) > 0.1)
    sizes = {"voxel_size_um": (0.5, 0.5, 0.5), "min_voxels": 50}
    assert label(noisy, method="watershed", **sizes).max() == 1
    assert label(noisy, method="watershed", waist_um=0.05, **sizes).max() > 1


def test_a_watershed_keeps_an_object_that_is_too_flat_to_stand_out() -> None:
    flat = np.zeros((1, 20, 20), bool)
    flat[0, 5:7, 3:18] = True
    assert label(flat, method="watershed", voxel_size_um=(0.3, 0.3, 0.3)).max() == 1


def test_specks_are_dropped_and_numbers_have_no_gaps() -> None:
    inside = square(5, 5) | square(30, 30) | square(20, 20, side=2)
    assert np.unique(label(inside)).tolist() == [0, 1, 2]


def test_corners_do_not_touch() -> None:
    assert label(square(5, 5) | square(15, 15)).max() == 2


def test_matched_missed_and_extra_at_half_overlap() -> None:
    observed = label(square(5, 5) | square(30, 5) | square(30, 30))
    # the first shifted by 3 (IoU 70/130), the second by 4 (IoU 60/140), the third gone, one new
    predicted = label(square(5, 8) | square(30, 9) | square(45, 45))
    found = match(observed, predicted)
    assert found.pairs == {1: (1, pytest.approx(70 / 130))}
    assert found.missed == (2, 3)
    assert found.extra == (2, 3)
    assert found.f1 == pytest.approx(2 / 6)


def test_rows_carry_their_status_and_best_partner() -> None:
    observed, predicted = label(square(5, 5) | square(30, 30)), label(square(5, 5) | square(30, 36))
    found = match(observed, predicted)
    rows = with_status(table(observed), found, observed=True)
    assert [(row.status, row.partner) for row in rows] == [("matched", 1), ("missed", 2)]
    assert rows[1].iou == pytest.approx(40 / 160)
    assert [row.status for row in with_status(table(predicted), found, observed=False)] == [
        "matched",
        "extra",
    ]


def test_the_csv_has_one_line_an_object() -> None:
    rows = table(
        label(ball((12, 40, 30), 9)), voxel_size_um=SIZE_UM, channels={"DNA": np.ones((24, 80, 100))}
    )
    (line,) = csv.DictReader(io.StringIO(to_csv(rows, axes="ZYX")))
    assert float(line["volume_um3"]) == pytest.approx(rows[0].size, rel=1e-5)
    assert float(line["centroid_z_um"]) == pytest.approx(6)
    assert line["mean_DNA"] == "1"


def test_an_image_without_objects_has_an_empty_table() -> None:
    assert table(label(np.zeros((5, 5), bool))) == ()
    assert to_csv((), axes="YX").count("\n") == 1


def test_label_images_are_used_as_they_are() -> None:
    labels = (square(5, 5) * 1 + square(15, 5) * 2 + square(30, 30) * 70_000_000).astype(np.int32)
    assert np.unique(find_objects(labels)).tolist() == [0, 1, 2, 3]


def test_labels_that_were_resampled_like_an_image_lose_their_rims() -> None:
    from scipy.ndimage import zoom

    labels = square(5, 5, 16) * 10 + square(21, 5, 16) * 200 + square(40, 40, 16) * 90
    blurred = np.clip(np.round(zoom(labels.astype(float), 3, order=1)), 0, 255).astype(np.uint8)
    assert len(np.unique(blurred)) > 10
    found = find_objects(blurred)
    assert found.max() == 3
    np.testing.assert_array_equal(found > 0, blurred > 0)


def test_a_stain_on_a_black_background_is_no_label_image() -> None:
    image = np.random.default_rng(1).integers(1000, 4000, (60, 60)) * square(5, 5, 20)
    assert find_objects(image.astype(np.uint16)).max() == 1


def test_masks_that_are_not_black_and_images_are_thresholded() -> None:
    assert find_objects((square(5, 5) * 255).astype(np.uint8)).max() == 1
    image = np.random.default_rng(0).normal(100, 5, (60, 60)) + 200 * square(5, 5)
    assert find_objects(np.clip(image, 0, None).astype(np.uint16)).max() == 1


def test_objects_on_different_grids_are_refused() -> None:
    with pytest.raises(ImageError, match="one grid"):
        match(np.zeros((3, 3), int), np.zeros((3, 4), int))
    with pytest.raises(ImageError, match="channel DNA"):
        table(label(square(5, 5)), channels={"DNA": np.zeros((3, 3))})


def test_an_unknown_method_is_a_bug() -> None:
    with pytest.raises(ValueError, match="'connected' or 'watershed'"):
        label(square(5, 5), method="magic")
