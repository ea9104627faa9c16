"""The temperature that was in the logits is found, and few photos do not make it extreme."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.metrics import choose_temperature, compute_softmax, fit_temperature


def test_temperature_recovers_what_the_logits_were_scaled_by(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 2, (4000, 5))
    probs = compute_softmax(logits)
    targets = np.array([rng.choice(5, p=p) for p in probs])
    assert fit_temperature(logits * 3, targets) == pytest.approx(3, rel=0.08)
    assert fit_temperature(logits / 2, targets) == pytest.approx(0.5, rel=0.08)


def test_temperature_of_a_faultless_small_validation_set_stays_modest() -> None:
    targets = np.arange(10) % 2
    logits = np.where(np.eye(2)[targets] > 0, 3.0, 0.0)
    assert 0.3 < fit_temperature(logits, targets) <= 1
    assert fit_temperature(np.empty((0, 2)), np.empty(0, int)) == 1.0


@pytest.mark.slow
def test_a_temperature_is_kept_only_where_it_helps_photos_that_it_was_not_fitted_on(
    rng: np.random.Generator,
) -> None:
    logits = rng.normal(0, 2, (4000, 5))
    targets = np.array([rng.choice(5, p=p) for p in compute_softmax(logits)])
    # on few photos of a calibrated model the fitted one is mostly chance
    chosen = [choose_temperature(logits[i : i + 60], targets[i : i + 60]) for i in range(0, 3000, 60)]
    fitted = [fit_temperature(logits[i : i + 60], targets[i : i + 60]) for i in range(0, 3000, 60)]
    assert chosen.count(1.0) >= 25 > fitted.count(1.0)
    assert all(c in (1.0, f) for c, f in zip(chosen, fitted, strict=True))
    # an overconfident one is corrected
    assert choose_temperature(logits[:60] * 3, targets[:60]) > 1.8
    assert choose_temperature(np.empty((0, 2)), np.empty(0, int)) == 1.0
