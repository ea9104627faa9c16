"""What every command shares: words on stderr, JSON on stdout, progress, durations."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder with one sub-folder per class.")]
Model = Annotated[Path, typer.Argument(help="Folder of the model.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; all else goes to stderr.")]

# Seconds between two signs of progress, on a terminal and in a file.
_OFTEN, _SELDOM = 0.1, 60.0
# Seconds over which a rate is taken.
_LATE = 120.0


def parse_duration(text: str) -> float:
    """Return the seconds in "90", "90s", "5m" or "1h30m"."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text.strip().lower())
    if not match or not any(match.groups()):
        raise UsageError("--time-limit is {text!r}; write it as 90s, 5m or 1h30m.", text=text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + seconds)


class _Line:
    """The line on a terminal that progress is written over, and when somebody was last told."""

    open = False
    told = 0.0


_line = _Line()


def show_progress(what: str, *, rated: bool = False) -> Callable[[int, int], None]:
    """Return a callback that counts on stderr: on one line of a terminal, elsewhere a line a minute.

    With `rated`, how many a second there are of late and how long the rest will take stand with it.
    """
    shown = sys.stderr.isatty()
    started = time.monotonic()
    _line.told, rate = started, _Rate()

    def show(done: int, total: int) -> None:
        now, ended = time.monotonic(), done >= total
        words = f"{what}: {done}/{total}{rate.describe(now, done, total) if rated else ''}"
        if shown and (ended or now - _line.told > _OFTEN):
            _line.open, _line.told = not ended, now
            sys.stderr.write(f"\r{words}" + (" " * 12 if rated else "") + ("\n" if ended else ""))
            sys.stderr.flush()
        elif not shown and (now - _line.told > _SELDOM or (ended and _line.told > started)):
            _line.told = now
            say(words)

    return show


class _Rate:
    """How fast something goes, by what was counted in the last minutes."""

    def __init__(self) -> None:
        self.seen = deque([(time.monotonic(), 0)])

    def describe(self, now: float, done: int, total: int) -> str:
        """Return the rate and the time that is left, "" where neither is known."""
        self.seen.append((now, done))
        while len(self.seen) > 2 and now - self.seen[1][0] > _LATE:
            self.seen.popleft()
        before, first = self.seen[0]
        if done >= total or done <= first or now <= before:
            return ""
        rate = (done - first) / (now - before)
        minutes, seconds = divmod(round((total - done) / rate), 60)
        return f", {rate:,.1f} a second, {minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def prepare_terminal() -> None:
    """Let everything be printed: names that the terminal cannot write, and to a stream that is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def quiet_libraries() -> None:
    """Keep what libraries warn of from the user's terminal; a sentence that fastclf logs is shown.

    Whoever asks Python for warnings (``-W``, ``PYTHONWARNINGS``) or sets FASTCLF_DEBUG gets them.
    """
    if sys.warnoptions or os.environ.get("FASTCLF_DEBUG"):
        return
    warnings.simplefilter("ignore")
    # of children, and of a library that has a handler of its own
    for name, value in (("PYTHONWARNINGS", "ignore"), ("HF_HUB_VERBOSITY", "error")):
        os.environ.setdefault(name, value)
    root = logging.getLogger()
    if not any(isinstance(handler, _SayRecords) for handler in root.handlers):
        root.addHandler(_SayRecords(logging.WARNING))


class _SayRecords(logging.Handler):
    """Tells what fastclf logs, and nothing else; Python itself would print all."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record of ours."""
        if record.name.partition(".")[0] == "fastclf":
            say(record.getMessage())


@contextlib.contextmanager
def using_fastai(words: str = "Loading fastai ...") -> Iterator[None]:
    """Say what is loaded; whatever a library prints meanwhile (a download, a hint) is for people."""
    say(words)
    with contextlib.redirect_stdout(sys.stderr):
        yield


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(value))


def say(text: str) -> None:
    """Tell the person: on stderr, on a line of its own."""
    if _line.open:
        _line.open = False
        sys.stderr.write("\n")
    with contextlib.suppress(OSError):  # nobody listens
        print(text, file=sys.stderr, flush=True)
