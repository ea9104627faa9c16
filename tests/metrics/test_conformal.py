"""Sets of classes hold the true one as often as stated, whatever the probabilities are worth."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.metrics import compute_softmax, find_set_threshold, find_sets, measure_sets


def _draw(rng: np.random.Generator, n: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a model that is right on about four of five photos and too sure, or too unsure."""
    targets = rng.integers(0, 4, n)
    logits = rng.normal(size=(n, 4)) + 2 * np.eye(4)[targets]
    return compute_softmax(sharpness * logits), targets


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 5.0])
@pytest.mark.parametrize(("n", "coverage"), [(40, 0.95), (200, 0.9)])
def test_new_photos_are_covered_as_stated(
    rng: np.random.Generator, sharpness: float, n: int, coverage: float
) -> None:
    new, truth = _draw(rng, 4000, sharpness)
    covered = []
    for _ in range(200):
        threshold = find_set_threshold(*_draw(rng, n, sharpness), coverage)
        assert threshold is not None
        covered.append(measure_sets(new, truth, threshold, coverage)["covered"])
    # the ceiling adds at most 1 / (n + 1)
    assert coverage - 0.01 < np.mean(covered) < coverage + 1 / (n + 1) + 0.01


def test_a_set_is_never_empty_and_few_photos_give_none(rng: np.random.Generator) -> None:
    probs, targets = _draw(rng, 100, 1.0)
    assert find_set_threshold(probs[:18], targets[:18]) is None
    assert find_set_threshold(probs[:19], targets[:19]) is not None
    assert (find_sets(probs, 1.0).sum(1) == 1).all()
    assert find_sets(probs, 0.0).all()
    [row] = find_sets(np.array([[0.5, 0.3, 0.2]]), 0.3)
    assert row.tolist() == [True, True, False]


def test_what_sets_are_worth_is_counted(rng: np.random.Generator) -> None:
    probs = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.4, 0.3, 0.3], [0.1, 0.8, 0.1]])
    found = measure_sets(probs, np.array([0, 1, 2, 0]), 0.3)
    assert (found["covered"], found["size"], found["single"], found["n"]) == (0.75, 7 / 4, 0.5, 4)
    low, high = found["interval"]
    assert low < 0.75 < high
