"""Two sets of photos against each other: equal ones are seldom called different, and different ones are."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.metrics import compare_exceedances, compare_features, compare_shares, compare_tails

RNG = np.random.default_rng(0)
CONFUSION = np.array([[18, 2, 0], [4, 16, 0], [0, 0, 20]])
TRAINING = np.array([200, 200, 200])


def test_equal_features_are_seldom_called_different_and_shifted_ones_always() -> None:
    found = []
    for seed in range(40):
        x = RNG.gamma(1.0, size=(120, 20))
        found.append(compare_features(x[:80], x[80:], rounds=99, seed=seed).p)
    assert np.mean(np.array(found) <= 0.05) <= 0.15
    assert 0.3 < np.mean(found) < 0.7
    x = RNG.gamma(1.0, size=(120, 20))
    x[80:100] *= np.repeat([3.0, 0.3], 10)
    shifted = compare_features(x[:80], x[80:])
    assert shifted.p == pytest.approx(0.001)
    assert set(np.argsort(-shifted.witness)[:15]) <= set(range(20))  # the photos that drive it


def test_a_few_far_photos_are_noticed_and_equal_ones_seldom() -> None:
    draws = [[(RNG.normal(size=60), RNG.normal(size=20)) for _ in range(3)] for _ in range(60)]
    assert np.mean([compare_tails(pairs, rounds=99) <= 0.05 for pairs in draws]) <= 0.15
    pairs = [(RNG.normal(size=100), np.append(RNG.normal(size=38), [9.0, 9.5])) for _ in range(5)]
    assert compare_tails(pairs) < 0.01
    # photos nearer than usual are no reason to worry
    assert compare_tails([(RNG.normal(size=100), RNG.normal(size=50) - 1)]) > 0.5


def test_the_number_above_a_threshold_has_the_probability_that_draws_give_it() -> None:
    scores = RNG.random((20_000, 70))
    thresholds = np.sort(scores[:, :40], 1)[:, -2]  # the second highest of 40
    above = (scores[:, 40:] > thresholds[:, None]).sum(1)
    for least in (0, 1, 3, 6):
        assert compare_exceedances(least, 30, 2, 40) == pytest.approx((above >= least).mean(), abs=0.012)


def test_shares_are_corrected_for_known_mix_ups() -> None:
    mixed = CONFUSION / CONFUSION.sum(1, keepdims=True)
    true = np.array([0.1, 0.6, 0.3])
    found = compare_shares(np.round(2000 * true @ mixed).astype(int), TRAINING, CONFUSION)
    assert found.corrected == pytest.approx(true, abs=0.02)
    assert abs(found.answered - true).max() > 0.07
    assert ((found.low <= true) & (true <= found.high)).all()
    assert found.p < 0.003
    assert found.surprise[1] > 3
    # a class that nobody saw may still be there
    absent = compare_shares(np.array([0, 20, 20]), TRAINING, None)
    assert absent.corrected[0] == pytest.approx(0, abs=0.001)
    assert 0.01 < absent.high[0] < 0.15


@pytest.mark.slow
def test_equal_shares_are_seldom_called_different() -> None:
    mixed = CONFUSION / CONFUSION.sum(1, keepdims=True)
    answers = RNG.multinomial(200, np.full(3, 1 / 3) @ mixed, 40)
    # the validation photos are themselves a draw
    drawn = [np.stack([RNG.multinomial(20, row) for row in mixed]) for _ in answers]
    found = [
        compare_shares(a, TRAINING, c, seed=i).p for i, (a, c) in enumerate(zip(answers, drawn, strict=True))
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.13
