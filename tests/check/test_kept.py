"""The last check is kept beside the photos, and what somebody else put there is passed over."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from fastclf import Catalog
from fastclf.check import check_catalog, keep_report, read_report
from fastclf.check.kept import _KEY, _RESULT

from ..drawing import draw_photos


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = draw_photos(tmp_path / "photos", per_class=4)
    (folder / "red" / "copy.png").write_bytes((folder / "red" / "000.png").read_bytes())
    (folder / "blue" / "conflict.png").write_bytes((folder / "red" / "001.png").read_bytes())
    (folder / "red" / "broken.png").write_bytes(b"broken")
    found = Catalog(folder)
    found.scan()
    return found


def test_a_report_comes_back_as_it_was(catalog: Catalog) -> None:
    assert read_report(catalog) is None
    report = check_catalog(catalog, labels=False)
    assert report.findings["conflict"]
    keep_report(catalog, report)
    kept = read_report(catalog)
    assert kept is not None
    assert kept.to_dict() == report.to_dict()
    for key, rows in report.findings.items():
        assert [(f.files, f.labels, f.words, f.score) for f in kept.findings[key]] == [
            (f.files, f.labels, f.words, f.score) for f in rows
        ]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["findings"]["conflict"][0][4].update(turned=[]),
        lambda found: found["findings"]["conflict"][0].pop(),
        lambda found: found["findings"]["conflict"][0].__setitem__(0, [7, 8]),
        lambda found: found["findings"]["conflict"][0].__setitem__(3, 7),
        lambda found: found.update(answers={"red/000.png": "blue"}),
        lambda found: found.pop("classes"),
    ],
)
def test_a_report_that_fastclf_did_not_write_is_none(catalog: Catalog, change: object) -> None:
    keep_report(catalog, check_catalog(catalog, labels=False))
    found = json.loads(zlib.decompress(catalog.read_result(_RESULT, _KEY)))
    change(found)
    catalog.keep_result(_RESULT, _KEY, zlib.compress(json.dumps(found).encode()))
    assert read_report(catalog) is None
    catalog.keep_result(_RESULT, _KEY, b"no zlib")
    assert read_report(catalog) is None
