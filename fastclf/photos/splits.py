"""Train, validation and sealed test: drawn from content hashes, so no machine's directory order matters."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

TRAIN, VALID, TEST = "train", "valid", "test"
SPLITS = (TRAIN, VALID, TEST)
LEFT_OUT = ""


def draw_splits(
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int = 0,
    valid: float = 0.2,
    test: float = 0.1,
    recorded: Mapping[str, str] | None = None,
    links: Iterable[tuple[str, str]] = (),
) -> list[str]:
    """Assign every photo to train, valid or test; a group never straddles two of them.

    Within a class the new groups are ordered by a hash of seed and group name; as many of the first ones as
    the share lacks go to test, the next to valid. A class of two groups or more has at least one in valid;
    one of fewer than ``0.5 / test`` groups has none in test. A new group with links to groups of one split
    goes to that split; with links to several it is left out.

    Parameters
    ----------
    groups
        (N,) name of each photo's group.
    labels
        (N,) label of each photo; a group counts for its most frequent one.
    seed
        Another seed draws other splits.
    valid, test
        Wanted shares in [0, 1), of groups.
    recorded
        {group: split} of groups that have theirs already; it stays.
    links
        Pairs of groups that must not stand in different splits, because photos of them nearly agree.

    Returns
    -------
    list of str
        (N,) "train", "valid", "test", or "" where a group is left out.
    """
    assigned = dict(recorded or {})
    by_label = _sort_groups(groups, labels)
    wanted: dict[str, str] = {}
    for names in by_label.values():
        new = sorted((n for n in names if n not in assigned), key=lambda name: _draw(seed, name))
        counts = Counter(assigned[n] for n in names if n in assigned)
        n_test = max(0, round(len(names) * test) - counts[TEST])
        n_valid = max(0, max(round(len(names) * valid), int(len(names) > 1)) - counts[VALID])
        for i, name in enumerate(new):
            wanted[name] = TEST if i < n_test else VALID if i < n_test + n_valid else TRAIN
    _follow_links(wanted, assigned, links, seed)
    return [assigned[group] for group in groups]


def _sort_groups(groups: Sequence[str], labels: Sequence[str]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = defaultdict(list)
    for group, label in zip(groups, labels, strict=True):
        members[group].append(label)
    by_label: dict[str, list[str]] = defaultdict(list)
    for group, group_labels in members.items():
        by_label[_most_frequent(group_labels)].append(group)
    return by_label


def _follow_links(
    wanted: dict[str, str], assigned: dict[str, str], links: Iterable[tuple[str, str]], seed: int
) -> None:
    """Move what is wanted into what is assigned, in an order that no machine changes."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for a, b in links:
        if a != b:
            neighbours[a].add(b)
            neighbours[b].add(a)
    for name in sorted(wanted, key=lambda name: _draw(seed, name)):
        near = {assigned[other] for other in neighbours[name] if other in assigned} - {LEFT_OUT}
        assigned[name] = wanted[name] if not near else near.pop() if len(near) == 1 else LEFT_OUT


def _most_frequent(labels: Sequence[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _draw(seed: int, group: str) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
