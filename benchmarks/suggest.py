"""How many labels it takes to be as right as with photos drawn at random, where `fastclf suggest` chooses.

Each draw holds three tenths of the photos for the test, labels a few of each class, and goes on in rounds of
twenty from the same start, chosen or drawn. It looks at the sealed test photos: use copies.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from fastclf.head import fit_head
from fastclf.metrics import choose_next, compute_softmax

from .drift import Ground, read_grounds
from .harness import Bench, Table, judge, tell

DATA = "MODEL=FOLDER for each model: the bundle, whose body is frozen, and the photos that it was trained on"
Array = Any
STEP, ROUNDS, START, STRENGTH = 20, 10, 3, 0.3
SHOWN = (2, 5, 7, ROUNDS)
Choose = Callable[[Array, Array, Array, np.random.Generator], Array]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the number of draws."""
    parser.add_argument("--draws", type=int, default=5, help="draws of test photos and start (default 5)")


def _choose(features: Array, probs: Array, labelled: Array, rng: np.random.Generator) -> Array:
    return choose_next(features, probs, STEP, labelled=labelled)


def _cluster(features: Array, probs: Array, labelled: Array, rng: np.random.Generator) -> Array:
    return choose_next(features, probs, STEP)


def _doubt(features: Array, probs: Array, labelled: Array, rng: np.random.Generator) -> Array:
    ranked = np.sort(probs, 1)
    return np.argsort(ranked[:, -1] - ranked[:, -2])[:STEP]


def _draw(features: Array, probs: Array, labelled: Array, rng: np.random.Generator) -> Array:
    return rng.permutation(len(probs))[:STEP]


WAYS: dict[str, Choose] = {
    "random": _draw,
    "doubt alone": _doubt,
    "clusters alone": _cluster,
    "suggest": _choose,
}


def measure_labels(bench: Bench) -> list[Table]:
    """Follow accuracy while photos are labelled in each way; find the labels that random choice needs."""
    body, numbers = [], []
    for ground in read_grounds(bench):
        curves: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        for draw in range(bench.count(bench.options.draws)):
            for way, choose in WAYS.items():
                curves[way].append(_follow(ground, choose, draw))
            tell(f"{ground.name}: draw {draw + 1}")
        start = START * ground.classes
        labels = [start + STEP * i for i in range(ROUNDS + 1)]
        means = {way: np.mean(curve, 0) for way, curve in curves.items()}
        for way in ("doubt alone", "clusters alone", "suggest"):
            ratios = find_ratios(labels, means["random"], means[way])
            right = [f"{100 * means['random'][i]:.1f} / {100 * means[way][i]:.1f}" for i in SHOWN]
            needed = [_write_ratio(ratios[i - 1]) for i in SHOWN]
            met = judge(ratios[SHOWN[-1] - 1] <= 0.75 and max(ratios) <= 1, "≤ 0.75 ×, never more")
            worst = max(ratio for ratio in ratios if ratio < np.inf)
            verdict = met if way == "suggest" else "-"
            body.append([ground.name, way, *right, *needed, f"{worst:.2f} ×", verdict])
        numbers.append({"folder": ground.name, "labels": labels, "curves": curves})
    after = [f"after {STEP * i} more" for i in SHOWN]
    heads = [
        "folder",
        "way",
        *(f"% right {one}: random / this" for one in after),
        *(f"labels for random's accuracy {one}" for one in after),
        "worst on the way",
        "verdict",
    ]
    return [Table("Labels needed", heads, body, numbers)]


def _write_ratio(ratio: float) -> str:
    return f"{ratio:.2f} ×" if ratio < np.inf else "not reached"


def find_ratios(labels: list[int], random: Array, way: Array) -> list[float]:
    """Return for each of random's accuracies the labels that the way needs for it, in parts of random's.

    Both curves are made to rise, since a single round's accuracy goes up and down; between rounds is a line.
    """
    a, b = np.maximum.accumulate(random), np.maximum.accumulate(way)
    found = []
    for count, right in zip(labels[1:], a[1:], strict=True):
        first = next((count for count, value in zip(labels, a, strict=True) if value >= right), count)
        reach = np.flatnonzero(b >= right)
        if not len(reach):
            found.append(float("inf"))
            continue
        i = int(reach[0])
        part = 1.0 if i == 0 else (right - b[i - 1]) / (b[i] - b[i - 1])
        needed = labels[i] if i == 0 else labels[i - 1] + part * (labels[i] - labels[i - 1])
        found.append(float(needed / first))
    return found


def _follow(ground: Ground, choose: Choose, draw: int) -> list[float]:
    rng = np.random.default_rng(draw)
    order = rng.permutation(len(ground.features))
    test, rest = np.split(order, [3 * len(order) // 10])
    labelled = np.concatenate([rest[ground.targets[rest] == k][:START] for k in range(ground.classes)])
    right = []
    for _ in range(ROUNDS + 1):
        head = fit_head(ground.features[labelled], ground.targets[labelled], STRENGTH, exactly=False)
        right.append(
            float((head.compute_logits(ground.features[test]).argmax(1) == ground.targets[test]).mean())
        )
        pool = np.setdiff1d(rest, labelled)
        probs = compute_softmax(head.compute_logits(ground.features[pool]))
        labelled = np.concatenate(
            [labelled, pool[choose(ground.features[pool], probs, ground.features[labelled], rng)]]
        )
    return right


PARTS = {"labels": measure_labels}
