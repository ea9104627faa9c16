"""Which photos to label next: doubtful ones, no two alike."""

from __future__ import annotations

import numpy as np

from fastclf.metrics import choose_next


def test_doubtful_photos_of_every_cluster_are_chosen_and_sure_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    middles = np.abs(rng.normal(size=(4, 16))) * 3
    # the first cluster holds most of the doubtful photos
    cluster = np.repeat(range(4), [60, 6, 6, 6])
    features = np.concatenate([middles[cluster] + 0.05 * rng.random((78, 16)), rng.random((100, 16))])
    doubtful = np.tile([0.51, 0.49], (78, 1))
    doubtful[60:] = [0.52, 0.48]  # a little less doubtful than the many
    sure = np.tile([0.99, 0.01], (100, 1))
    chosen = choose_next(features, np.concatenate([doubtful, sure]), 15)
    assert len(set(chosen.tolist())) == 15
    assert chosen.max() < 78
    assert set(cluster[chosen]) == {0, 1, 2, 3}
    assert choose_next(features, np.concatenate([doubtful, sure]), 15).tolist() == chosen.tolist()


def test_copies_are_not_all_chosen() -> None:
    features = np.concatenate([np.ones((30, 8)), np.abs(np.random.default_rng(0).normal(size=(30, 8)))])
    probs = np.tile([0.5, 0.5], (60, 1))
    chosen = choose_next(features, probs, 20)
    assert (chosen < 30).sum() <= 3


def test_as_many_as_there_are_can_be_chosen() -> None:
    features, probs = np.ones((5, 4)), np.tile([0.6, 0.4], (5, 1))
    assert (
        sorted(choose_next(features, probs, 9)) == sorted(choose_next(features, probs, 5)) == [0, 1, 2, 3, 4]
    )
    assert len(set(choose_next(features, probs, 4).tolist())) == 4


def test_with_few_labels_photos_that_stand_for_many_come_before_the_doubtful_odd_ones() -> None:
    rng = np.random.default_rng(0)
    middles = np.eye(4, 32) * 9
    # three crowds, of which the first is labelled already, and twenty photos that are like no other
    crowds = np.concatenate([middles[k] + 0.3 * rng.random((60, 32)) for k in range(3)])
    features = np.concatenate([crowds, np.abs(rng.normal(size=(20, 32))) * 4])
    probs = np.tile([0.6, 0.4], (200, 1))
    probs[180:] = [0.5, 0.5]
    labelled = middles[[0] * 4] + 0.3 * rng.random((4, 32))
    chosen = choose_next(features, probs, 4, labelled=labelled)
    assert {1, 2} <= set(chosen // 60)
    assert (chosen < 60).sum() <= 1
    assert chosen.max() < 180
    # with labels enough the doubtful ones come first
    many = np.repeat(labelled, 3, axis=0)
    assert choose_next(features, probs, 4, labelled=many).min() >= 180
