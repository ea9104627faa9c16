"""The README knows every command, option and environment variable, and none that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from fastclf.cli import app

from ..conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def find_commands(command: Any, path: str = "fastclf") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from find_commands(inner, f"{path} {name}")


COMMANDS = dict(find_commands(typer.main.get_command(app)))
OPTIONS = {
    name: {word for p in command.params for word in [*p.opts, *p.secondary_opts] if word.startswith("--")}
    for name, command in COMMANDS.items()
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_its_options_are_in_the_readme(name: str) -> None:
    assert re.search(rf"{name}\b", README)
    assert COMMANDS[name].help
    assert all(p.help for p in COMMANDS[name].params)
    assert sorted(o for o in OPTIONS[name] if not re.search(rf"(?<![\w-]){o}(?![\w-])", README)) == []


def test_the_readme_names_no_option_that_is_not_there() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= {"--help", "--version"}.union(*OPTIONS.values())


def test_every_environment_variable_is_in_the_readme_and_read_by_the_code() -> None:
    pattern = re.compile(r"FASTCLF_[A-Z_]*[A-Z]")
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "fastclf").rglob("*.py")]
    read = {name for text in sources for name in pattern.findall(text)}
    # the page's words, whose names are put together
    read |= {"FASTCLF_INTRO", "FASTCLF_COLOUR"}
    assert len(read) > 6
    assert set(pattern.findall(README)) == read
