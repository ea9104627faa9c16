"""The examples of docstrings, and the folder that they are run in."""

from __future__ import annotations

import ast
import doctest
import importlib
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fastclf
from fastclf.card import write_bundle
from fastclf.catalog import load_dataset
from fastclf.inbox import Claim, build_report_zip
from fastclf.metrics import compute_metrics
from fastclf.model import Manifest, MetricsByPart, PhotoRow

from ..drawing import COLOURS, draw_photo, encode
from ..toy import write_toy_bundle

PACKAGE = Path(fastclf.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
# the bears of the examples, and the colours that the toy model knows them by
BEARS = dict(zip(("black", "grizzly", "teddy"), sorted(COLOURS), strict=True))
PER_CLASS = 8


@dataclass(frozen=True)
class Docstring:
    """A docstring with examples: its module, the names down to it, and the text."""

    module: str
    name: str
    text: str
    line: int


def find_docstrings() -> Iterator[Docstring]:
    """Yield every docstring of the package that has an example; nothing is imported."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        if ">>> " in text:
            yield from _search(ast.parse(text), module, "")


def _search(node: ast.AST, module: str, name: str) -> Iterator[Docstring]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, kinds) and (text := ast.get_docstring(node)) and ">>> " in text:
        yield Docstring(module, name, text, getattr(node, "lineno", 1))
    for inner in getattr(node, "body", ()):
        if isinstance(inner, kinds):
            yield from _search(inner, module, f"{name}.{inner.name}".lstrip("."))


def run_examples(docstring: Docstring) -> str:
    """Run a docstring's examples in today's folder; returns what went otherwise, "" for nothing."""
    names = {"np": np, "Path": Path, **vars(importlib.import_module(docstring.module))}
    test = doctest.DocTestParser().get_doctest(
        docstring.text, names, docstring.name, docstring.module, docstring.line
    )
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=said.append)
    return "".join(said)


def write_folder(folder: Path) -> str:
    """Write what the examples speak of: photos of bears, a model that knows them, files of a browser."""
    for place, first in (("photos/bears", 0), ("photos/november", 100)):
        for label, colour in BEARS.items():
            (folder / place / label).mkdir(parents=True)
            for n in range(PER_CLASS):
                photo = draw_photo(colour, first + n, (80, 60))
                photo.save(folder / place / label / f"{n:03}.png")
    (folder / "photos" / "new").mkdir()
    for n in range(6):
        draw_photo(sorted(COLOURS)[n % 3], 200 + n, (80, 60)).save(folder / "photos" / "new" / f"{n:03}.png")
    for name, colour in (("bear", "green"), ("a", "blue"), ("b", "red")):
        draw_photo(colour, 300, (160, 120)).save(folder / f"{name}.jpg")
    (folder / "labels.csv").write_text("path,label\nblack/000.png,grizzly\n", encoding="utf-8")
    (folder / "mine.toml").write_text(
        'name = "mine"\ntitle = "Which bear?"\n[folder]\npath = "photos/bears"\n', encoding="utf-8"
    )
    _write_model(folder)
    _write_browser_files(folder)
    return str(folder)


def _write_model(folder: Path) -> None:
    """Write the toy model of colours under the names of the bears, judged on its validation photos."""
    data = load_dataset(folder / "photos" / "bears")
    rows = [PhotoRow(row.photo.sha256, row.photo.label, row.group, row.split) for row in data.rows]
    model = write_toy_bundle(folder / "model", rows=rows)
    targets = data.targets("valid")
    probs = np.eye(len(BEARS))[targets] * 0.9 + 0.1 / len(BEARS)
    found: Any = compute_metrics(probs, targets, [*BEARS], probs)
    write_bundle(
        model,
        replace(Manifest.read(model), title="Bears", vocab=[*BEARS], metrics=MetricsByPart(valid=found)),
    )


def _write_browser_files(folder: Path) -> None:
    claim = Claim(name="bear.jpg", answer="black", probability=0.6, label="grizzly")
    (folder / "report.zip").write_bytes(build_report_zip(Image.open(folder / "bear.jpg"), claim))
    with zipfile.ZipFile(folder / "project.tm", "w") as archive:
        archive.writestr("manifest.json", '{"type": "image"}')
        for label, colour in (("mug", "red"), ("glass", "blue")):
            for n in range(2):
                archive.writestr(f"{label}-!-{n}.jpg", encode(draw_photo(colour, n, (80, 60)), "JPEG"))


def copy_named(written: Path, to: Path, text: str) -> None:
    """Give an example a folder of its own, with what it names; the recipe names the photos."""
    named = f"{text} photos" if "mine" in text else text
    for entry in written.iterdir():
        if entry.is_dir() and entry.name in named:
            shutil.copytree(entry, to / entry.name)
        elif entry.is_file():
            shutil.copy2(entry, to)
