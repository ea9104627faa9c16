"""Each command of `fastclf` as its own help says it: usage, arguments, options, examples."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from fastclf.cli import app
from fastclf.cli.examples import EXAMPLES

from .markdown import code, escape, write_terms

_KINDS = {Path: "PATH", str: "TEXT", int: "NUMBER", float: "NUMBER"}


def find_commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, command) of every command that does something; a group of others does nothing."""
    for name, inner in getattr(command, "commands", {}).items():
        if not hasattr(inner, "commands") or inner.invoke_without_command:
            yield f"{path}{name}", inner
        yield from find_commands(inner, f"{path}{name} ")


@cache
def load_commands() -> dict[str, Any]:
    """Return {name: command}, in the order of `fastclf --help`."""
    return dict(find_commands(typer.main.get_command(app)))


def write_commands(names: list[str]) -> str:
    """Return a section for each command of these groups: its first word."""
    found = {name: c for name, c in load_commands().items() if name.split()[0] in names}
    order = sorted(found, key=lambda name: names.index(name.split()[0]))
    return "\n".join(_write_command(name, found[name]) for name in order)


def _write_command(name: str, command: Any) -> str:
    paragraphs = [escape(part) for part in command.help.split("\n\n")]
    parts = [f"(fastclf-{name.replace(' ', '-')})=\n## fastclf {name}\n", *(f"{p}\n" for p in paragraphs)]
    parts.append(f"```text\n{write_usage(name, command)}\n```\n")
    kinds = {"argument": "Arguments", "option": "Options"}
    for kind, title in kinds.items():
        shown = [p for p in command.params if p.param_type_name == kind and not p.hidden]
        if shown:
            parts.append(f"**{title}**\n\n{write_terms([_describe(p) for p in shown])}")
    examples = "\n".join(EXAMPLES[name])
    return "\n".join([*parts, f"**Examples**\n\n```text\n{examples}\n```\n"])


def write_usage(name: str, command: Any) -> str:
    """Return how a command is called."""
    pieces = command.collect_usage_pieces(typer.Context(command))
    return " ".join(["fastclf", name, *pieces])


def _describe(param: Any) -> tuple[str, str]:
    default = param.default
    shown = default not in (None, "", False) and not callable(default)
    if param.secondary_opts and default is not None:
        said = f" Default: {code(param.opts[0] if default else param.secondary_opts[0])}."
    else:
        said = f" Default: {code(str(default))}." if shown and not getattr(param, "is_flag", False) else ""
    needed = " Required." if param.required else ""
    return _name(param), f"{escape(param.help)}{needed}{said}"


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return code(param.metavar or param.name)
    names = "`, `".join([*param.opts, *param.secondary_opts])
    value = "" if param.is_flag else " " + (param.metavar or _KINDS.get(_find_type(param), "TEXT"))
    return f"`{names}{value}`"


def _find_type(param: Any) -> Any:
    described = getattr(param, "type_descriptor", None)
    return described.annotation if described is not None else str
