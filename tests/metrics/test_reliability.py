"""Intervals, reliability, coverage and sureness against hand-made truth."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.metrics import compute_metrics, wilson_interval
from fastclf.metrics.reliability import compute_coverage, compute_ece, compute_reliability, find_sure


def sure_of(confidences: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two-class probabilities whose answers are all class 0, and targets that make them right or wrong."""
    top = np.array(confidences)
    return np.stack([top, 1 - top], 1), np.where(right, 0, 1)


@pytest.fixture
def answers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    probs = rng.dirichlet(np.ones(3) * 0.5, 500)
    return probs, np.array([rng.choice(3, p=p) for p in probs])


def test_wilson_interval_of_extremes_stays_inside() -> None:
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10) == (pytest.approx(0.722, abs=1e-3), 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_reliability_of_a_known_case() -> None:
    probs, targets = sure_of([0.91, 0.93, 0.52, 1.0], [True, False, True, True])
    # fifteen bins: 0.91 and 0.93 share [0.867, 0.933), 1.0 belongs to the last one
    assert compute_reliability(probs, targets) == [
        (pytest.approx(0.52), 1.0, 1),
        (pytest.approx(0.92), 0.5, 2),
        (1.0, 1.0, 1),
    ]
    assert compute_ece(probs, targets) == pytest.approx((0.48 + 2 * 0.42) / 4)


def test_the_bins_hold_all_photos_and_give_the_ece(answers: tuple[np.ndarray, np.ndarray]) -> None:
    probs, targets = answers
    curve = compute_reliability(probs, targets)
    assert sum(n for _, _, n in curve) == 500
    assert all(n > 0 for _, _, n in curve)
    gaps = sum(n * abs(confidence - right) for confidence, right, n in curve) / 500
    assert compute_ece(probs, targets) == pytest.approx(gaps)


def test_coverage_of_a_known_case_keeps_equal_confidences_together() -> None:
    probs, targets = sure_of([0.9, 0.8, 0.8, 0.6], [True, True, False, False])
    assert compute_coverage(probs, targets) == [
        (0.25, 0.9, 1.0, 1),
        (0.75, 0.8, pytest.approx(2 / 3), 3),
        (1.0, 0.6, 0.5, 4),
    ]


def test_coverage_has_at_most_21_points_and_ends_with_all(answers: tuple[np.ndarray, np.ndarray]) -> None:
    probs, targets = answers
    points = compute_coverage(probs, targets)
    assert len(points) == 21
    shares = [share for share, *_ in points]
    assert shares == sorted(shares)
    assert points[-1][0] == 1.0
    assert points[-1][2] == pytest.approx((probs.argmax(1) == targets).mean())
    for share, threshold, accuracy, n in points:
        kept = probs.max(1) >= threshold
        assert (share, n) == (kept.mean(), kept.sum())
        assert accuracy == pytest.approx((probs.argmax(1) == targets)[kept].mean())


def test_sure_is_the_widest_threshold_with_half_the_errors() -> None:
    # 60 right above 0.85, ten of which half are right at 0.7, ten wrong at 0.55: accuracy 65/80
    probs, targets = sure_of([0.855] * 60 + [0.705] * 10 + [0.555] * 10, [True] * 65 + [False] * 15)
    sure = find_sure(probs, targets)
    assert sure is not None
    # all above 0.7: 65 of 70 is less than 95 %, so only the first sixty count
    assert sure["threshold"] == 0.71
    assert (sure["n"], sure["coverage"], sure["accuracy"]) == (60, 0.75, 1.0)
    assert sure["level"] == 0.95
    assert sure["interval"] == list(wilson_interval(60, 60))


def test_sure_asks_more_of_a_better_model() -> None:
    probs, targets = sure_of([0.995] * 190 + [0.6] * 10, [True] * 190 + [True] * 6 + [False] * 4)
    sure = find_sure(probs, targets)
    assert sure is not None
    assert sure["level"] == pytest.approx(0.99)
    assert sure["threshold"] == 0.61
    assert sure["n"] == 190


def test_nothing_is_sure_on_few_photos_or_wrong_ones() -> None:
    assert find_sure(*sure_of([0.99] * 19, [True] * 19)) is None
    assert find_sure(*sure_of([0.99] * 20, [True] * 20)) is not None
    assert find_sure(*sure_of([0.99] * 100, [True] * 90 + [False] * 10)) is None


def test_a_threshold_from_other_photos_is_only_applied() -> None:
    probs, targets = sure_of([0.9] * 4 + [0.6] * 4, [True, True, True, False] * 2)
    sure = find_sure(probs, targets, 0.8)
    assert sure is not None
    assert (sure["threshold"], sure["level"]) == (0.8, None)
    assert (sure["n"], sure["coverage"], sure["accuracy"]) == (4, 0.5, 0.75)
    assert find_sure(probs, targets, 0.95) is None
    assert compute_metrics(probs, targets, ["a", "b"], sure_threshold=0.8)["sure"] == sure
