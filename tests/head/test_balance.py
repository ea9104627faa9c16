"""Rare classes: from when on answers are evened out, and that rare photos are found by it."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.head import BALANCES, even_out, find_shift, fit_head


@pytest.mark.parametrize(
    ("counts", "shifted"),
    [
        ((30, 10), {"auto", "on"}),
        ((29, 10), {"on"}),
        ((10, 10, 10), {"on"}),
        ((70, 20, 7), {"auto", "on"}),
    ],
)  # fmt: skip
def test_answers_are_evened_out_from_three_to_one_on(counts: tuple[int, ...], shifted: set[str]) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    found = {balance: find_shift(targets, balance) for balance in BALANCES}
    assert {name for name, shift in found.items() if shift is not None} == shifted
    assert found["on"] is not None
    assert find_shift(targets, "?") is None
    assert found["on"].mean() == pytest.approx(0)
    # what a class has more of the photos, its logit loses
    assert np.allclose(np.diff(found["on"]), -np.diff(np.log(counts)))


def test_rare_photos_are_found_more_often(rng: np.random.Generator) -> None:
    centres, sizes = rng.normal(size=(4, 60)), (120, 120, 8, 8)

    def draw(sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        targets = np.repeat(np.arange(4), sizes)
        return (centres[targets] + 2.5 * rng.normal(size=(len(targets), 60))).astype(np.float32), targets

    features, targets = draw(sizes)
    head = fit_head(features, targets, 0.3)
    evened = even_out(head, targets, "auto")
    new, truth = draw((300, 300, 300, 300))
    recalls = [
        [float((h.compute_logits(new).argmax(1) == truth)[truth == k].mean()) for k in range(4)]
        for h in (head, evened)
    ]
    assert np.mean(recalls[1]) > np.mean(recalls[0]) + 0.03
    assert min(recalls[1][2:]) > max(recalls[0][2:])
    assert even_out(head, targets, "off") is head
    assert np.array_equal(evened.weight, head.weight)
