"""Tables and names as people save them."""

from __future__ import annotations

import unicodedata

import pytest

from fastclf.errors import UsageError
from fastclf.system import find_near_names, read_table, unify_name

ROWS = [["Path", " Split "], ["Bär/1.jpg", "train"], ["a, b;c/2.jpg", "test"]]


def write(separator: str, end: str, encoding: str, before: str = "") -> bytes:
    lines = [separator.join(f'"{cell}"' if set(",;") & set(cell) else cell for cell in row) for row in ROWS]
    return (before + end.join([lines[0], "", *lines[1:], separator, ""])).encode(encoding)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_table_reads_the_same_however_it_was_saved(separator: str, end: str, encoding: str) -> None:
    table = read_table(write(separator, end, encoding), "t.csv", ["path"])
    assert table.columns == ("path", "split")
    assert [tuple(row.values()) for _, row in table.rows] == [tuple(row) for row in ROWS[1:]]


def test_zeros_behind_a_table_do_not_change_its_letters() -> None:
    table = read_table(write(",", "\n", "utf-8") + bytes(9), "t.csv", ["path"])
    assert table.rows == read_table(write(",", "\n", "utf-8"), "t.csv", ["path"]).rows


def test_what_a_spreadsheet_says_of_its_separator_is_no_row() -> None:
    table = read_table(write(";", "\r\n", "utf-8-sig", "sep=;\r\n"), "t.csv", ["path"])
    assert table.columns == ("path", "split")
    assert [line for line, _ in table.rows] == [4, 5]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"path,split\na/1.jpg,train,x\n", "line 2 has 3 cells"),
        (b'path\n"a\n', "line 2: this is no CSV"),
        (b"PK\3\4" + bytes(90), "is no text; save the table as CSV"),
    ],
)
def test_a_row_that_fits_nothing_is_refused_by_its_line(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_table(data, "t.csv", ["path"])


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_has_one_spelling(form: str) -> None:
    for name in ("Bär", "Hündin", "Café crème", "Ñandú", "한국"):
        assert unify_name(unicodedata.normalize(form, name)) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["cat", "Cat", "dog"], [("Cat", "cat")]),
        (["cat ", "cat"], [("cat", "cat ")]),
        (["cat", "cats"], [("cat", "cats")]),
        (["hot dog", "hot_dog", "hot-dog"], [("hot dog", "hot-dog", "hot_dog")]),
        (["ｃａｔ", "cat"], [("cat", "ｃａｔ")]),
        (["bus", "glass", "grass", "C", "C++", "cat", "bat"], []),
        (["do\u00adg", "dog\u200b", "dog"], [("dog", "dog\u200b", "do\u00adg")]),
        (["naive", "naïve", "İzmir", "izmir"], [("izmir", "İzmir"), ("naive", "naïve")]),
        (["か", "が", "कल", "काल", "ガラス", "カラス"], []),
        ([str(i) for i in range(20)], []),
    ],
)
def test_names_that_differ_little_are_told(names: list[str], groups: list[tuple[str, ...]]) -> None:
    assert find_near_names(names) == groups
