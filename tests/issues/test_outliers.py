"""Odd photos: strangers are found, copies and clumps do not hide each other, rare classes are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.errors import UsageError
from fastclf.issues import find_outliers
from fastclf.issues import outliers as odd


def cloud(rng: np.random.Generator, n: int, axis: int = 0, d: int = 32, width: float = 0.15) -> np.ndarray:
    return np.eye(d)[axis] + width * rng.normal(size=(n, d))


def test_strangers_are_found_and_hardly_anything_else(rng: np.random.Generator) -> None:
    x = np.vstack([cloud(rng, 300), *(cloud(rng, 1, axis) for axis in (5, 9, 20))])
    found = find_outliers(x)
    assert set(np.argsort(found.scores)[-3:]) == {300, 301, 302}
    assert found.is_odd[300:].all()
    assert found.is_odd[:300].sum() <= 3
    assert (found.is_odd == (found.scores >= found.threshold)).all()


def test_a_group_of_copies_counts_as_one_photo(rng: np.random.Generator) -> None:
    usual = cloud(rng, 300)
    copies = np.repeat(cloud(rng, 1, 7), 150, axis=0)
    x = np.vstack([usual, copies])
    assert not find_outliers(x).is_odd[300:].any()
    assert find_outliers(x, [f"g{i}" for i in range(300)] + ["copies"] * 150).is_odd[300:].all()


def test_a_clump_of_strangers_does_not_hide_itself(rng: np.random.Generator) -> None:
    x = np.vstack([cloud(rng, 300), cloud(rng, 300, 3), cloud(rng, 60, 7, width=0.01)])
    labels = ["bear"] * 300 + ["bird"] * 300
    for of_strangers in (["bear", "bird"] * 30, ["bear"] * 60):
        found = find_outliers(x, labels=labels + of_strangers)
        assert found.is_odd[600:].all()
        assert found.is_odd[:600].sum() <= 6


def test_photos_of_another_camera_are_no_strangers(rng: np.random.Generator) -> None:
    """They are as far as many strangers are, but neighbours tell their labels."""
    centres, camera = rng.normal(0, 0.5, (4, 32)), rng.normal(0, 0.35, 32)
    target = np.repeat(np.arange(4), 150)
    other = np.arange(600) % 150 >= 138
    for labelled in (target, np.where(other, rng.integers(0, 4, 600), target)):
        centre = centres[target] if labelled is target else np.where(other[:, None], 0, centres[target])
        x = np.exp(centre + other[:, None] * camera + rng.normal(0, 0.3, (600, 32)))
        found = find_outliers(x, labels=[str(k) for k in labelled])
        assert found.is_odd[~other].mean() <= 0.01
        share = found.is_odd[other].mean()
        assert share <= 0.1 if labelled is target else share >= 0.9


def test_some_wrong_labels_change_little(rng: np.random.Generator) -> None:
    x = np.vstack([cloud(rng, 300), cloud(rng, 300, 3), cloud(rng, 30, 7)])
    labels = np.array(["bear"] * 300 + ["bird"] * 300 + ["bear", "bird"] * 15)
    wrong = rng.choice(600, 30, replace=False)
    labels[wrong] = np.where(labels[wrong] == "bear", "bird", "bear")
    found = find_outliers(x, labels=labels.tolist())
    assert found.is_odd[600:].mean() >= 0.8
    assert found.is_odd[:600].sum() <= 3


def test_a_rare_class_is_not_odd_as_a_whole(rng: np.random.Generator) -> None:
    x = np.vstack([cloud(rng, 600), cloud(rng, 12, 7, width=0.1)])
    labels = ["bear"] * 600 + ["bird"] * 12
    assert find_outliers(x).is_odd[600:].mean() > 0.8
    assert find_outliers(x, labels=labels).is_odd[600:].mean() <= 0.25
    wide = np.vstack([cloud(rng, 600), cloud(rng, 7, 7, width=0.4)])
    assert not find_outliers(wide, labels=labels[:607]).is_odd[600:].all()


def test_the_order_of_the_photos_and_the_blocks_change_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.vstack([cloud(rng, 200), cloud(rng, 2, 7)])
    groups = [f"g{i}" for i in range(202)]
    turned = rng.permutation(202)
    scores = find_outliers(x, groups).scores
    monkeypatch.setattr(odd, "_BLOCK_NUMBERS", 1000)
    again = find_outliers(x[turned], [groups[i] for i in turned]).scores
    np.testing.assert_allclose(again, scores[turned], atol=1e-5)


def test_many_photos_are_compared_with_some(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odd, "_MAX_REFERENCE", 100)
    x = np.vstack([cloud(rng, 900), cloud(rng, 2, 7)])
    assert find_outliers(x, [f"g{i}" for i in range(902)]).is_odd[900:].all()


@pytest.mark.parametrize("n", [0, 1, 2, 19])
def test_of_a_few_photos_none_is_odd(n: int, rng: np.random.Generator) -> None:
    found = find_outliers(cloud(rng, n))
    assert len(found.scores) == n
    assert not found.is_odd.any()
    assert found.threshold == np.inf


def test_photos_that_are_all_alike_are_not_odd() -> None:
    assert not find_outliers(np.ones((50, 8))).is_odd.any()
    assert not find_outliers(np.zeros((50, 8)), ["one"] * 50).is_odd.any()


def test_wrong_calls_get_a_sentence() -> None:
    x = np.ones((30, 4))
    with pytest.raises(UsageError, match="do not fit"):
        find_outliers(x, ["a"])
    with pytest.raises(UsageError, match="not finite"):
        find_outliers(np.full((30, 4), np.nan))


def test_twenty_photos_are_enough_to_tell_what_is_usual(rng: np.random.Generator) -> None:
    x = np.vstack([cloud(rng, odd.MIN_PHOTOS - 1), cloud(rng, 1, 7)])
    assert find_outliers(x).is_odd[-1]
    assert not find_outliers(x[1:]).is_odd.any()
