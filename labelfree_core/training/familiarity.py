"""Fit and test a model's familiarity: training fields against altered copies and other images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from labelfree_core.analysis.familiarity import Familiarity
from labelfree_core.analysis.texture import Features, texture
from labelfree_core.images.intensity import standardise
from labelfree_core.training.alterations import ALTERATIONS, Image, blur, zoom

Described = dict[str, list[Features]]
Raw = tuple[float, float]
Table = dict[str, dict[str, float]]
MEMBERS, HIDDEN = 4, 16
STEPS = 150
BATCH = 256
FOLDS, SPLITS = 5, 4
FALSE_ALARMS = 0.05
KNOWN, NEARLY = "as it is", "nearly as it is"


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """
    One training field, or a part of one, as :func:`~labelfree_core.analysis.familiarity.look` gives it.

    *group* names what must not be split (an experiment).
    """

    name: str
    group: str
    voxels: Image


def describe(fields: Sequence[Field], *, seed: int = 0) -> Described:
    """
    Return the texture of every field (``"as it is"``) and of its altered copies, by kind.

    An alteration is standardised again, as a prediction would do with such a file. Copies ``"nearly as it
    is"`` are what a good image of the same microscope may also look like: a little blur, another scale.
    """
    rng = np.random.default_rng(seed)
    described: Described = {KNOWN: [], NEARLY: []}
    for field in fields:
        voxels = field.voxels
        described[KNOWN].append(texture(voxels))
        mild = (blur(voxels, rng.uniform(0.3, 0.7)), zoom(voxels, rng.uniform(0.92, 1.08)))
        described[NEARLY].append(np.concatenate([texture(standardise(v)) for v in mild]))
        for kind, alter in ALTERATIONS.items():
            described.setdefault(kind, []).append(texture(standardise(alter(voxels, rng))))
    return described


def fit(
    familiar: Sequence[Features], strange: Mapping[str, Sequence[Features]], *, seed: int = 0
) -> Familiarity:
    """
    Fit a familiarity; its border is that of its own fields until :func:`bordered` moves it.

    Parameters
    ----------
    familiar : list of arrays, shape (patches, F)
        Texture of training fields, one array a field.
    strange : dict of str to list of arrays
        Texture of images the model was never made for, by kind; every kind counts the same, and every
        image within a kind.
    seed : int
        Of the small networks.
    """
    inside = np.concatenate(familiar)
    centre = np.median(inside, axis=0)
    scale = 1.4826 * np.median(np.abs(inside - centre), axis=0) + 0.02
    z_inside = np.clip((inside - centre) / scale, -8, 8)
    covariance = np.cov(z_inside.T)
    shrunk = 0.8 * covariance + 0.2 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weight = [np.full(len(f), 0.5 / len(familiar) / len(f)) for f in familiar]
    outside, kinds = [], [images for images in strange.values() if len(images)]
    for images in kinds:
        for image in images:
            outside.append(np.clip((image - centre) / scale, -8, 8))
            weight.append(np.full(len(image), 0.5 / len(kinds) / len(images) / len(image)))
    layers = _separate(z_inside, np.concatenate(outside), np.concatenate(weight), seed)
    fitted = Familiarity(
        centre, scale, *layers, np.linalg.inv(shrunk), np.array([0.0, 1.0, 1.0, 1.0]), len(familiar)
    )
    return bordered(fitted, [fitted.raw(f) for f in familiar])


def bordered(fitted: Familiarity, left_out: Sequence[Raw]) -> Familiarity:
    """
    Return the same fit with its border where 5 % of left-out fields cross it.

    Parameters
    ----------
    fitted : Familiarity
    left_out : list of (network score, distance)
        Of fields, each given by a fit that did not see it.
    """
    return replace(fitted, knots=np.array(_knots(left_out)))


def _knots(left_out: Sequence[Raw]) -> list[float]:
    raw = np.array(left_out)
    width = [max(_width(raw[:, 0]), 1.0), _width(raw[:, 1])]
    border = [float(np.percentile(column, 95)) for column in raw.T]
    beyond = np.sort(((raw - border) / width).max(axis=1))
    # Either score alone would raise 5 % of alarms; together they shall. The rank is that of conformal
    # prediction (Papadopoulos et al. 2002), so that it also holds for a new field, however few there are.
    rank = math.ceil((1 - FALSE_ALARMS) * (len(beyond) + 1))
    move = float(beyond[min(rank, len(beyond)) - 1]) + 1e-9
    return [border[0] + move * width[0], width[0], border[1] + move * width[1], width[1]]


def _width(scores: npt.NDArray[np.float64]) -> float:
    return float(np.percentile(scores, 95) - np.median(scores)) + 1e-3


def _separate(
    inside: Features, outside: Features, weight: npt.NDArray[np.float64], seed: int
) -> tuple[Features, Features, Features, Features]:
    """
    Train a few networks of one hidden layer to tell *outside* (1) from *inside* (0).

    Their mean is one network with a wider hidden layer, and that is what is returned.
    """
    x = torch.tensor(np.concatenate([inside, outside]), dtype=torch.float32)
    y = torch.cat([torch.zeros(len(inside)), torch.ones(len(outside))])
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(MEMBERS, x.shape[1], HIDDEN, generator=generator) / x.shape[1] ** 0.5
    out = torch.randn(MEMBERS, HIDDEN, 1, generator=generator) / HIDDEN**0.5
    layers = [hidden, torch.zeros(MEMBERS, 1, HIDDEN), out, torch.zeros(MEMBERS, 1, 1)]
    for layer in layers:
        layer.requires_grad_(True)
    optimiser = torch.optim.AdamW(layers, lr=1e-2, weight_decay=0.1)
    chance = torch.tensor(weight, dtype=torch.float32)
    drawn = torch.multinomial(chance, STEPS * MEMBERS * BATCH, replacement=True, generator=generator)
    for rows in drawn.view(STEPS, MEMBERS, BATCH):
        optimiser.zero_grad()
        score = torch.relu(x[rows] @ layers[0] + layers[1]) @ layers[2] + layers[3]
        torch.nn.functional.binary_cross_entropy_with_logits(score[..., 0], y[rows]).backward()
        optimiser.step()
    first, second, third, fourth = (layer.detach().numpy().astype(np.float64) for layer in layers)
    features = first.transpose(1, 0, 2).reshape(x.shape[1], -1)
    return features, second.ravel(), third.ravel() / MEMBERS, fourth.mean(axis=0).ravel()


def cross_validate(
    fields: Sequence[Field],
    others: Mapping[str, Sequence[Features]],
    *,
    described: Described | None = None,
    folds: int = FOLDS,
    scored: bool = True,
) -> tuple[Familiarity, Table]:
    """
    Fit on all *fields*; score on fields and kinds of strangeness that the scoring fit never saw.

    Twice: with the kind of alteration among those seen (on other fields), and with that kind left out.
    The border that a group of fields is held against comes from the other groups. All that for several random
    splits into folds, whose scores are pooled: one split alone says too little where fields are few.

    Parameters
    ----------
    fields : list of Field
    others : dict of str to list of arrays
        Texture of other images by kind (``"photographs"``, ``"phase contrast"`` ...).
    described : dict, optional
        What :func:`describe` gave for *fields*.
    folds : int
    scored : bool
        Whether to score every kind, which takes ten times as long; else the table holds false alarms only.

    Returns
    -------
    fitted : Familiarity
        Fitted on everything, its border from the left-out fields.
    table : dict of kind to dict
        ``auroc``, ``auroc_unseen_kind``, ``caught`` (share beyond the border), ``caught_unseen_kind`` and
        ``n`` (images) for each kind, and ``"as it is"`` with the share of false alarms.
    """
    described = describe(fields) if described is None else described
    splits = _splits([field.group for field in fields], folds)
    whole = fit(described[KNOWN] + described[NEARLY], _outside(described, others, skip=""))
    raw = [_left_out_scores(described, others, split, skip="") for split in splits]
    left_out = [score for scores in raw for _, score in scores[KNOWN]]
    fitted = replace(bordered(whole, left_out), fields=len(fields))
    strange = _strangeness(raw, splits)
    near = strange[KNOWN]
    table = {KNOWN: {"false_alarms": float(np.mean(np.array(near) > 1)), "n": float(len(fields))}}
    for kind in [*ALTERATIONS, *others] if scored else []:
        unseen = [_left_out_scores(described, others, split, skip=kind) for split in splits]
        blind = _strangeness(unseen, splits)
        table[kind] = {
            "auroc": _auroc(near, strange[kind]),
            "auroc_unseen_kind": _auroc(blind[KNOWN], blind[kind]),
            "caught": float(np.mean(np.array(strange[kind]) > 1)),
            "caught_unseen_kind": float(np.mean(np.array(blind[kind]) > 1)),
            "n": float(len(described.get(kind) or others[kind])),
        }
    return fitted, table


def _splits(groups: Sequence[str], folds: int) -> list[list[int]]:
    """Fold of every field, several times anew: which groups are left out together decides a lot."""
    names = sorted(set(groups))
    drawn = [np.random.default_rng(seed).permutation(len(names)) for seed in range(SPLITS)]
    each_alone = folds >= len(names)
    folded = [{name: int(at) % folds for name, at in zip(names, order, strict=True)} for order in drawn]
    return [[fold_of[group] for group in groups] for fold_of in folded[: 1 if each_alone else SPLITS]]


def _auroc(near: Sequence[float], far: Sequence[float]) -> float:
    a, b = np.array(near), np.array(far)[:, None]
    return float(np.mean((b > a) + 0.5 * (b == a)))


def _strangeness(
    scores: Sequence[Mapping[str, Sequence[tuple[int, Raw]]]], splits: Sequence[Sequence[int]]
) -> dict[str, list[float]]:
    """Hold every score against the border that the left-out fields outside of its fold give."""
    known: list[tuple[int, Raw]] = []
    for raw, split in zip(scores, splits, strict=True):
        by_fold = sorted(range(len(split)), key=lambda at: split[at])  # the order of the scores
        known += [(field, score) for field, (_, score) in zip(by_fold, raw[KNOWN], strict=True)]
    found: dict[str, list[float]] = {kind: [] for kind in scores[0]}
    for raw, split in zip(scores, splits, strict=True):
        knots = {}
        for fold in set(split):
            rest = [score for field, score in known if split[field] != fold]
            knots[fold] = _knots(rest or [score for _, score in known])
        for kind, judged in raw.items():
            for fold, (network, distance) in judged:
                border, width, far, far_width = knots[fold]
                over = max((network - border) / width, (distance - far) / far_width)
                found[kind].append(max(1 + over, 0.0))
    return found


def _outside(
    described: Described, others: Mapping[str, Sequence[Features]], *, skip: str
) -> dict[str, Sequence[Features]]:
    known = {kind: described[kind] for kind in ALTERATIONS}
    return {kind: images for kind, images in {**known, **others}.items() if kind != skip}


def _left_out_scores(
    described: Described, others: Mapping[str, Sequence[Features]], split: Sequence[int], *, skip: str
) -> dict[str, list[tuple[int, Raw]]]:
    """
    Fold and raw scores by kind, each field and its altered copies judged by a fit that did not see them.

    The images of *others* are halved: each half is judged by fits that saw only the other half.
    """
    wanted = [KNOWN, *ALTERATIONS, *others] if not skip else [KNOWN, skip]
    raw: dict[str, list[tuple[int, Raw]]] = {kind: [] for kind in wanted}
    for fold in sorted(set(split)):
        left = [i for i, own in enumerate(split) if own == fold]
        kept = [i for i, own in enumerate(split) if own != fold] or left
        partial = {kind: [images[i] for i in kept] for kind, images in described.items()}
        seen = {kind: images[fold % 2 :: 2] for kind, images in others.items()}
        judge = fit(partial[KNOWN] + partial[NEARLY], _outside(partial, seen, skip=skip))
        for kind in wanted:
            images = others[kind][1 - fold % 2 :: 2] if kind in others else [described[kind][i] for i in left]
            raw[kind] += [(fold, judge.raw(image)) for image in images]
    return raw
