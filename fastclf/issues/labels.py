"""Which labels look wrong, judged out of sample: by a classifier that never saw the photo or its copies."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CheckError, Message, UsageError, count_message
from ..photos import Photo
from ..system import ShortRepr, run_child, scratch_folder
from .form import ABOUT_PHOTO, FindingForm, is_share, is_text
from .kinds import CheckedPhotos, Finding, IssueKind, Today

Array = npt.NDArray[Any]

MIN_GROUPS = 3
"""A class with fewer different photos than this is not judged: nothing is left to learn it from."""

ISSUE_QUALITY = 0.05
"""A label whose probability is below this is an issue, where another class is more likely than not.

Chosen on wrong labels planted in photos of hand signs and of clothing, where it lists fewer right labels than
cleanlab's ``find_label_issues`` does (benchmarks/README.md).
"""

_WORKER = "fastclf.issues.label_worker"
_FOLDS = 5
_REPEATS, _REPEATED_UP_TO = 3, 3000  # chosen by hand, for time; not tuned


@dataclass(frozen=True, repr=False)
class LabelIssues(ShortRepr):
    """What the check found, one row a photo in the order they were given.

    Attributes
    ----------
    vocab
        (K,) names of the classes, in the order of the columns of `pred_probs`.
    pred_probs
        (N, K) probabilities out of sample.
    label_quality
        (N,) probability of the given label, in [0, 1]; low is doubtful. NaN where it was not judged.
    suggested
        (N,) name of the most probable class; of an issue never the given label.
    is_issue
        (N,) whether the label is doubtful enough to be listed: its probability is below `ISSUE_QUALITY`
        and another class is more likely than not.
    notes
        Sentences about what was not judged, and why.
    """

    vocab: tuple[str, ...]
    pred_probs: Array
    label_quality: Array
    suggested: Array
    is_issue: Array
    notes: tuple[str, ...] = ()


def find_label_issues(
    features: npt.ArrayLike,
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    pred_probs: npt.ArrayLike | None = None,
    vocab: Sequence[str] | None = None,
    seed: int = 0,
    timeout: float = 600,
) -> LabelIssues:
    """Find labels that the other photos speak against.

    Every photo is judged by a classifier learned on the other folds. Folds are stratified, no group lies
    in two of them, and they follow from `seed` and the groups' names alone, whatever the photos' order.
    SciPy runs in a child process, so that the caller stays light.

    Parameters
    ----------
    features
        (N, D) finite numbers.
    labels, groups
        (N,) name of each photo's class, and of its group of copies.
    pred_probs
        (N, K) answers of a model that was not trained on the photo; rows of NaN where it was. A row whose
        label is not in `vocab` is judged by the folds.
    vocab
        (K,) names of the columns of `pred_probs`; needed with these. Other labels are added behind.
    seed
        Another seed draws other folds.
    timeout
        Seconds that the child process may take.

    Raises
    ------
    UsageError
        If the arrays do not fit together or hold numbers that are not finite.
    MissingExtraError
        If SciPy is not installed.
    CheckError
        If the child process was killed, failed or took too long.

    References
    ----------
    Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021.
    """
    x = _check_features(features, labels, groups)
    given, own, names = _lay_out(labels, pred_probs, vocab)
    judged, notes = _choose_judged(given, groups, own, names)
    obstacle = _find_obstacle(x, given) if np.isnan(own).any() or len(names) < 2 else None
    if obstacle or not judged.any():
        return _judge_none(given, own, names, [obstacle] if obstacle else notes)
    order = _canonical_order(x, labels, groups, seed)
    repeats = _REPEATS if len(x) <= _REPEATED_UP_TO else 1
    drawn = [draw_folds(given[order], [groups[i] for i in order], _FOLDS, seed + r) for r in range(repeats)]
    arrays = {"features": x, "targets": given, "own": own, "judged": judged}
    answer = _run_worker(
        timeout, folds=np.stack(drawn), **{name: rows[order] for name, rows in arrays.items()}
    )
    back = np.argsort(order)
    return _decide(given, names, {name: rows[back] for name, rows in answer.items()}, notes)


def _check_features(features: npt.ArrayLike, labels: Sequence[str], groups: Sequence[str]) -> Array:
    x = np.asarray(features, np.float32)
    if x.ndim != 2 or not len(x) == len(labels) == len(groups):
        raise UsageError(
            "features of shape {shape}, {labels} labels and {groups} groups do not fit; "
            "give one row, one label and one group for each photo.",
            shape=x.shape,
            labels=len(labels),
            groups=len(groups),
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(broken):
        raise UsageError(
            "{n} photos have features that are not finite, the first in row {row}; "
            "compute these features again or leave the photos out.",
            n=len(broken),
            row=broken[0],
        )
    return x


def _lay_out(
    labels: Sequence[str], pred_probs: npt.ArrayLike | None, vocab: Sequence[str] | None
) -> tuple[Array, Array, tuple[str, ...]]:
    """Return label indices (N,), own answers (N, K) with NaN rows, and the names of the K classes."""
    known = tuple(vocab or ())
    names = known + tuple(sorted(set(labels) - set(known)))
    index = {name: k for k, name in enumerate(names)}
    given = np.array([index[label] for label in labels], np.int64)
    own = np.full((len(given), len(names)), np.nan)
    if pred_probs is None:
        return given, own, names
    probs = np.asarray(pred_probs, np.float64)
    usable = _check_probs(probs, known, len(given)) & (given < len(known))
    own[usable] = 0
    own[usable, : len(known)] = probs[usable]
    return given, own, names


def _check_probs(probs: Array, vocab: Sequence[str], n: int) -> Array:
    """Return (N,) which rows hold probabilities; refuse what does not fit."""
    if len(set(vocab)) != len(vocab) or probs.shape != (n, len(vocab)):
        raise UsageError(
            "pred_probs has the shape {shape} and vocab {names} names; "
            "give ({rows}, K) probabilities and the K different names of their columns.",
            shape=probs.shape,
            names=len(vocab),
            rows=n,
        )
    usable = np.asarray(~np.isnan(probs).any(axis=1))
    sums = probs[usable].sum(axis=1)
    if (probs[usable] < 0).any() or (np.abs(sums - 1) > 0.01).any():
        raise UsageError("pred_probs has rows that are no probabilities; each must add up to 1 or be NaN.")
    return usable


def _choose_judged(
    given: Array, groups: Sequence[str], own: Array, names: Sequence[str]
) -> tuple[Array, list[Message]]:
    """Return which rows can be judged, and a sentence for each class that is too small for it."""
    members: dict[int, set[str]] = defaultdict(set)
    for k, group in zip(given.tolist(), groups, strict=True):
        members[k].add(group)
    small = sorted(k for k, of_class in members.items() if len(of_class) < MIN_GROUPS)
    answered = ~np.isnan(own).any(axis=1)
    judged = answered | ~np.isin(given, small)
    notes = [_describe_small(names[k], len(members[k])) for k in small if not judged[given == k].all()]
    return judged, notes


def _describe_small(label: str, n: int) -> Message:
    return count_message(
        n,
        "The labels of class {label!r} were not judged: it has 1 different photo, and at least {m} are "
        "needed.",
        "The labels of class {label!r} were not judged: it has {n} different photos, and at least {m} are "
        "needed.",
        label=label,
        m=MIN_GROUPS,
    )


def _find_obstacle(x: Array, given: Array) -> str | None:
    """Say why no classifier can be learned, if so."""
    if not len(x):
        return "There are no photos."
    if len(np.unique(given)) < 2:
        return "There is only one class, so no label can be told to be wrong; add photos of a second one."
    if not (x != x[0]).any():
        return "All photos have the same features, so no label can be told from another."
    return None


def _judge_none(given: Array, own: Array, names: tuple[str, ...], notes: Iterable[str]) -> LabelIssues:
    counts = np.bincount(given, minlength=len(names)) / max(len(given), 1)
    probs = np.where(np.isnan(own), counts, own)
    unknown = np.full(len(given), np.nan)
    none = np.zeros(len(given), bool)
    return LabelIssues(names, probs, unknown, np.array(names, str)[given], none, tuple(notes))


def _canonical_order(x: Array, labels: Sequence[str], groups: Sequence[str], seed: int) -> Array:
    """Return the order of the photos by hashes, so that the order they came in changes nothing."""
    keys = [
        (_hash(seed, group), label, hashlib.sha256(row.tobytes()).digest())
        for row, label, group in zip(x, labels, groups, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def draw_folds(given: Array, groups: Sequence[str], folds: int, seed: int) -> Array:
    """Return (N,) numbers of folds: stratified by class, a group in one fold only.

    Parameters
    ----------
    given
        (N,) indices of classes.
    groups
        (N,) names; where a group goes follows from the names and `seed` alone, whatever the order.
    folds
        How many to draw.
    seed
        Another seed draws other folds.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    filled = np.zeros((int(given.max()) + 1, folds), np.int64)
    fold = np.empty(len(given), np.int64)
    for group in sorted(members, key=lambda name: _hash(seed, name)):
        rows = members[group]
        counts = Counter(given[rows].tolist())
        k = min(counts, key=lambda c: (-counts[c], c))
        # of the folds with the fewest photos of this class the one with the fewest photos at all
        chosen = int(np.lexsort((filled.sum(axis=0), filled[k]))[0])
        fold[rows] = chosen
        filled[:, chosen] += np.bincount(given[rows], minlength=len(filled))
    return fold


def _hash(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def _run_worker(timeout: float, **arrays: Array) -> dict[str, Array]:
    """Hand the arrays to the child process and return its answer."""
    with scratch_folder("labels") as name:
        folder = Path(name)
        save_arrays(folder / "in.npz", arrays)
        arrays.clear()  # very many photos' features are not held here while the child works on them
        run_child(_WORKER, [folder], what="Judging the labels", error=CheckError, timeout=timeout)
        if not (folder / "out.npz").is_file():
            raise CheckError("Judging the labels ended without an answer; try again.")
        with np.load(folder / "out.npz") as answer:
            return dict(answer)


def save_arrays(path: Path, arrays: dict[str, Array]) -> None:
    """Write arrays by name to an .npz file, for the worker or by it."""
    named: dict[str, Any] = dict(arrays)
    np.savez(path, **named)


def _decide(
    given: Array, names: tuple[str, ...], answer: dict[str, Array], notes: Iterable[str]
) -> LabelIssues:
    probs, quality = answer["pred_probs"], answer["label_quality"]
    rows = np.arange(len(given))
    best = probs.argmax(axis=1)
    is_issue = (quality < ISSUE_QUALITY) & (best != given) & (probs[rows, best] > 0.5)
    return LabelIssues(names, probs, quality, np.array(names, str)[best], is_issue, tuple(notes))


def _find(checked: CheckedPhotos) -> list[Finding] | None:
    issues = checked.label_issues
    if issues is None:
        return None
    photos = [checked.photos[i] for i in checked.usable]
    found = [
        _make_finding(photos[i], str(issues.suggested[i]), float(issues.label_quality[i]))
        for i in np.flatnonzero(issues.is_issue)
    ]
    return sorted(found, key=lambda finding: (-finding.score, finding.files))


def _make_finding(photo: Photo, suggested: str, quality: float) -> Finding:
    words = Message("more likely {suggested} than {label}", suggested=suggested, label=photo.label)
    facts = {"label": photo.label, "suggested": suggested, "label_quality": quality}
    return replace(Finding.of_photo(photo, 1 - quality, words, **facts), suggested=suggested)


def _describe(finding: Finding, name: str, today: Today) -> Message | None:
    """Return the words while the photo still has the label that was doubted."""
    return finding.words if today[name][0] == finding.labels[0] else None


_FORM = FindingForm(ABOUT_PHOTO, {"label": is_text, "suggested": is_text, "label_quality": is_share})
KINDS = (
    IssueKind(
        key="label", table="label_issues", title=Message("Label doubts"), badge=Message("Label?"), order=10,
        find=_find, form=_FORM, measure="label_quality", needs_open=True, describe=_describe,
    ),
)  # fmt: skip
