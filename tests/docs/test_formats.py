"""The pages about formats name every field that there is, and none that is not there."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow.parquet
import pytest
from PIL import Image

from fastclf import Catalog, ModelBundle
from fastclf.api import limits
from fastclf.catalog.edit_files import COLUMNS
from fastclf.catalog.store import Store
from fastclf.collect.recipes import recipe_file
from fastclf.dashboard.classify.model import MAX_PAGE_PIXELS
from fastclf.inbox import Claim, Inbox, build_report_zip
from fastclf.metrics import Metrics
from fastclf.model import Manifest, Preprocess
from fastclf.model.bundle import _NEEDED
from fastclf.model.manifest import LabelSets, Licences, Ood, Parity, SealedTest, TrainingRecord
from fastclf.photos import decode
from fastclf.score import score_photos

from ..received.taught import write_project
from .pages import REFERENCE
from .tables import read_tables

FORMATS = REFERENCE / "formats"
PARTS = {
    "bundle.json": Manifest, "preprocess": Preprocess, "ood": Ood, "sets": LabelSets, "sealed_test": SealedTest,
    "training": TrainingRecord, "licences": Licences, "parity": Parity,
}  # fmt: skip


def read_page(name: str) -> dict[str, list[str]]:
    return read_tables(FORMATS / f"{name}.md")


@pytest.mark.parametrize("part", PARTS)
def test_every_field_of_a_manifest_is_named(part: str) -> None:
    own = [f.name for f in fields(PARTS[part]) if f.name != "more"]
    assert sorted(read_page("bundle")[part]) == sorted(own)


def test_every_figure_of_the_metrics_is_named() -> None:
    assert sorted(read_page("bundle")["metrics"]) == sorted(get_type_hints(Metrics))


def test_every_file_of_a_model_is_named(toy_model: Path) -> None:
    named = read_page("bundle")["Files"]
    there = {p.relative_to(toy_model).parts[0] for p in toy_model.rglob("*") if p.is_file()}
    assert {name.rstrip("/") for name in named} == {*there, "parity.json", "body.safetensors", "export.pkl"}
    needed = next(
        line
        for line in (FORMATS / "bundle.md").read_text("utf-8").splitlines()
        if line.startswith("Answers need")
    )
    assert all(f"`{name}`" in needed for name in ("bundle.json", *_NEEDED))
    assert ModelBundle.load(toy_model)


def list_columns(file: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return {t: [row[1] for row in database.execute(f"PRAGMA table_info ({t})")] for (t,) in tables}


def test_every_table_and_column_of_a_catalog_is_named(catalog: Catalog, photo_folder: Path) -> None:
    said = read_page("catalog")
    there = list_columns(photo_folder / ".fastclf" / "catalog.sqlite")
    assert sorted(said.pop("The catalog")) == sorted(there)
    assert said == there
    assert f"(version {Store.version}," in (FORMATS / "catalog.md").read_text("utf-8")


def test_every_column_of_an_inbox_is_named(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite")
    inbox.add(Image.new("RGB", (9, 9)), Claim(name="a", answer=None, probability=None, label=None))
    assert read_page("inbox") == list_columns(inbox.path)


def test_every_column_of_edits_is_named(catalog: Catalog) -> None:
    said = read_page("edits")
    catalog.relabel(["red/000.png"], "blue")
    head = catalog.export_edits().decode("utf-8-sig").splitlines()[0]
    assert said["Edits"] == list(COLUMNS) == head.split(",")
    assert said["Labels for elsewhere"] == catalog.export_labels("csv").decode("utf-8-sig").splitlines()[
        0
    ].split(",")


def test_every_key_of_a_recipe_is_named() -> None:
    allowed = {
        "Keys": recipe_file._TOP,
        "A language": recipe_file._TRANSLATION,
        "classes": recipe_file._CLASS,
        "archive": recipe_file._ARCHIVE,
        "folder": recipe_file._FOLDER,
        "label": recipe_file._LABEL,
        "collect": recipe_file._COLLECT,
        "train": recipe_file._TRAIN,
    }
    said = read_page("recipe")
    assert {part: sorted(keys) for part, keys in said.items()} == {
        p: sorted(keys) for p, keys in allowed.items()
    }


@pytest.mark.slow
def test_every_column_and_number_of_scores_is_named(
    toy_model: Path, photo_folder: Path, tmp_path: Path
) -> None:
    said, out = read_page("scores"), tmp_path / "scores"
    summary = score_photos(toy_model, photo_folder, out, processes=1)
    [part] = out.glob("*.parquet")
    columns = pyarrow.parquet.read_schema(part).names
    classes = [f"p_{label}" for label in ModelBundle.load(toy_model).vocab]
    at = said["Columns"].index("p_CLASS")
    assert [*said["Columns"][:at], *classes, *said["Columns"][at + 1 :]] == columns
    written = json.loads((out / "_summary.json").read_text("utf-8"))
    assert said["_summary.json"] == [*written] == [*summary.to_dict()]
    assert said["plan"] == [*written["plan"]]


def read_names(zipped: Any, member: str) -> dict[str, Any]:
    with zipfile.ZipFile(zipped) as archive:
        found: dict[str, Any] = json.loads(archive.read(member))
        return found


@pytest.mark.slow
def test_every_field_of_a_project_is_named(tmp_path: Path) -> None:
    project = read_names(write_project(tmp_path / "project.zip"), "project.json")
    assert read_page("browser")["project.zip"] == [*project]
    page = (FORMATS / "browser.md").read_text("utf-8")
    inner = [
        project["backbone"],
        project["head"],
        project["judged"],
        project["photos"][0],
        project["parity"][0],
    ]
    assert [key for part in inner for key in part if f"`{key}`" not in page] == []


def test_every_field_of_a_report_is_named() -> None:
    claim = Claim(name="a", answer=None, probability=None, label=None)
    report = read_names(io.BytesIO(build_report_zip(Image.new("RGB", (9, 9)), claim)), "report.json")
    assert sorted(read_page("browser")["report.zip"]) == sorted(report)


def test_every_format_and_ending_of_photos_is_named_and_the_limits_are_those() -> None:
    page = REFERENCE / "photos.md"
    text, tables = page.read_text("utf-8"), read_tables(page)
    assert sorted(tables["Formats"]) == sorted([*decode.FORMATS, "HEIF"])
    endings = {
        word
        for line in text.splitlines()
        for word in re.findall(r" (\.[a-z]+)(?= )", line)
        if line[:3] == "| `"
    }
    assert endings == set(decode.SUFFIXES)
    mega = 10**6
    for words in (
        f"| {decode.MAX_BYTES >> 20} MB, {MAX_PAGE_PIXELS // mega} megapixels |",
        f"| {decode.MAX_FOLDER_BYTES >> 20} MB, {decode.MAX_PIXELS // mega} megapixels |",
        f"| {decode.MAX_ASPECT} to 1 |",
        f"| {limits.MOST_FILES} photos, {limits.MOST_BODY >> 20} MB |",
    ):
        assert words in text, words
    assert limits.MOST_PIXELS == MAX_PAGE_PIXELS
