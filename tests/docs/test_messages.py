"""Every sentence in which fastclf refuses something is on a page, and every kind of error says what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from fastclf import errors
from fastclf.errors import FastclfError

from .pages import REFERENCE
from .tables import read_tables

from reference import messages, read_blocks  # isort: skip

FOLDER = REFERENCE / "messages"
PAGES = {p: p.read_text(encoding="utf-8") for p in sorted(FOLDER.glob("*.md")) if p.stem != "index"}
# what is said where it was raised first, and is raised once more with the same words
AGAIN = re.compile(r"\b(\w+\.(message|reason)|said\.prediction\.error|problem)\b")


def test_every_kind_of_error_says_what_to_do() -> None:
    kinds = {c.__name__: c for c in FastclfError.__subclasses__() if c.__module__ == errors.__name__}
    table = read_tables(FOLDER / "index.md")["Messages"]
    assert sorted(table) == sorted(kinds)
    assert {name: _find_builtin(kind) for name, kind in kinds.items()} == _read_builtins()


def _find_builtin(kind: type) -> str:
    return next(base.__name__ for base in kind.__bases__ if not issubclass(base, FastclfError))


def _read_builtins() -> dict[str, str]:
    text = (FOLDER / "index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    # what it means, and what to do: two sentences or more
    assert all(re.search(r"[.;] \S", words) for *_, words in rows)
    return {name: builtin for name, builtin, _ in rows}


def test_every_room_that_refuses_something_is_on_one_page() -> None:
    rooms = [room for text in PAGES.values() for block in read_blocks(text, "messages") for room in block]
    assert len(rooms) == len(set(rooms))
    assert {raised.room for raised in messages.find_raised()[0]} <= set(rooms)
    listed = set(re.findall(r"^(\w+)$", (FOLDER / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed >= {page.stem for page in PAGES}


def test_no_sentence_is_overlooked() -> None:
    """Whatever begins an error in the code is found as a text, or is said again."""
    found, passed_on = messages.find_raised()
    assert len(found) > 500
    assert [place for place in passed_on if not AGAIN.search(place.partition(": ")[2])] == []
    raised = {r.template for r in found}
    for name, module in messages.load_modules().items():
        for node in module.nodes:
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                texts = [
                    a.value for a in node.exc.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
                ]
                if messages._name(node.exc) in messages.TEXT_AT and texts and " " in texts[-1]:
                    assert texts[-1] in raised, name


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("def f():\n raise UsageError('a {b}', b=1)", {"a {b}"}),
        ("W = Message('one {x}')\ndef f(y):\n raise PhotosError(W if y else 'two')", {"one {x}", "two"}),
        ("def g():\n return Message('g')\ndef f():\n raise UnreadablePhotoError('n', g())", {"g"}),
        ("def f(s):\n t = {1: 'a', 2: 'b'}\n raise UsageError(t[s])", {"a", "b"}),
        ("def f(n):\n raise UsageError(count_message(n, '1 a', '{n} as'))", {"1 a", "{n} as"}),
        ("def f(e):\n raise UsageError(e.message)", set()),
    ],
)
def test_a_sentence_is_found_wherever_it_stands(source: str, texts: set[str], tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(source)
    module = messages._Module(tmp_path / "m.py")
    [call] = messages._find_calls(module)
    at = messages.TEXT_AT[messages._name(call)]
    assert messages._resolve(call.args[at], module, set()) == texts


def test_a_sentence_that_is_raised_stands_on_its_page() -> None:
    from fastclf.collect import load_recipe

    with pytest.raises(FastclfError) as raised:
        load_recipe("no-such-recipe")
    shown = messages.write_messages(["collect"])
    assert "There is no recipe" in raised.value.message.template
    assert messages.show(raised.value.message.template) in shown
    assert "## UsageError" in shown
