"""Train, validation and sealed test: drawn from content hashes, so no machine's directory order matters."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

TRAIN, VALID, TEST = "train", "valid", "test"
SPLITS = (TRAIN, VALID, TEST)


def group_identical(sha256: Sequence[str], pixel_hashes: Sequence[str]) -> list[str]:
    """Name the group of each photo: photos with equal pixels share one.

    Parameters
    ----------
    sha256, pixel_hashes
        (N,) content hash of the file and hash of the decoded pixels.

    Returns
    -------
    list of str
        (N,) the smallest sha256 in each photo's group.
    """
    smallest: dict[str, str] = {}
    for sha, pixels in zip(sha256, pixel_hashes, strict=True):
        smallest[pixels] = min(sha, smallest.get(pixels, sha))
    return [smallest[pixels] for pixels in pixel_hashes]


def draw_splits(
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int = 0,
    valid: float = 0.2,
    test: float = 0.1,
) -> list[str]:
    """Assign every photo to train, valid or test; a group never straddles two of them.

    Within a class the groups are ordered by a hash of seed and group name, and the first ones go to test,
    the next to valid. A class of two groups or more has at least one in valid; one of fewer than
    ``0.5 / test`` groups has none in test.

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

    Returns
    -------
    list of str
        (N,) "train", "valid" or "test".
    """
    members: dict[str, list[str]] = defaultdict(list)
    for group, label in zip(groups, labels, strict=True):
        members[group].append(label)
    by_label: dict[str, list[str]] = defaultdict(list)
    for group, group_labels in members.items():
        by_label[_most_frequent(group_labels)].append(group)
    assigned: dict[str, str] = {}
    for names in by_label.values():
        names.sort(key=lambda name: _draw(seed, name))
        n_test = round(len(names) * test)
        n_valid = max(round(len(names) * valid), int(len(names) > 1))
        for i, name in enumerate(names):
            assigned[name] = TEST if i < n_test else VALID if i < n_test + n_valid else TRAIN
    return [assigned[group] for group in groups]


def _most_frequent(labels: Sequence[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _draw(seed: int, group: str) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
