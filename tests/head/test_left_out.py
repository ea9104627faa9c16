"""Photos of classes that were left out: measured by leaving each of them out, and only where that can be."""

from __future__ import annotations

import numpy as np

from fastclf.evaluation import Answers
from fastclf.head.left_out import measure_left_out


def _draw(rng: np.random.Generator, k: int, n: int, apart: float) -> Answers:
    targets = np.arange(n) % k
    features = apart * np.eye(k, 40)[targets] + rng.normal(size=(n, 40)) + 5
    return Answers(np.zeros((n, k)), features.astype(np.float32), targets)


def test_what_stands_apart_is_told_and_what_does_not_is_not(rng: np.random.Generator) -> None:
    for k, apart, least, most in ((3, 12.0, 0.95, 1.0), (8, 12.0, 0.95, 1.0), (4, 0.0, 0.35, 0.65)):
        found = measure_left_out(_draw(rng, k, 200, apart), _draw(rng, k, 80, apart), 0.1)
        assert found is not None
        assert found["n"] == 280  # every photo is asked about once
        assert least <= found["auroc"] <= most
        low, high = found["flagged_interval"]
        assert low <= found["flagged"] <= high
        assert (found["flagged"] > 0.8) == (apart > 0)


def test_two_classes_or_a_class_without_validation_photos_tell_nothing(rng: np.random.Generator) -> None:
    assert measure_left_out(_draw(rng, 2, 60, 9.0), _draw(rng, 2, 20, 9.0), 0.1) is None
    lacking = _draw(rng, 3, 60, 9.0)
    rows = lacking.targets != 1
    lacking = Answers(lacking.logits[rows], lacking.features[rows], lacking.targets[rows])
    assert measure_left_out(_draw(rng, 3, 60, 9.0), lacking, 0.1) is None
