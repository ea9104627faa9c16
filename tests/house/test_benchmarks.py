"""The benchmarks run seldom, so a name that they use and that was renamed shows here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness import NAMES, main

from ..conftest import ROOT


def find_imports(file: Path) -> Iterator[tuple[str, str]]:
    """Give the module and the name of what a file imports of ours, inside of functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and re.match(r"(fastclf|tests)\b", node.module or ""):
            yield from ((str(node.module), alias.name) for alias in node.names)


def offers(module: str, name: str) -> bool:
    """Say whether a module has a name, from its source: importing all would load torch."""
    place = ROOT.joinpath(*module.split("."))
    if place.with_name(f"{place.name}.py").is_file():
        return bool(
            re.search(rf"^(def |class )?{name}\b", place.with_name(f"{place.name}.py").read_text(), re.M)
        )
    stub = place / "__init__.pyi"
    inside = (place / name).is_dir() or (place / f"{name}.py").is_file()
    return inside or (stub.is_file() and f" as {name}\n" in stub.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_what_a_benchmark_imports_of_ours_is_there(name: str) -> None:
    imports = list(find_imports(ROOT / "benchmarks" / f"{name}.py"))
    assert imports
    assert [one for one in imports if not offers(*one)] == []


def test_an_unknown_benchmark_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in NAMES)
