"""The last check of a folder, kept in its catalog: what the Clean tab begins with before it looks anew.

A folder's catalog may be anybody's: what does not look like a report of fastclf is passed over.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..catalog import Catalog
from ..errors import CatalogError, Message, pack_message, unpack_message
from ..issues import Finding, FindingForm, is_count, is_share, is_text, list_kinds
from ..photos import Photo
from .report import CheckReport, ClassCount, FeatureSource

_RESULT, _KEY = "last check", "report-2"
# Bytes of JSON for each photo, and on top. An honest report takes some 200 a photo (10,000 photos, one in
# five doubtful), and a stranger's becomes 19 times as many in memory.
_PHOTO_BYTES, _MORE_BYTES = 1024, 2**20
_MOST_BYTES = 2**26
_HASH_DIGITS = 16


@dataclass(frozen=True)
class KeptReport:
    """A report that was kept, and what the check looked at.

    Attributes
    ----------
    report
        The report as it was kept.
    seen
        {file: start of its hash} of the photos that were there.
    """

    report: CheckReport
    seen: Mapping[str, str]

    def is_of(self, photos: Iterable[Photo]) -> bool:
        """Tell whether these photos are the ones that were checked, and all of them."""
        return self.seen == _list_hashes(photos)

    def select(self, photos: Iterable[Photo]) -> CheckReport:
        """Return what still holds of these photos: nothing about a file whose content is another one."""
        other: set[str] = set()
        for name, digest in _list_hashes(photos).items():
            if self.seen.get(name) != digest:
                other.add(name)
        findings = {
            key: tuple(finding for finding in rows if other.isdisjoint(finding.files))
            for key, rows in self.report.findings.items()
        }
        answers = {name: said for name, said in self.report.answers.items() if name not in other}
        return replace(self.report, findings=findings, answers=answers)


def keep_report(catalog: Catalog, report: CheckReport, seen: Iterable[Photo]) -> KeptReport:
    """Keep a report in place of an earlier one, and return it; that it cannot be kept harms nobody.

    `seen` are the photos, those taken out too, as they were before the check began.
    """
    kept = KeptReport(report, _list_hashes(seen))
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
        "seen": kept.seen,
    }
    with contextlib.suppress(CatalogError):
        catalog.keep_result(_RESULT, _KEY, zlib.compress(json.dumps(document).encode(), 1))
    return kept


def read_report(catalog: Catalog) -> KeptReport | None:
    """Return the report that was kept; None where there is none, or one that fastclf did not write."""
    packed = catalog.read_result(_RESULT, _KEY)
    if packed is None:
        return None
    n = len(catalog.photos(removed=True).photos)
    most = min(_PHOTO_BYTES * n + _MORE_BYTES, _MOST_BYTES)
    try:
        data = zlib.decompressobj().decompress(packed, most + 1)
        if len(data) > most:
            return None
        return _unpack_report(json.loads(data))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the folder is checked again
        return None


def _list_hashes(photos: Iterable[Photo]) -> dict[str, str]:
    return {photo.name: photo.sha256[:_HASH_DIGITS] for photo in photos}


def _unpack_report(found: Mapping[str, Any]) -> KeptReport:
    source, out_of_sample = found["features"]
    if not (out_of_sample is None or isinstance(out_of_sample, bool)):
        raise TypeError
    report = CheckReport(
        folder=_take(is_text, found["folder"]),
        photos=_take(is_count, found["photos"]),
        classes={_take(is_text, name): _unpack_class(*row) for name, row in found["classes"].items()},
        findings=_unpack_findings(found["findings"]),
        features=FeatureSource(_take(is_text, source), out_of_sample),
        sealed=_take(is_count, found["sealed"]),
        notes=tuple(map(_read_words, found["notes"])),
        answers={
            _take(is_text, name): (_take(is_text, label), float(_take(is_share, p)))
            for name, (label, p) in found["answers"].items()
        },
    )
    return KeptReport(report, {name: _take(is_text, digest) for name, digest in found["seen"].items()})


def _take(is_right: Callable[[object], bool], value: Any) -> Any:
    if not is_right(value):
        raise ValueError
    return value


def _unpack_class(n: object, warning: object) -> ClassCount:
    return ClassCount(_take(is_count, n), None if warning is None else _read_words(warning))


def _unpack_findings(found: Mapping[str, list[list[Any]]]) -> dict[str, tuple[Finding, ...]]:
    """Return the findings of the kinds that are known; all are refused if one is not of its kind."""
    return {
        kind.key: tuple(_unpack(row, kind.form) for row in found[kind.key])
        for kind in list_kinds()
        if kind.key in found
    }


def _pack(finding: Finding) -> list[Any]:
    row = [finding.files, finding.labels, finding.score, pack_message(finding.words), dict(finding.facts)]
    return [*row, finding.suggested]


def _unpack(row: list[Any], form: FindingForm) -> Finding:
    files, labels, score, words, facts, suggested = row
    for name in (*files, *labels):
        _take(is_text, name)
    finding = Finding(tuple(files), tuple(labels), score, _read_words(words), facts, suggested)
    if not form.fits(finding):
        raise ValueError
    return finding


def _read_words(packed: object) -> Message:
    words = unpack_message(_take(is_text, packed))
    _take(is_text, words)
    return words
