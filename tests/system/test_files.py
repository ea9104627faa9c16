"""Texts of strangers, made fit to be stored, shown and opened in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.system import clean_text, csv_bytes, defuse_formula, swap_folder


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (None, ""),
        (7, "7"),
        (" two\r\nlines\x00 ", "two  lines"),
        ("gnp.exe\u202e", "gnp.exe"),
        ("half a \ud800 pair", "half a   pair"),
        # the joiner of a Persian word stays
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_text_becomes_one_line_without_what_is_not_seen(text: object, clean: str) -> None:
    assert clean_text(text, 200) == clean


@pytest.mark.parametrize(
    "start",
    [
        "=",
        "+",
        "-",
        "@",
        "\t",
        "\r",
        "\n",
        " =",
        "\uff1d",
        "\uff0b",
        "\uff0d",
        "\uff20",
        "\ufe66",
        "\u200b=",
        "\ufeff\uff1d",
        "\u2212",
    ],
)
def test_no_cell_of_a_stranger_is_run_as_a_formula(start: str) -> None:
    assert defuse_formula(f"{start}cmd") == f"'{start}cmd"
    assert [defuse_formula(cell) for cell in ("a=b", "", -1, None)] == ["a=b", "", -1, None]


def test_a_table_quotes_what_it_must_and_keeps_a_lone_carriage_return_inside_its_cell() -> None:
    assert csv_bytes(["a", "b"], [["x, y", 'say "hi"']]) == b'a,b\n"x, y","say ""hi"""\n'
    assert csv_bytes(["a"], [["x\ry"]]) == b'"a"\n"x\ry"\n'


def test_a_folder_that_cannot_be_swapped_in_is_an_error_after_some_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging, target = tmp_path / "new", tmp_path / "model"
    staging.mkdir()
    tried: list[Path] = []
    rename = Path.replace

    def replace(path: Path, to: Path) -> Path:
        if path != staging:
            return rename(path, to)
        tried.append(to)
        target.mkdir()  # a reader in between brought the old one back
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="not empty"):
        swap_folder(staging, target, attempts=3)
    assert len(tried) == 3
    assert staging.is_dir()
