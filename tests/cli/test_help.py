"""The help of every command says an example or two, and of each option what it may be and what it is by default."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fastclf import __version__
from fastclf.cli import app
from fastclf.cli.examples import EXAMPLES


def find_commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield f"{path}{name}", inner
        yield from find_commands(inner, f"{path}{name} ")


GROUP = typer.main.get_command(app)
COMMANDS = dict(find_commands(GROUP))
VALUES = [
    (name, param)
    for name, command in COMMANDS.items()
    for param in command.params
    if param.param_type_name == "option" and not (param.is_flag and not param.secondary_opts)
]


@pytest.mark.slow
def test_every_command_has_examples_that_end_its_help() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for name, examples in EXAMPLES.items():
        text = " ".join(CliRunner().invoke(app, [*name.split(), "--help"]).output.split())
        assert 1 <= len(examples) <= 3
        assert all(example in text for example in examples), text


@pytest.mark.parametrize("example", [e for examples in EXAMPLES.values() for e in examples])
def test_an_example_is_a_call_that_the_command_understands(example: str) -> None:
    words = shlex.split(example)
    assert words.pop(0) == "fastclf"
    command: Any = GROUP
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    context = command.make_context("fastclf", words)
    assert not context.args


@pytest.mark.parametrize(("name", "param"), VALUES, ids=[f"{n} {p.opts[0]}" for n, p in VALUES])
def test_an_option_says_its_default_and_a_number_its_range(name: str, param: Any) -> None:
    shown = param.default not in (None, "", False) or (param.secondary_opts and param.default is not None)
    assert shown or "by default" in param.help
    # typer keeps the type in one place, click, which older ones build on, in another
    if re.search(r"\b(int|float)", str(getattr(param, "type_descriptor", None) or param.type), re.IGNORECASE):
        assert re.search(r"\d+ to \d+|\d or more", param.help)


def test_the_version_is_one_line() -> None:
    line = CliRunner().invoke(app, ["--version"]).output
    assert line.startswith(f"fastclf {__version__}, Python {platform.python_version()}, ")
    assert line.count("\n") == 1
