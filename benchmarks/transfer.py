"""What a head on the packaged network's features is worth: by resize, size and strength; unfamiliar photos.

Photos are drawn at random, so many a class to learn from, all others to judge on; every figure is a mean over
the seeds.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from fastclf.backbone import open_packaged
from fastclf.catalog import Catalog
from fastclf.head import LinearHead, fit_head, fit_head_by_cross_validation
from fastclf.head.linear import STRENGTHS
from fastclf.metrics import compute_log_loss, compute_softmax
from fastclf.model import JointDetector, MahalanobisDetector
from fastclf.model.ood import find_threshold

from .harness import Bench, Table, for_each_folder, tell

DATA = "folders of photos; the part `unfamiliar` asks each about the others' photos"
A_CLASS = (10, 20, 50, 70)
WAYS = (
    ("published", 224), ("crop", 224), ("squish", 224), ("pad", 224), ("published", 160), ("published", 192),
    ("published", 256), ("published", 288),
)  # fmt: skip
RATE = 0.05

Array = np.ndarray


def read(bench: Bench, folder: Path, resize: str = "published", size: int = 224) -> tuple[Array, Array]:
    """Return (N, 1280) features of a folder's photos, and their labels."""
    return _read(bench.copy(folder), resize, size)


@cache
def _read(folder: Path, resize: str, size: int) -> tuple[Array, Array]:
    tell(f"  {folder.name}, {resize}, {size} px")
    body = open_packaged(size, resize)
    with Catalog(folder) as catalog:
        catalog.scan()
        photos = catalog.photos().without_conflicts().photos
        features = body.extract(catalog.feature_cache(body.features_id), photos)
    return features, np.array([photo.label for photo in photos])


def draw(labels: Array, a_class: int, seed: int) -> tuple[Array, Array]:
    """Return the rows to learn from, and the others."""
    rng = np.random.default_rng(seed)
    learned = [rng.permutation(np.flatnonzero(labels == name))[:a_class] for name in sorted(set(labels))]
    rows = np.concatenate(learned)
    return rows, np.setdiff1d(np.arange(len(labels)), rows)


def judge_head(
    features: Array, labels: Array, a_class: int, seed: int, strength: float | None
) -> list[float]:
    """Return accuracy and log loss of a head on the photos that it did not learn from."""
    train, test = draw(labels, a_class, seed)
    _, targets = np.unique(labels, return_inverse=True)
    if strength is None:
        head = fit_head_by_cross_validation(
            features[train], targets[train], [str(i) for i in train], seed=seed
        )
    else:
        head = fit_head(features[train], targets[train], strength)
    probs = compute_softmax(head.compute_logits(features[test].astype(np.float64)))
    return [float((probs.argmax(1) == targets[test]).mean()), compute_log_loss(probs, targets[test])]


def _tabulate(
    bench: Bench, title: str, first: str, rows: dict[str, Callable[[int, int], list[float]]]
) -> list[Any]:
    numbers = {
        name: {n: [judge(n, seed) for seed in range(bench.repeats)] for n in A_CLASS}
        for name, judge in rows.items()
    }
    cells = [
        [name, *("{:.3f} / {:.3f}".format(*np.mean(found[n], 0)) for n in A_CLASS)]
        for name, found in numbers.items()
    ]
    return [Table(title, [first, *(f"{n} a class" for n in A_CLASS)], cells, numbers)]


def measure_resize(bench: Bench, folder: Path) -> list[Any]:
    def way(resize: str, size: int) -> Callable[[int, int], list[float]]:
        return lambda n, seed: judge_head(*read(bench, folder, resize, size), n, seed, None)

    title = f"{folder.name}: accuracy / log loss of other photos, by resize and size"
    return _tabulate(bench, title, "resize, px", {f"{r} {s}": way(r, s) for r, s in WAYS})


def measure_strength(bench: Bench, folder: Path) -> list[Any]:
    def way(strength: float | None) -> Callable[[int, int], list[float]]:
        return lambda n, seed: judge_head(*read(bench, folder), n, seed, strength)

    rows = {f"{strength:g}": way(strength) for strength in STRENGTHS} | {"cross-validation": way(None)}
    return _tabulate(bench, f"{folder.name}: accuracy / log loss, by regularisation", "C", rows)


def _measure_energy(head: LinearHead, features: Array) -> Array:
    logits = head.compute_logits(features.astype(np.float64))
    return -np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) - logits.max(1)


def _build_scores(head: LinearHead, train: Array, valid: Array, targets: Array) -> dict[str, Any]:
    distance = MahalanobisDetector.fit(train, valid, targets)
    joint = JointDetector.fit(train, valid, targets, (head.weight, head.bias))
    units = train / np.linalg.norm(train, axis=1, keepdims=True)

    def near(features: Array) -> Array:
        return 1 - np.sort(features / np.linalg.norm(features, axis=1, keepdims=True) @ units.T, 1)[:, -5]

    return {
        "Mahalanobis, roots at length 1": distance.ood_score,
        "energy": lambda x: _measure_energy(head, x),
        "kNN cosine, k = 5": near,
        "**both, as fastclf does it**": joint.ood_score,
    }


def _leave_out(
    features: Array, labels: Array, seed: int
) -> Iterator[tuple[dict[str, Any], Array, Array, Array]]:
    """Yield scores of every two classes left out: the ways, validation, other and left-out photos."""
    for left in itertools.combinations(sorted(set(labels)), 2):
        inside = np.random.default_rng(seed).permutation(np.flatnonzero(~np.isin(labels, left)))
        train, valid, test = np.split(inside, [int(0.6 * len(inside)), int(0.8 * len(inside))])
        _, targets = np.unique(labels[train], return_inverse=True)
        head = fit_head(features[train], targets, 0.3)
        ways = _build_scores(head, features[train], features[valid], targets)
        yield ways, features[valid], features[test], features[np.isin(labels, left)]


def measure_unfamiliar(bench: Bench) -> list[Any]:
    """Two classes are left out at a time: are their photos told, and those of the other folders?"""
    numbers: dict[str, list[list[float]]] = defaultdict(list)
    folder, *others = bench.folders
    features, labels = read(bench, folder)
    far = np.concatenate([read(bench, other)[0] for other in others])
    for seed in range(bench.repeats):
        for ways, valid, own, near in _leave_out(features, labels, seed):
            for name, score in ways.items():
                limit, scores = find_threshold(score(valid), RATE), [score(x) for x in (own, near, far)]
                told = [
                    roc_auc_score(np.repeat([0, 1], [len(own), len(x)]), np.concatenate([scores[0], x]))
                    for x in scores[1:]
                ]
                numbers[name].append([*told, *(float((x > limit).mean()) for x in scores)])
    rows = [
        [name, *(f"{v:.3f}" for v in np.mean(found, 0)[:2]), *(f"{v:.1%}" for v in np.mean(found, 0)[2:])]
        for name, found in numbers.items()
    ]
    heads = ["way", "AUROC near", "AUROC far", "own called unfamiliar", "near", "far"]
    title = f"{folder.name}, two classes left out: near are their photos, far those of the other folders"
    return [Table(title, heads, rows, numbers)]


PARTS = {
    "resize": for_each_folder(measure_resize),
    "strength": for_each_folder(measure_strength),
    "unfamiliar": measure_unfamiliar,
}
