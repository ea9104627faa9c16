"""The last check is kept beside the photos, and what somebody else put there is passed over."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastclf import Catalog
from fastclf.check import check_catalog, keep_report, read_report
from fastclf.check.kept import _KEY, _PHOTO_BYTES, _RESULT
from fastclf.errors import Message
from fastclf.issues import Finding

from ..drawing import draw_photos
from ..scanned import scanned


@pytest.fixture(scope="module")
def scanned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_photos(tmp_path_factory.mktemp("kept") / "photos", per_class=4)
    (folder / "red" / "copy.png").write_bytes((folder / "red" / "000.png").read_bytes())
    (folder / "blue" / "conflict.png").write_bytes((folder / "red" / "001.png").read_bytes())
    (folder / "red" / "broken.png").write_bytes(b"broken")
    scanned(folder).close()
    return folder


@pytest.fixture(scope="module")
def checked_once(scanned_once: Path) -> Path:
    """The same with a kept report."""
    folder = shutil.copytree(scanned_once, scanned_once.with_name("checked"))
    with scanned(folder) as catalog:
        keep(catalog)
    return folder


@pytest.fixture
def catalog(scanned_once: Path, tmp_path: Path) -> Catalog:
    return scanned(shutil.copytree(scanned_once, tmp_path / "photos"))


@pytest.fixture
def checked(checked_once: Path, tmp_path: Path) -> Catalog:
    return scanned(shutil.copytree(checked_once, tmp_path / "photos"))


def test_a_report_comes_back_as_it_was(catalog: Catalog) -> None:
    assert read_report(catalog) is None
    report = check_catalog(catalog, labels=False)
    assert report.findings["conflict"]
    photos = catalog.photos(removed=True).photos
    keep_report(catalog, report, photos)
    found = read_report(catalog)
    assert found is not None
    assert found.is_of(photos)
    kept = found.select(photos)
    assert kept.to_dict() == report.to_dict()
    for key, rows in report.findings.items():
        assert [(f.files, f.labels, f.words, f.score) for f in kept.findings[key]] == [
            (f.files, f.labels, f.words, f.score) for f in rows
        ]


LABEL = ["red/000.png"], ["red"], 0.97, "words", {"file": "red/000.png", "label": "red", "suggested": "blue",
                                                    "label_quality": 0.03}, "blue"  # fmt: skip


def facts(found: dict[str, Any], kind: str = "conflict") -> dict[str, Any]:
    return found["findings"][kind][0][4]


def cell(kind: str, column: int, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["findings"][kind][0].__setitem__(column, value)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: facts(found).update(turned=[]),
        lambda found: facts(found).update(turned=[[], []]),
        lambda found: facts(found).update(turned=[0, 45]),
        lambda found: facts(found).update(mirrored=[1, 0]),
        lambda found: facts(found).update(tier=["bytes", "bytes"]),
        lambda found: facts(found).update(score="high"),
        lambda found: facts(found).update(best="red/003.png"),
        lambda found: facts(found).update(more=1),
        lambda found: facts(found).clear(),
        lambda found: found["findings"]["conflict"][0].pop(),
        cell("conflict", 0, [7, 8]),
        cell("conflict", 0, ["red/001.png"]),
        cell("conflict", 0, ["red/001.png"] * 2),
        cell("conflict", 1, []),
        cell("conflict", 2, float("inf")),
        cell("conflict", 2, 10**400),
        cell("conflict", 3, 7),
        cell("conflict", 3, "\ud800"),
        cell("conflict", 5, "blue"),
        cell("balance", 0, ["red/000.png"]),
        cell("unreadable", 0, []),
        lambda found: found["findings"].update(label=[[[], *LABEL[1:]]]),
        lambda found: found["findings"].update(label=[[*LABEL[:5], "green"]]),
        lambda found: found["findings"].update(conflict=None),
        lambda found: found.update(photos=float("inf")),
        lambda found: found.update(photos=True),
        lambda found: found.update(sealed=float("-inf")),
        lambda found: found.update(sealed=-1),
        lambda found: found["classes"].update(red=[float("inf"), None]),
        lambda found: found.update(answers={"red/000.png": "blue"}),
        lambda found: found.update(answers={"red/000.png": ["blue", float("nan")]}),
        lambda found: found.update(answers={"red/000.png": ["blue", 1e308]}),
        lambda found: found.update(notes=[7]),
        lambda found: found.update(seen=[]),
        lambda found: found.pop("seen"),
        lambda found: found.pop("classes"),
    ],
)
def test_a_report_that_fastclf_did_not_write_is_none(
    checked: Catalog, change: Callable[[dict[str, Any]], object]
) -> None:
    found = unpack(checked)
    assert read_report(checked) is not None
    change(found)
    put(checked, json.dumps(found))
    assert read_report(checked) is None
    checked.keep_result(_RESULT, _KEY, b"no zlib")
    assert read_report(checked) is None


def test_findings_of_a_kind_that_is_not_known_are_left_out(catalog: Catalog) -> None:
    found = keep(catalog)
    found["findings"].update(zzz=[[["red/000.png"], ["red"], 0.5, "words", {}, None]], label=[LABEL])
    put(catalog, json.dumps(found))
    kept = read_report(catalog)
    assert kept is not None
    assert "zzz" not in kept.report.findings
    assert kept.report.findings["label"][0].suggested == "blue"


def test_no_more_is_unpacked_than_reports_of_so_many_photos_take(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    own = SimpleNamespace(dumps=json.dumps, loads=lambda data: (read.append(len(data)), json.loads(data))[1])
    monkeypatch.setattr("fastclf.check.kept.json", own)
    put(catalog, "[" + "{}," * 10_000_000 + "{}]")
    assert read_report(catalog) is None
    assert not read
    keep(catalog)
    assert read_report(catalog) is not None
    assert len(read) == 1


def test_memory_that_does_not_suffice_is_a_report_that_is_not_there(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(found: object) -> object:
        raise MemoryError

    keep(catalog)
    monkeypatch.setattr("fastclf.check.kept._unpack_report", fail)
    assert read_report(catalog) is None


def test_a_number_in_the_place_of_a_result_is_none(catalog: Catalog) -> None:
    keep(catalog)
    catalog.keep_result(_RESULT, _KEY, 2**40)  # type: ignore[arg-type]
    assert read_report(catalog) is None


def test_a_report_of_many_doubts_is_small_enough_to_be_read(catalog: Catalog) -> None:
    keep(catalog)
    kept = read_report(catalog)
    assert kept is not None
    (broken,) = kept.report.findings["unreadable"]
    label = Finding(*LABEL[:3], Message("{a}", a="words"), *LABEL[4:])  # type: ignore[misc]
    n = 10_000
    many = replace(
        kept.report,
        findings={"unreadable": (broken,) * (n // 10), "label": (label,) * (n // 10)},
        answers={f"a class of photos/IMG_20260101_{i:06}.jpeg": ("a class", 1 / (i + 3)) for i in range(n)},
    )
    photo = catalog.photos().photos[0]
    seen = [replace(photo, name=name) for name in many.answers]
    keep_report(catalog, many, seen)
    packed = catalog.read_result(_RESULT, _KEY)
    assert packed is not None
    assert len(zlib.decompress(packed)) / n < _PHOTO_BYTES / 3


def test_nothing_is_told_of_a_photo_whose_content_is_another_one(catalog: Catalog) -> None:
    keep(catalog)
    red = catalog.folder / "red"
    names = {"red/copy.png": "red/003.png", "red/003.png": "red/copy.png"}
    data = {name: (catalog.folder / name).read_bytes() for name in names}
    for name, other in names.items():
        (catalog.folder / name).write_bytes(data[other])
    (red / "002.png").unlink()
    with Catalog(catalog.folder) as other_process:
        other_process.scan()
    kept, photos = read_report(catalog), catalog.photos(removed=True).photos
    assert kept is not None
    assert not kept.is_of(photos)
    told = {name for rows in kept.select(photos).findings.values() for row in rows for name in row.files}
    assert told.isdisjoint(names)
    assert "blue/conflict.png" in told


def keep(catalog: Catalog) -> dict[str, Any]:
    photos = catalog.photos(removed=True).photos
    keep_report(catalog, check_catalog(catalog, labels=False), photos)
    return unpack(catalog)


def unpack(catalog: Catalog) -> dict[str, Any]:
    packed = catalog.read_result(_RESULT, _KEY)
    assert packed is not None
    return json.loads(zlib.decompress(packed))


def put(catalog: Catalog, text: str) -> None:
    catalog.keep_result(_RESULT, _KEY, zlib.compress(text.encode()))
