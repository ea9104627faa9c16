"""One model against another on the same photos."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.metrics import compare_paired


def test_only_photos_on_which_they_differ_count_and_few_of_them_prove_nothing() -> None:
    assert compare_paired(6, 0, 105).is_better
    assert compare_paired(0, 6, 105).is_worse
    for gained, lost in ((5, 0), (3, 1), (50, 50), (0, 0)):
        found = compare_paired(gained, lost, 105)
        assert not found.is_better
        assert not found.is_worse
        assert found.difference == pytest.approx((gained - lost) / 105)
        assert found.low < found.difference < found.high
    assert compare_paired(0, 0, 0).difference == 0


def test_equal_models_are_seldom_called_different() -> None:
    drawn = np.random.default_rng(0).multinomial(200, [0.05, 0.05, 0.9], size=2000)
    found = [compare_paired(int(a), int(b), 200) for a, b, _ in drawn]
    assert np.mean([f.is_better or f.is_worse for f in found]) <= 0.05
    assert np.mean([f.low <= 0 <= f.high for f in found]) >= 0.95
