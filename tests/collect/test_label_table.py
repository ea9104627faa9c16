"""Labels out of a table, as a ColReader reads them, sort photos of one folder into classes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fastclf.collect import collect_photos
from fastclf.collect.label_table import read_labels
from fastclf.collect.labelling import LabelRule
from fastclf.collect.recipes.recipe_file import parse_recipe
from fastclf.errors import UsageError

from ..drawing import draw_photos

RECIPE = """
name = "flowers"
title = "Which?"
[folder]
path = "images"
[folder.label]
by = "table"
table = "labels.csv"
"""
TABLES = {
    "as Kaggle's": "id,breed\na1,pug\nb2,boxer\n",
    "as ColReader's": "fname,labels,is_valid\ntrain/a1.jpg,pug,True\ntrain/b2.jpg,boxer,False\n",
    "two columns of any name": "photo of;it is\na1.jpg;pug\nb2.jpg;boxer\n",
    "of Windows": "\ufeffImage,Class\r\ntrain\\a1.jpg,pug\r\n.\\train\\b2.jpg,boxer\r\n",
    "tabs": "file\tx\tlabel\na1.jpg\t1\tpug\nb2.jpg\t2\tboxer\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_labels_is_read_however_it_is_written(kind: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes(TABLES[kind].encode())
    rule = LabelRule(by="table", labels=read_labels(table))
    assert [rule.find_label(f"photos/train/{name}.jpg") for name in ("a1", "b2", "c3")] == [
        "pug", "boxer", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,c\n1,2,3\n", r"has the columns a, b, c; name that of the files"),
        ("file,label\nx.jpg,cat\nx.jpg,dog\n", r"line 3: x.jpg is dog here and cat further up"),
        ("", "has the columns none"),
        (None, r"cannot be read \(No such file"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(text: str | None, words: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=words):
        parse_recipe(RECIPE, "mine.toml", tmp_path)


def test_columns_may_be_named_and_a_way_that_reads_no_table_takes_none(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("a,File Name,b,Kind\n1,x.jpg,2,cat\n")
    recipe = parse_recipe(RECIPE + 'file = "file name"\nlabel = "Kind"\n', "mine.toml", tmp_path)
    assert recipe.folder
    assert recipe.folder.rule.find_label("deep/x.jpg") == "cat"
    with pytest.raises(UsageError, match="label belongs to by"):
        parse_recipe(RECIPE.replace('"table"\ntable = "labels.csv"', '"folder"\nlabel = "x"'), "m.toml")
    with pytest.raises(UsageError, match=r"needs table = "):
        parse_recipe(RECIPE.replace('table = "labels.csv"', ""), "m.toml")


def test_photos_of_one_folder_are_sorted_into_classes_by_their_table(tmp_path: Path) -> None:
    drawn = draw_photos(tmp_path / "drawn", per_class=3)
    (tmp_path / "images").mkdir()
    rows = ["image,label"]
    for file in sorted(drawn.rglob("*.png")):
        shutil.copy(file, tmp_path / "images" / f"{file.parent.name}{file.name}")
        rows.append(f"{file.parent.name}{file.stem},{file.parent.name} one")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    recipe = parse_recipe(RECIPE, "flowers.toml", tmp_path)
    summary = collect_photos(recipe, tmp_path / "photos", say=lambda _: None, bars=False, sheets=False)
    found = {p.parent.name for p in (tmp_path / "photos").rglob("*.png")} | {
        p.parent.name for p in (tmp_path / "photos").rglob("*.jpg")
    }
    assert {"red one", "green one", "blue one"} <= found
    assert "9" in summary.to_text()
