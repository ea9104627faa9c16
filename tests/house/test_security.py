"""SECURITY.md promises only what a test holds: each row names a line that is there once, and a test that is there."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from ..conftest import ROOT

_loader = SourceFileLoader("mutate", str(ROOT / "scripts" / "mutate"))
mutate = module_from_spec(spec_from_loader("mutate", _loader))
sys.modules["mutate"] = mutate
_loader.exec_module(mutate)
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = list(mutate.PROMISE.finditer(TEXT))


@cache
def find_tests(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower().startswith("test")
    }


def test_every_row_of_the_promises_is_read() -> None:
    part = TEXT.split("## Promises")[1].split("## Not promised")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) == len(PROMISES) > 20


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise["words"][:60])
def test_a_promise_names_a_line_and_a_test_that_are_there(promise: re.Match[str]) -> None:
    name, _, test = promise["test"].partition("::")
    assert test.split("[")[0] in find_tests(ROOT / name)
    assert (ROOT / promise["file"]).read_text(encoding="utf-8").count(promise["line"]) == 1


def test_every_guarded_line_can_be_broken() -> None:
    broken = mutate.find_promises()
    assert len(broken) == len(PROMISES)
    assert all(mutant.old != mutant.new for mutants in broken for mutant in mutants)
