"""Are a model's promises kept? Sets of classes, false alarms, what twice the photos bring, rare classes.

Heads are fitted on the packaged network's features of photos drawn at random, and judged on all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from fastclf.head import LinearHead, even_out, fit_head, fit_head_by_cross_validation, measure_learning_curve
from fastclf.metrics import (
    SET_COVERAGE,
    choose_temperature,
    compute_log_loss,
    compute_softmax,
    find_set_threshold,
    measure_sets,
    wilson_interval,
)
from fastclf.model import JointDetector

from .harness import Bench, Table, for_each_folder, tell
from .transfer import RATE, read

DATA = "folders with one sub-folder per class"
SPLITS, CURVES = 10, 12
THINNED = (70, 70, 20, 20, 7, 7)
HALVES = (10, 20, 35)

Array = np.ndarray


def fit(features: Array, targets: Array, seed: int) -> LinearHead:
    """Fit a head as training does; no two photos are copies."""
    return fit_head_by_cross_validation(features, targets, [str(i) for i in range(len(targets))], seed=seed)


def keep_promises(bench: Bench, folder: Path) -> list[Table]:
    """Ten splits of 60, 20 and 20 %: what was set on the second part, counted on the third."""
    features, labels = read(bench, folder)
    targets, rows, all_rows = np.unique(labels, return_inverse=True)[1], [], []
    for seed in range(bench.count(SPLITS)):
        order = np.random.default_rng(seed).permutation(len(targets))
        train, valid, test = np.split(order, [int(0.6 * len(order)), int(0.8 * len(order))])
        head = fit(features[train], targets[train], seed)
        temperature = choose_temperature(head.compute_logits(features[valid]), targets[valid])
        probs = compute_softmax(head.compute_logits(features), temperature)
        threshold = find_set_threshold(probs[valid], targets[valid]) or 0.0
        sets = measure_sets(probs[test], targets[test], threshold)
        detector = JointDetector.fit(
            features[train], features[valid], targets[train], (head.weight, head.bias)
        )
        alarms = int(detector.is_unfamiliar(detector.ood_score(features[test])).sum())
        low, high = wilson_interval(alarms, len(test))
        all_rows.append([sets["covered"], sets["size"], alarms / len(test), probs.shape[1]])
        inside = sets["interval"][0] <= SET_COVERAGE <= sets["interval"][1], low <= RATE <= high
        told = [f"{sets['covered']:.1%}", _say(inside[0]), f"{sets['size']:.2f}", f"{sets['single']:.0%}"]
        rows.append([str(seed), *told, f"{alarms / len(test):.1%}", _say(inside[1])])
    mean = np.mean(all_rows, 0)
    rows.append(["mean", f"{mean[0]:.1%}", "", f"{mean[1]:.2f}", "", f"{mean[2]:.1%}", ""])
    heads = ["split", "sets hold the class (95 %)", "in its interval", "classes", "one alone"]
    heads += ["called unfamiliar (5 %)", "in its interval"]
    return [Table(f"{folder.name}, {len(test)} photos set apart", heads, rows, all_rows)]


def _say(kept: bool) -> str:
    return "yes" if kept else "**no**"


def double(bench: Bench, folder: Path) -> list[Table]:
    """What was expected of twice the photos, beside what they brought on all other photos."""
    features, labels = read(bench, folder)
    targets, rows, numbers = np.unique(labels, return_inverse=True)[1], [], {}
    for n in HALVES:
        tell(f"  {n} a class")
        found = [
            one
            for s in range(bench.count(CURVES))
            if (one := _double_once(features, targets, n, s)) is not None
        ]
        told = np.array([one for one in found if one[0]], float)
        now, then, true, inside = told[:, 1:].mean(0) if len(told) else [np.nan] * 4
        rows.append([
            f"{n} → {2 * n}", f"{len(told)} of {len(found)}", f"{now:.3f}", f"{then:.3f}", f"{true:.3f}",
            f"{inside * len(told):.0f} of {len(told)}",
        ])  # fmt: skip
        numbers[n] = found
    heads = ["a class", "the curve tells", "validation", "expected", "on all others", "inside the interval"]
    return [Table(f"{folder.name}: accuracy with twice the photos", heads, rows, numbers)]


def _double_once(
    features: Array, targets: Array, n: int, seed: int
) -> tuple[bool, float, float, float, bool] | None:
    rng = np.random.default_rng(seed)
    by_class = [rng.permutation(np.flatnonzero(targets == k)) for k in np.unique(targets)]
    judges = max(4, round(n * 2 / 7))
    train, twice = (np.concatenate([rows[:m] for rows in by_class]) for m in (n, 2 * n))
    valid = np.concatenate([rows[2 * n : 2 * n + judges] for rows in by_class])
    others = np.concatenate([rows[2 * n :] for rows in by_class])
    head = fit(features[train], targets[train], seed)
    parts = [(features[rows], targets[rows]) for rows in (train, valid)]
    curve = measure_learning_curve(*parts, head, [str(k) for k in np.unique(targets)], seed=seed)
    if curve is None:
        return None
    now, (then, low, high) = curve.points[-1][1], curve.doubled or (np.nan, np.nan, np.nan)
    larger = fit_head(features[twice], targets[twice], head.C)
    true = float((larger.compute_logits(features[others]).argmax(1) == targets[others]).mean())
    return curve.doubled is not None, now, then, true, bool(low <= true <= high)


def balance(bench: Bench, folder: Path) -> list[Table]:
    """Classes thinned to 70, 70, 20, 20, 7 and 7 photos: balanced accuracy, and accuracy by shares."""
    features, labels = read(bench, folder)
    found: dict[str, list[list[float]]] = {}
    targets = np.unique(labels, return_inverse=True)[1]
    for seed in range(2 * bench.repeats):
        rng = np.random.default_rng(seed)
        sizes = rng.permutation(np.resize(THINNED, targets.max() + 1))
        drawn = [rng.permutation(np.flatnonzero(targets == k)) for k in range(targets.max() + 1)]
        train = np.concatenate([rows[:n] for rows, n in zip(drawn, sizes, strict=True)])
        test = np.concatenate([rows[70:100] for rows in drawn])
        head = fit(features[train], targets[train], seed)
        weighted = _fit_weighted(features[train], targets[train], head.C)
        shares = np.log(sizes / sizes.mean())
        ways = {
            "nothing": head.compute_logits(features[test]),
            "weights in the loss": weighted(features[test]),
            "... and the classes' shares restored": weighted(features[test]) + shares,
            "**evened out, as fastclf does it**": even_out(head, targets[train], "auto").compute_logits(
                features[test]
            ),
        }
        for name, logits in ways.items():
            found.setdefault(name, []).append(_judge(logits, targets[test], sizes / sizes.sum()))
    rows = [[name, *(f"{v:.3f}" for v in np.mean(values, 0))] for name, values in found.items()]
    heads = [
        "way",
        "balanced accuracy",
        "balanced log loss",
        "accuracy by the classes' shares",
        "log loss by them",
    ]
    heads.append("least recall")
    return [Table(f"{folder.name} thinned, {2 * bench.repeats} draws", heads, rows, found)]


def _fit_weighted(features: Array, targets: Array, strength: float) -> Any:
    """Return logits of scikit-learn's balanced regression, on features scaled as ours are."""
    mean, usual = features.mean(0), features.std()
    scale = np.maximum(features.std(0), 0.3 * usual)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    model.fit((features - mean) / scale, targets)
    return lambda x: model.decision_function((x - mean) / scale)


def _judge(logits: Array, targets: Array, shares: Array) -> list[float]:
    probs = compute_softmax(logits)
    right = probs.argmax(1) == targets
    recalls = np.array([right[targets == k].mean() for k in range(len(shares))])
    losses = [compute_log_loss(probs[targets == k], targets[targets == k]) for k in range(len(shares))]
    return [
        recalls.mean(),
        float(np.mean(losses)),
        float(recalls @ shares),
        float(losses @ shares),
        recalls.min(),
    ]


PARTS = {
    "promises": for_each_folder(keep_promises),
    "double": for_each_folder(double),
    "balance": for_each_folder(balance),
}
