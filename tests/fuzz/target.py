"""What is fuzzed: something that takes bytes of a stranger, and how to judge what it does with them."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastclf.errors import FastclfError

# Processor time that any input may take; the slowest honest one takes a tenth.
MOST_SECONDS = 5.0
_PREFIX = "fastclf-fuzz-"


class FindingError(AssertionError):
    """An input that did what none may do."""


@dataclass(frozen=True)
class Target:
    """One reader of strangers' bytes.

    Attributes
    ----------
    name
        As `make fuzz TARGET=` takes it.
    take
        Takes the bytes; may raise a FastclfError and nothing else.
    seeds
        Good and nearly good inputs to start from; none where the bytes are choices of a tape.
    words
        Pieces that a mutation puts in.
    """

    name: str
    take: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]] = field(default=lambda: [b""])
    words: tuple[bytes, ...] = ()

    def judge(self, data: bytes) -> None:
        """Give it an input; whatever else than an answer or a sentence comes of it is a `FindingError`."""
        started = time.process_time()
        try:
            self.take(data)
        except FastclfError as e:
            str(e)  # the sentence itself can be put together
        except FindingError:
            raise
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt | SystemExit):
                raise
            raise FindingError(f"{self.name}: {type(e).__name__}: {str(e)[:200]}") from e
        if (spent := time.process_time() - started) > MOST_SECONDS:
            raise FindingError(f"{self.name}: took {spent:.0f} s")


def make_folder() -> Path:
    """A folder of this process, in memory where the system has such a place; gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_find_place()))
    atexit.register(remove_folders, os.getpid())
    return folder


def remove_folders(pid: int) -> None:
    """Remove what a process made, which may have been ended from outside."""
    for folder in Path(_find_place()).glob(f"{_PREFIX}{pid}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _find_place() -> str:
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else tempfile.gettempdir()
