"""Doubtful labels among the photos that may be looked at; a result is kept until anything of it changes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..catalog import Store
from ..errors import CatalogError, CheckError, Message, MissingExtraError, pack_message, unpack_message
from ..issues import find_label_issues
from ..photos import Photo

if TYPE_CHECKING:
    from .findings import Source

Array = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]

_RESULT = "label issues"
METHOD = "labels-1"


@dataclass(frozen=True)
class LabelCheck:
    """What checking the labels found.

    Attributes
    ----------
    issues
        Positions of the photos with a doubtful label.
    suggested, quality
        {position: label} and {position: label quality in [0, 1]} of every checked photo.
    answers
        {name: (label, probability)} of every checked photo.
    notes
        Sentences for the user.
    done
        Whether labels were checked.
    """

    issues: tuple[int, ...] = ()
    suggested: Mapping[int, str] = field(default_factory=dict)
    quality: Mapping[int, float] = field(default_factory=dict)
    answers: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    done: bool = False


def check_labels(
    store: Store,
    photos: Sequence[Photo],
    features: Array,
    groups: Sequence[str],
    open_rows: Flags,
    source: Source,
) -> LabelCheck:
    """Check the labels of the photos whose row is open and has features."""
    rows = np.flatnonzero(open_rows & np.isfinite(features).all(1)) if features.size else np.array([], int)
    lacking = int(open_rows.sum()) - len(rows)
    words = Message("{n} photos have no features, so their labels were not checked.", n=lacking)
    notes = [words] if lacking else []
    labels = [photos[i].label for i in rows]
    if len(set(labels)) < 2:
        return LabelCheck(notes=(*notes, "Labels are checked where there are two classes or more."))
    probs = None if source.pred_probs is None else np.asarray(source.pred_probs, np.float64)[rows]
    vocab = None if source.vocab is None else list(source.vocab)
    names = [groups[i] for i in rows]
    key = _make_key(features[rows], labels, names, probs, vocab)
    try:
        found = _load(store, key)
        if found is None:
            issues = find_label_issues(features[rows], labels, names, pred_probs=probs, vocab=vocab)
            found = {
                "vocab": list(issues.vocab),
                "pred_probs": np.asarray(issues.pred_probs, np.float32),
                "label_quality": np.asarray(issues.label_quality, np.float64),
                "suggested": np.asarray(issues.suggested),
                "is_issue": np.asarray(issues.is_issue, bool),
                "notes": np.array([pack_message(note) for note in issues.notes], str),
            }
            _keep(store, key, found)
    except (CheckError, MissingExtraError) as e:
        words = Message("Labels were not checked. {reason}", reason=e.message)
        return LabelCheck(notes=(*notes, words))
    return _describe(photos, rows, found, [*notes, *(unpack_message(str(n)) for n in found["notes"])])


def _describe(photos: Sequence[Photo], rows: Array, found: Mapping[str, Any], notes: list[str]) -> LabelCheck:
    probs, vocab = found["pred_probs"], found["vocab"]
    answers = {}
    if probs.size and np.isfinite(probs).all():
        best = probs.argmax(1)
        answers = {photos[row].name: (vocab[best[n]], float(probs[n, best[n]])) for n, row in enumerate(rows)}
    return LabelCheck(
        tuple(int(i) for i in rows[found["is_issue"]]),
        {int(row): str(label) for row, label in zip(rows, found["suggested"], strict=True)},
        {int(r): float(q) for r, q in zip(rows, found["label_quality"], strict=True) if np.isfinite(q)},
        answers,
        tuple(notes),
        True,
    )


def _make_key(
    features: Array,
    labels: Sequence[str],
    groups: Sequence[str],
    probs: Array | None,
    vocab: list[str] | None,
) -> str:
    digest = hashlib.sha256(json.dumps([METHOD, labels, groups, vocab]).encode())
    digest.update(np.ascontiguousarray(features).tobytes())
    if probs is not None:
        digest.update(np.ascontiguousarray(probs).tobytes())
    return digest.hexdigest()


def _keep(store: Store, key: str, found: Mapping[str, Any]) -> None:
    """Keep a result; that it cannot be kept harms nobody."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in found.items()}
    np.savez_compressed(buffer, **arrays)
    try:
        with store.transaction():
            store.write(
                "INSERT OR REPLACE INTO results (name, key, value) VALUES (?, ?, ?)",
                (_RESULT, key, buffer.getvalue()),
            )
    except CatalogError:
        return


def _load(store: Store, key: str) -> dict[str, Any] | None:
    rows = store.read("SELECT value FROM results WHERE name = ? AND key = ?", (_RESULT, key))
    if not rows:
        return None
    try:
        with np.load(io.BytesIO(rows[0]["value"]), allow_pickle=False) as arrays:
            found: dict[str, Any] = {name: arrays[name] for name in arrays.files}
    except Exception:  # noqa: BLE001 - it is a cache: whatever is wrong with it, it is computed again
        return None
    return {**found, "vocab": [str(v) for v in found["vocab"]]}
