"""What a collection brought: numbers, words, a table of every address, a sheet for each class."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf import Catalog
from fastclf.catalog import DUPLICATE, REFUSED, STORED, WAITING, Outcome
from fastclf.collect import CollectSummary
from fastclf.collect import summary as summary_module
from fastclf.collect.summary import ClassCount, count_classes, fold_reason, write_sheets, write_table
from fastclf.system import hash_file

from ..drawing import COLOURS, draw_photo, draw_photos
from ..scanned import scanned


@pytest.fixture(scope="module")
def scanned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_photos(tmp_path_factory.mktemp("summary") / "photos", per_class=4)
    scanned(folder).close()
    return folder


@pytest.fixture
def catalog(scanned_once: Path, tmp_path: Path) -> Iterator[Catalog]:
    """Four photos each of three colours."""
    with scanned(shutil.copytree(scanned_once, tmp_path / "photos")) as catalog:
        yield catalog


def record(catalog: Catalog, label: str, *outcomes: tuple[str, str] | tuple[str, str, str]) -> None:
    """Give a class addresses with a status, a reason and a stored hash."""
    first = len(catalog.fetches.rows())
    catalog.fetches.add(label, [{"url": f"http://a/{label}/{first + i}"} for i in range(len(outcomes))])
    rows = catalog.fetches.rows()[first:]
    catalog.fetches.finish(
        [
            Outcome(row.id, status, reason, stored="".join(stored))
            for row, (status, reason, *stored) in zip(rows, outcomes, strict=True)
        ]
    )


def test_the_numbers_of_each_class_are_those_of_its_addresses_and_photos(catalog: Catalog) -> None:
    present = hash_file(catalog.folder / "red" / "000.png")
    record(
        catalog,
        "red",
        (STORED, "", present),
        (STORED, "", "0" * 64),
        (DUPLICATE, "is the same picture as red/000.png"),
        (REFUSED, "answered 404 (not found)"),
        (REFUSED, "has 60,000 x 60,000 pixels; scale it down"),
        (REFUSED, "has 50,000 x 70,000 pixels; scale it down"),
        (WAITING, "was not needed"),
        (WAITING, ""),
    )
    record(catalog, "", (REFUSED, "has a name that the labelling rule gives no class"))
    catalog.remove(["red/001.png"])
    counts = count_classes(catalog, ["red", "empty"])
    assert list(counts) == ["red", "empty", "", "blue", "green"]
    assert counts["red"] == count(
        {"answered 404 (not found)": 1, "has ... x ... pixels": 2},
        found=8, photos=3, stored=2, duplicate=1, refused=3, waiting=2, gone=1,
    )  # fmt: skip
    assert (counts["empty"], counts["blue"]) == (count(), count(photos=4))
    assert (counts[""].refused, counts[""].photos) == (1, 0)


def count(reasons: dict[str, int] | None = None, **numbers: int) -> ClassCount:
    all_of = dict.fromkeys(("found", "photos", "stored", "duplicate", "refused", "waiting", "gone"), 0)
    return ClassCount(**{**all_of, **numbers}, reasons=Counter(reasons or {}))


def summary(classes: dict[str, ClassCount], **more: object) -> CollectSummary:
    return CollectSummary(Path("photos/x"), classes, 3, 1.26, **more)  # type: ignore[arg-type]


def test_the_table_for_people_has_a_line_for_each_class_and_a_sum() -> None:
    classes = {
        "grizzly": count(
            {"answered 403 (forbidden)": 300},
            found=1500, photos=1100, stored=1000, duplicate=20, refused=300, waiting=180,
        ),
        "teddy": count({"is a web page, not a photo": 1}, found=10, photos=9, stored=8, duplicate=1, refused=1),
        "": count({"gives no class": 1}, found=1, refused=1),
    }  # fmt: skip
    lines = summary(classes, notes=("A note.",), table=Path("r/collected.csv")).to_text().splitlines()
    assert lines == [
        "class       photos  found  stored  doubled  refused  not needed",
        "grizzly      1,100  1,500   1,000       20      300         180",
        "teddy            9     10       8        1        1           0",
        "(no class)       0      1       0        0        1           0",
        "all          1,109  1,511   1,008       21      302         180",
        "Refused, because it:",
        "    300  answered 403 (forbidden)",
        "      1  is a web page, not a photo",
        "      1  gives no class",
        "A note.",
        "Every address and what became of it: r/collected.csv",
    ]


def test_only_the_commonest_reasons_are_listed_and_the_rest_is_counted() -> None:
    first = count({f"reason {i}": 20 - i for i in range(9)}, found=1)
    text = summary({"a": first, "b": count({"reason 0": 5}, found=1)}).to_text()
    assert "     25  reason 0\n     19  reason 1" in text
    assert ("reason 5" in text, "reason 6" in text) == (True, False)
    assert f"{14 + 13 + 12:>7,}  other reasons" in text
    assert first.reasons["reason 0"] == 20  # nothing was added to what was given


def test_where_nothing_was_fetched_only_photos_are_counted_and_sheets_are_named_by_their_folder() -> None:
    sheets = {label: Path("photos/x-report") / f"{label}.png" for label in "ab"}
    text = summary({"0": count(photos=5), "1": count(photos=7)}, sheets=sheets).to_text()
    lines = ["class  photos", "0           5", "1           7", "all        12"]
    assert text.splitlines() == [*lines, "2 contact sheets, one a class: photos/x-report"]
    assert (summary({}).to_text(), summary({}).photos) == ("No photos were found.", 0)


def test_the_summary_as_json_says_all_that_it_knows() -> None:
    red = count({"why": 4}, found=8, photos=3, stored=2, duplicate=1, refused=4, waiting=5, gone=6)
    more = {"notes": ("A note.",), "table": Path("r/c.csv"), "sheets": {"red": Path("r/red.png")}}
    assert json.loads(json.dumps(summary({"red": red}, **more).to_dict())) == {
        "folder": str(Path("photos/x")),
        "photos": 3,
        "new": 3,
        "seconds": 1.3,
        "classes": {
            "red": {
                "found": 8, "photos": 3, "stored": 2, "duplicate": 1, "refused": 4, "not_needed": 5, "gone": 6,
                "reasons": {"why": 4},
            }
        },
        "notes": ["A note."],
        "table": str(Path("r/c.csv")),
        "sheets": {"red": str(Path("r/red.png"))},
    }  # fmt: skip
    assert summary({}).to_dict()["table"] is None


@pytest.mark.parametrize(
    ("reason", "folded"),
    [
        ("has 60,000 x 60,000 pixels; at most 80,000,000 are read", "has ... x ... pixels"),
        ("has 21.3 MB, more than the 20 MB that are fetched", "has ... MB, more than the ... MB that are fetched"),
        ("leads to 10.0.0.1, which is no public address", "leads to ..., which is no public address"),
        ("leads to fe80::1, which is no public address", "leads to ..., which is no public address"),
        ("names the host cat7.example, which is not known", "names a host, which is not known"),
        ("names the host c, which is not known", "names a host, which is not known"),
        ("names port 8080; only 80 and 443 are fetched from", "names port ..."),
        ("is a web page, not a photo; use JPEG", "is a web page, not a photo"),
        ("is redirected more than 5 times", "is redirected more than ... times"),
        *((same, same) for same in (
            "answered 404 (not found)", "answered 429 (too many requests), like others of its host", "",
            "took longer than 30 s", "was cut off on its way", "does not begin with http:// or https://",
        )),
    ],
)  # fmt: skip
def test_refusals_of_one_kind_are_one_line(reason: str, folded: str) -> None:
    assert fold_reason(reason) == folded


def colour_at(sheet: Image.Image, place: int, columns: int) -> tuple[int, ...]:
    x, y = place % columns * 112 + 7 + 53, place // columns * 112 + 36 + 3 + 53
    return tuple(int(v) for v in np.asarray(sheet.convert("RGB"))[y - 5 : y + 5, x - 5 : x + 5].mean((0, 1)))


def is_colour(found: tuple[int, ...], label: str) -> bool:
    return max(abs(a - b) for a, b in zip(found, COLOURS[label], strict=True)) < 25


def test_a_sheet_shows_every_photo_of_its_class_in_rows(catalog: Catalog, tmp_path: Path) -> None:
    for i in range(4, 13):
        draw_photo("red", i).save(catalog.folder / "red" / f"{i:03d}.png")
    catalog.scan()
    catalog.relabel(["blue/000.png"], "green")
    sheets = write_sheets(catalog, tmp_path / "report")
    assert sheets == {label: tmp_path / "report" / f"{label}.png" for label in COLOURS}
    with Image.open(sheets["red"]) as sheet:
        assert sheet.size == (10 * 112 + 8, 2 * 112 + 44)
        assert all(is_colour(colour_at(sheet, place, 10), "red") for place in range(13))
        assert colour_at(sheet, 13, 10) == (236, 236, 236)
    with Image.open(sheets["blue"]) as sheet:
        assert sheet.size == (4 * 112 + 8, 112 + 44)  # room for the words
        assert is_colour(colour_at(sheet, 2, 4), "blue")
        assert colour_at(sheet, 3, 4) == (236, 236, 236)
    with Image.open(sheets["green"]) as sheet:  # as it is labelled today
        shown = [colour_at(sheet, place, 5) for place in range(5)]
        assert sum(is_colour(colour, "green") for colour in shown) == 4
        assert sum(is_colour(colour, "blue") for colour in shown) == 1


def test_of_a_large_class_a_hundred_are_shown_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    (folder / "mixed").mkdir(parents=True)
    for i in range(12):
        draw_photo("red" if i < 6 else "blue", i).save(folder / "mixed" / f"{i:03d}.png")
    monkeypatch.setattr(summary_module, "_MOST", 6)
    with Catalog(folder) as catalog:
        catalog.scan()
        sheet = Image.open(write_sheets(catalog, tmp_path / "report")["mixed"])
    found = [colour_at(sheet, place, 6) for place in range(6)]
    for label, shown in {"red": [True] * 3 + [False] * 3, "blue": [False] * 3 + [True] * 3}.items():
        assert [is_colour(colour, label) for colour in found] == shown


LABELS = ["über größe", "a b.c", "cat?", "con", "x" * 255, "ü" * 127, "熊" * 84, "it's <b>", "🐻", "-"]


@pytest.mark.parametrize("label", LABELS)
def test_an_odd_label_has_a_sheet_of_its_own(label: str, catalog: Catalog, tmp_path: Path) -> None:
    """A folder may have the longest name that there is, but not a file with more behind it."""
    labels = [label, "x" * 150 + "a", "x" * 150 + "b", "blue", "green"]
    for i in range(3):
        catalog.relabel([f"red/00{i}.png"], labels[i])
    catalog.remove(["red/003.png"])
    sheets = write_sheets(catalog, tmp_path / "report")
    assert (set(sheets), len(set(sheets.values()))) == (set(labels), 5)
    for path in sheets.values():
        assert (path.parent, path.name.startswith(".")) == (tmp_path / "report", False)
        with Image.open(path) as sheet:
            assert sheet.size == (4 * 112 + 8, 112 + 44)


def test_a_photo_without_a_small_picture_leaves_its_place_empty_under_a_head_that_says_what_is_shown(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = hash_file(catalog.folder / "red" / "001.png")
    real = catalog.thumbnail
    monkeypatch.setattr(catalog, "thumbnail", lambda sha256: None if sha256 == lost else real(sha256))
    sheets = {label: Image.open(path) for label, path in write_sheets(catalog, tmp_path / "report").items()}
    assert colour_at(sheets["red"], 1, 4) == (236, 236, 236)
    assert all(is_colour(colour_at(sheets["red"], place, 4), "red") for place in (0, 2, 3))
    # the heads are drawn; two classes of the same number of photos differ in their names alone
    red, blue = (np.asarray(sheets[label].convert("L"))[:36] for label in ("red", "blue"))
    assert (red < 100).any()
    assert (red != blue).any()


def test_sheets_and_table_are_written_over_those_of_an_earlier_run(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    before = write_sheets(catalog, folder)["red"].read_bytes()
    catalog.remove(["red/000.png"])
    assert write_sheets(catalog, folder)["red"].read_bytes() != before
    assert write_table(catalog, folder).read_bytes() == catalog.fetches.to_csv()
    record(catalog, "red", (REFUSED, "answered 404 (not found)"))
    assert write_table(catalog, tmp_path / "new") == tmp_path / "new" / "collected.csv"
    assert write_table(catalog, folder).read_bytes() == catalog.fetches.to_csv()
    assert sorted(p.name for p in folder.iterdir()) == ["blue.png", "collected.csv", "green.png", "red.png"]
