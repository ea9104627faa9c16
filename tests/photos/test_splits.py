"""Splits are drawn by content, keep groups together and go on from what is on record."""

from __future__ import annotations

from collections import Counter

import numpy as np

from fastclf.photos import draw_splits


def _photos(n: int, classes: int = 3) -> tuple[list[str], list[str]]:
    return [f"{i:064x}" for i in range(n)], [f"class {i % classes}" for i in range(n)]


def test_splits_do_not_depend_on_the_order_of_the_photos(rng: np.random.Generator) -> None:
    groups, labels = _photos(300)
    expected = dict(zip(groups, draw_splits(groups, labels), strict=True))
    order = rng.permutation(300)
    shuffled = draw_splits([groups[i] for i in order], [labels[i] for i in order])
    assert all(expected[groups[i]] == split for i, split in zip(order, shuffled, strict=True))


def test_splits_have_the_wanted_shares_in_every_class() -> None:
    groups, labels = _photos(300)
    splits = draw_splits(groups, labels, valid=0.2, test=0.1)
    counts = Counter(zip(labels, splits, strict=True))
    for label in set(labels):
        assert counts[label, "valid"] == 20
        assert counts[label, "test"] == 10


def test_another_seed_draws_other_splits() -> None:
    groups, labels = _photos(300)
    assert draw_splits(groups, labels, seed=0) != draw_splits(groups, labels, seed=1)
    assert draw_splits(groups, labels, seed=1) == draw_splits(groups, labels, seed=1)


def test_a_group_never_straddles_splits() -> None:
    _, labels = _photos(300)
    groups = [f"{i // 7:064x}" for i in range(300)]
    splits = draw_splits(groups, labels)
    assert all(
        len({s for g, s in zip(groups, splits, strict=True) if g == group}) == 1 for group in set(groups)
    )
    assert set(splits) == {"train", "valid", "test"}


def test_a_tiny_class_is_still_validated() -> None:
    splits = draw_splits([f"{i:064x}" for i in range(3)], ["a"] * 3)
    assert Counter(splits) == {"train": 2, "valid": 1}


def test_recorded_splits_stay_and_new_groups_fill_what_is_lacking() -> None:
    groups, labels = _photos(300)
    recorded = dict(zip(groups[:150], draw_splits(groups[:150], labels[:150]), strict=True))
    splits = draw_splits(groups, labels, recorded=recorded)
    assert all(recorded[g] == s for g, s in zip(groups[:150], splits[:150], strict=True))
    counts = Counter(zip(labels, splits, strict=True))
    assert all((counts[c, "valid"], counts[c, "test"]) == (20, 10) for c in set(labels))


def test_a_group_follows_its_links_and_a_bridge_is_left_out() -> None:
    groups, labels = ["t", "v", "near t", "bridge", "free"], ["a"] * 5
    recorded = {"t": "train", "v": "valid"}
    links = [("t", "near t"), ("bridge", "t"), ("v", "bridge")]
    for seed in range(5):
        drawn = draw_splits(groups, labels, seed=seed, recorded=recorded, links=links, valid=0.6)
        assert drawn[:4] == ["train", "valid", "train", ""]
        assert drawn[4]


def test_linked_new_groups_end_in_one_split_or_are_left_out() -> None:
    groups, labels = _photos(300)
    links = [(groups[i], groups[i + 1]) for i in range(0, 200, 2)]
    drawn = dict(zip(groups, draw_splits(groups, labels, links=links), strict=True))
    assert all(drawn[a] == drawn[b] for a, b in links)
