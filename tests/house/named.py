"""What a text may name: commands with their options, and variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from markdown_it import MarkdownIt

from fastclf.cli import app
from fastclf.server import SETTINGS

from ..conftest import ROOT


def find_commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, command) of every command, groups of commands too."""
    for name, inner in getattr(command, "commands", {}).items():
        yield f"{path}{name}", inner
        yield from find_commands(inner, f"{path}{name} ")


ALL = dict(find_commands(typer.main.get_command(app)))
COMMANDS = {name: c for name, c in ALL.items() if not hasattr(c, "commands")}
ALWAYS = {"--help", "--version"}
OPTIONS = {
    name: ALWAYS | {word for p in c.params for word in [*p.opts, *p.secondary_opts] if word.startswith("--")}
    for name, c in ALL.items()
}
EVERY_OPTION = set().union(*OPTIONS.values())

_VARIABLE = re.compile(r"FASTCLF_[A-Z_]*[A-Z]")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
_MARKDOWN = MarkdownIt("commonmark").enable("table")
# a call begins with the command, or with what a shell says before it
_CALL = re.compile(r"(?:[A-Z_]+=\S+ |accelerate launch -m |srun |python -m |\./)*fastclf(?: |$)")


def _find_variables() -> set[str]:
    """Return the variables that the package reads; those of settings are put together from their names."""
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / "fastclf").rglob("*.py")]
    return {name for text in texts for name in _VARIABLE.findall(text)} | {s.variable for s in SETTINGS}


VARIABLES = _find_variables()


def find_faults(text: str) -> Iterator[str]:
    """Yield what a text in Markdown names and is not there."""
    for name in sorted(set(_VARIABLE.findall(text)) - VARIABLES - {"FASTCLF_CHROMIUM"}):
        yield f"the variable {name}"
    for code in _list_code(text):
        if _CALL.match(code):
            yield from _check_call(code)
        elif code.startswith("--"):
            yield from (f"the option {word}" for word in _OPTION.findall(code) if word not in EVERY_OPTION)


def _list_code(text: str) -> Iterator[str]:
    """Yield the pieces of code of a text: between backquotes, and each command of a block that is typed."""
    for token in _MARKDOWN.parse(text):
        for inner in token.children or ():
            if inner.type == "code_inline":
                yield inner.content
        if token.type == "fence" and token.info.strip() in ("console", "sh", "text", ""):
            joined = token.content.replace("\\\n", " ")
            for line in joined.splitlines():
                for call in re.split(r" && | \| |; |  +#", line.removeprefix("$ ")):
                    yield call.strip()


def _check_call(code: str) -> Iterator[str]:
    words = _CALL.sub("", code, count=1).split()
    name = ""
    while words and f"{name} {words[0]}".strip() in ALL:
        name = f"{name} {words.pop(0)}".strip()
    if not name and words and re.fullmatch(r"[a-z][a-z-]+", words[0]):
        yield f"the command fastclf {words[0]}"
        return
    known = OPTIONS[name] if name else ALWAYS
    for word in _OPTION.findall(" ".join(words)):
        if word not in known:
            yield f"the option {word} of fastclf {name}"
