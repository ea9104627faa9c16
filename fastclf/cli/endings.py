"""How a command ends: whatever stops it is one sentence on stderr and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from ..errors import FastclfError, UsageError, describe_error
from ..system import find_user_cache, is_out_of_memory, utc_now
from .console import say

STOPPED = 130
DEBUG = "FASTCLF_DEBUG"
# typer brings a click of its own, and this class under no public name
_CLICK_ERROR: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
_PARSER_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it must be a number",
    "Input should be greater than or equal to": "it must be at least",
    "Input should be less than or equal to": "it must be at most",
    "Got unexpected extra argument(s)": "There is one word too many:",
}

_interrupted = threading.Event()


def run_to_end(call: Callable[[], object]) -> int:
    """Call a command and return its exit code; what stops it is told."""
    try:
        with _handle_signals():
            try:
                call()
                sys.stdout.flush()
                return 0
            except typer.Exit as e:
                sys.stdout.flush()
                return e.exit_code
            except BaseException as e:
                return _tell(e)
    except KeyboardInterrupt:
        return STOPPED


def _tell(error: BaseException) -> int:
    """Say why a command ends and return its exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    if isinstance(error, BrokenPipeError):
        _drop_stdout()
        return 1
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return 2
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    words, code = describe_end(error)
    say(f"fastclf: {words}")
    return code


def describe_end(error: BaseException) -> tuple[str, int]:
    """Return the sentence about what ended a command, and the exit code."""
    if isinstance(error, UsageError):
        return str(error), 2
    if isinstance(error, FastclfError):
        return str(error), 1
    if isinstance(error, KeyboardInterrupt) or _interrupted.is_set():
        # what a library makes of an interrupt is one, too
        told = str(error) if isinstance(error, KeyboardInterrupt) else ""
        return told or "Stopped.", STOPPED
    if isinstance(error, _CLICK_ERROR):
        return _describe_wrong_call(error), 2
    if is_out_of_memory(error):
        return (
            "There is not enough memory for this. Close other programs, or give fewer or smaller photos "
            "(for training: a smaller --size or --batch-size).",
            1,
        )
    if isinstance(error, OSError):
        return _describe_fault_of_disk(error), 1
    return _describe_unforeseen(error), 1


def _describe_fault_of_disk(error: OSError) -> str:
    about = f" ({error.filename})" if error.filename else ""
    words = f"{error.strerror or describe_error(error)}{about}."
    advice = {
        errno.ENOSPC: "Make room, then run the same command again.",
        errno.EDQUOT: "Make room, then run the same command again.",
        errno.EROFS: "Nothing can be written there: name another place.",
        errno.EIO: "Check the disk, then run the same command again.",
    }
    return f"{words} {advice.get(error.errno or 0, '')}".rstrip()


def _describe_wrong_call(error: Exception) -> str:
    """Return the parser's words about a call as one sentence."""
    words = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    for theirs, ours in _PARSER_WORDS.items():
        words = words.replace(theirs, ours)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "fastclf"
    return f"{words}{'' if words.endswith('?') else '.'} See `{command} --help`."


def _describe_unforeseen(error: BaseException) -> str:
    """Return a sentence about an error that nobody thought of; its traceback goes into a file."""
    what = f"{type(error).__name__}: {describe_error(error)}"
    written = _write_traceback(error)
    where = f"The details are in {written}" if written else f"{DEBUG}=1 shows the details"
    return f"Something went wrong that was not foreseen ({what}). {where}; please report it with them."


def _write_traceback(error: BaseException) -> Path | None:
    """Write a traceback where the user's programs keep such things; None where nothing can be written."""
    lines = [f"fastclf {' '.join(sys.argv[1:2])}\n{utc_now()}\n", *traceback.format_exception(error)]
    for folder in (find_user_cache(), Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".txt", "fastclf-error-", folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as f:
                f.writelines(lines)
            return Path(name)
    return None


def _drop_stdout() -> None:
    """Let what is still to be printed go nowhere: who read it is gone."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _handle_signals() -> Iterator[None]:
    """Let Ctrl-C and a polite kill stop the command with a word, and the second of them at once.

    A signal that whoever started the command wants ignored stays ignored.
    """
    _interrupted.clear()
    before = {}
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        with contextlib.suppress(ValueError):  # not in the main thread
            if signal.getsignal(number) == usual:
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    if _interrupted.is_set():
        os._exit(STOPPED)
    _interrupted.set()
    # what is torn down meanwhile has nothing to say
    sys.unraisablehook = lambda _: None
    raise KeyboardInterrupt
