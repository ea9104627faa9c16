"""The doubtful labels of a catalog's photos; a result is kept until anything that it follows from changes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..catalog import Catalog
from ..errors import CatalogError, CheckError, Message, MissingExtraError, pack_message, unpack_message
from ..issues import CheckedPhotos, LabelIssues, find_label_issues
from .inputs import CheckInputs

Array = npt.NDArray[Any]

_RESULT = "label issues"
_METHOD = "labels-1"


def check_labels(
    catalog: Catalog, checked: CheckedPhotos, inputs: CheckInputs
) -> tuple[LabelIssues | None, list[Message]]:
    """Check the labels of the usable photos; returns what was found of these, or None, and notes."""
    rows = checked.usable
    lacking = int(checked.is_open.sum()) - len(rows)
    notes = []
    if lacking:
        notes.append(Message("{n} photos have no features, so their labels were not checked.", n=lacking))
    labels = [checked.photos[i].label for i in rows]
    if len(set(labels)) < 2:
        return None, [*notes, Message("Labels are checked where there are two classes or more.")]
    probs = None if inputs.pred_probs is None else np.asarray(inputs.pred_probs, np.float64)[rows]
    vocab = None if inputs.vocab is None else list(inputs.vocab)
    names = [checked.copies.names[i] for i in rows]
    try:
        issues = _find_or_read(catalog, checked.features[rows], labels, names, probs, vocab)
    except (CheckError, MissingExtraError) as e:
        return None, [*notes, Message("Labels were not checked. {reason}", reason=e.message)]
    return issues, [*notes, *map(unpack_message, issues.notes)]


def _find_or_read(
    catalog: Catalog,
    features: Array,
    labels: Sequence[str],
    groups: Sequence[str],
    probs: Array | None,
    vocab: list[str] | None,
) -> LabelIssues:
    digest = hashlib.sha256(json.dumps([_METHOD, labels, groups, vocab]).encode())
    for array in (features, probs):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    key = digest.hexdigest()
    kept = _unpack(catalog.read_result(_RESULT, key))
    if kept is not None:
        return kept
    issues = find_label_issues(features, labels, groups, pred_probs=probs, vocab=vocab)
    packed = _pack(issues)
    with contextlib.suppress(CatalogError):  # that it cannot be kept harms nobody
        catalog.keep_result(_RESULT, key, packed)
    return _unpack(packed) or issues


def _pack(issues: LabelIssues) -> bytes:
    buffer = io.BytesIO()
    arrays = {name: np.asarray(value) for name, value in vars(issues).items()}
    arrays["pred_probs"] = np.asarray(issues.pred_probs, np.float32)
    arrays["notes"] = np.array([pack_message(note) for note in issues.notes], str)
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpack(packed: bytes | None) -> LabelIssues | None:
    if packed is None:
        return None
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            found: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        names = {name: tuple(map(str, found[name])) for name in ("vocab", "notes")}
        return LabelIssues(**{**found, **names})
    except Exception:  # noqa: BLE001 - it is a cache: whatever is wrong with it, it is computed again
        return None
