"""What every command shares: words on stderr, JSON on stdout, progress, durations."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder with one sub-folder per class.")]
Model = Annotated[Path, typer.Argument(help="Folder of the model.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; all else goes to stderr.")]


def parse_duration(text: str) -> float:
    """Return the seconds in "90", "90s", "5m" or "1h30m"."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text.strip().lower())
    if not match or not any(match.groups()):
        raise UsageError("--time-limit is {text!r}; write it as 90s, 5m or 1h30m.", text=text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + seconds)


def show_progress(what: str) -> Callable[[int, int], None] | None:
    """Return a callback that counts on a terminal's stderr; None where stderr is a file."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        if done == total or done % 25 == 0:
            sys.stderr.write(f"\r{what}: {done}/{total}" + ("\n" if done == total else ""))
            sys.stderr.flush()

    return show


def quiet_libraries() -> None:
    """Keep the warnings of libraries about each other from the user's terminal."""
    for category in (FutureWarning, DeprecationWarning, UserWarning):
        warnings.simplefilter("ignore", category)


@contextlib.contextmanager
def using_fastai(words: str = "Loading fastai ...") -> Iterator[None]:
    """Say what is loaded; whatever a library prints meanwhile (a download, a hint) is for people."""
    say(words)
    quiet_libraries()
    with contextlib.redirect_stdout(sys.stderr):
        yield


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(value))


def say(text: str) -> None:
    """Tell the person: on stderr."""
    print(text, file=sys.stderr, flush=True)
