"""The blocks of a Markdown page that a reader may copy, and what the comment before one says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

# what a comment directly before a block may say
NOT_RUN, FILE, UNTIL, BEFORE = "not run", "file", "in the background until", "before"
_NOTE = re.compile(rf"<!--\s*({NOT_RUN}|{FILE}|{UNTIL}|{BEFORE}):\s*(.*?)\s*-->", re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark")


@dataclass(frozen=True)
class Block:
    """A fenced block, or a comment that asks for a preparation.

    `line` is the line of its first content, from 0, and `end` the one after its last; `indent` stands before each.
    """

    language: str
    text: str
    line: int
    end: int
    indent: str
    note: str = ""  # NOT_RUN, FILE, UNTIL or BEFORE
    value: str = ""  # the reason, the file's name, an address or the name of a preparation


@dataclass(frozen=True)
class Command:
    """A line after `$`, with those that continue it, and what it prints."""

    command: str
    output: list[str]


def read_blocks(path: Path) -> list[Block]:
    """List a page's blocks in order."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found: list[Block] = []
    note = ("", "")
    for token in _MARKDOWN.parse(text):
        if token.type == "html_block":
            note = _read_note(token.content)
            if note[0] == BEFORE:
                start, end = token.map or (0, 0)
                found.append(Block("", "", start, end, "", *note))
                note = ("", "")
        elif token.type == "fence":
            start, end = token.map or (0, 0)
            indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
            found.append(Block(token.info.strip(), token.content, start + 1, end - 1, indent, *note))
            note = ("", "")
        elif token.nesting == 0:
            note = ("", "")
    return found


def _read_note(comment: str) -> tuple[str, str]:
    said = _NOTE.fullmatch(comment.strip())
    return (said[1], " ".join(said[2].split())) if said else ("", "")


def read_commands(text: str) -> list[Command]:
    """Split a console block into its commands and what each prints."""
    commands: list[Command] = []
    continued = False
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:], []))
        elif continued or (line.startswith("> ") and commands and not commands[-1].output):
            last = commands.pop()
            commands.append(Command(f"{last.command}\n{line.removeprefix('> ')}", []))
        elif not commands:
            raise ValueError(f"A console block begins with a line after '$ ', not with {line!r}.")
        else:
            commands[-1].output.append(line)
        continued = not commands[-1].output and commands[-1].command.endswith("\\")
    return commands


def write_commands(commands: list[Command]) -> str:
    """Put a console block together."""
    lines = []
    for each in commands:
        first, *rest = each.command.splitlines()
        joined = [f"$ {first}"]
        for line in rest:
            joined.append(line if joined[-1].endswith("\\") else f"> {line}")
        lines += [*joined, *each.output]
    return "\n".join(lines) + "\n"
