"""The last check of a folder, kept in its catalog: what the Clean tab begins with before it looks anew."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from ..catalog import Catalog
from ..errors import CatalogError, Message, pack_message, unpack_message
from ..issues import Finding
from .report import CheckReport, ClassCount, FeatureSource

_RESULT, _KEY = "last check", "report-1"
_MOST_BYTES = 2**28


def keep_report(catalog: Catalog, report: CheckReport) -> None:
    """Keep a report in place of an earlier one; that it cannot be kept harms nobody."""
    found = {key: [_pack(finding) for finding in rows] for key, rows in report.findings.items()}
    document = {
        "folder": report.folder,
        "photos": report.photos,
        "classes": {name: [c.n, c.warning and pack_message(c.warning)] for name, c in report.classes.items()},
        "findings": found,
        "features": [report.features.source, report.features.out_of_sample],
        "sealed": report.sealed,
        "notes": [pack_message(note) for note in report.notes],
        "answers": report.answers,
    }
    with contextlib.suppress(CatalogError):
        catalog.keep_result(_RESULT, _KEY, zlib.compress(json.dumps(document).encode(), 1))


def read_report(catalog: Catalog) -> CheckReport | None:
    """Return the report that was kept; None where there is none, or one that fastclf did not write."""
    packed = catalog.read_result(_RESULT, _KEY)
    if packed is None:
        return None
    try:
        # a folder's catalog may be anybody's
        return _unpack_report(json.loads(zlib.decompressobj().decompress(packed, _MOST_BYTES)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error):
        return None


def _unpack_report(found: Mapping[str, Any]) -> CheckReport:
    classes = {
        str(name): ClassCount(int(n), w and unpack_message(w)) for name, (n, w) in found["classes"].items()
    }
    source, out_of_sample = found["features"]
    return CheckReport(
        folder=str(found["folder"]),
        photos=int(found["photos"]),
        classes=classes,
        findings={key: tuple(map(_unpack, rows)) for key, rows in found["findings"].items()},
        features=FeatureSource(str(source), None if out_of_sample is None else bool(out_of_sample)),
        sealed=int(found["sealed"]),
        notes=tuple(unpack_message(note) for note in found["notes"]),
        answers={str(name): (str(label), float(p)) for name, (label, p) in found["answers"].items()},
    )


def _pack(finding: Finding) -> list[Any]:
    row = [finding.files, finding.labels, finding.score, pack_message(finding.words), dict(finding.facts)]
    return [*row, finding.suggested]


def _unpack(row: list[Any]) -> Finding:
    files, labels, score, words, facts, suggested = row
    named = [*files, *labels, *([] if suggested is None else [suggested])]
    sizes = {len(facts[name]) for name in ("turned", "mirrored") if name in facts} | {len(files)}
    if not all(isinstance(name, str) for name in named) or len(sizes) != 1:
        raise ValueError
    return Finding(tuple(files), tuple(labels), float(score), _read_words(words), dict(facts), suggested)


def _read_words(packed: object) -> Message:
    if not isinstance(packed, str):
        raise TypeError
    return unpack_message(packed)
