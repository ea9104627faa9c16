"""The command about architectures: archs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..archs import TORCHVISION, ArchFacts, choose_arch, list_archs
from ..errors import FastclfError, MissingExtraError, UsageProblem
from .console import Json, print_json, quiet_libraries, say

if TYPE_CHECKING:
    from ..latency import Latency, LatencyBook

_HEADS = ("", "arch", "ms a photo", "memory MB", "file MB", "params M", "ImageNet", "input px", "heat map")


def archs(
    size: Annotated[int, typer.Option(help="Height and width in pixels to measure at.")] = 224,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what was measured before.")] = False,
    as_json: Json = False,
) -> None:
    """List the tried architectures: size, speed on this machine, published ImageNet accuracy, the default."""
    from ..latency import LatencyBook

    if not 16 <= size <= 1024:
        raise UsageProblem(f"--size is {size}; it can be 16 to 1024 pixels.")
    book = LatencyBook()
    missing = [facts for facts in list_archs() if again or _find(book, facts, size) is None]
    note = _measure(book, missing, size) if missing else ""
    times = [_find(book, facts, size) for facts in list_archs()]
    if as_json:
        if note:
            say(note)
        print_json(_to_dict(book, size, times, note))
        return
    print(_to_table(times, size))
    for line in _explain(book, times, note):
        print(line)


def _find(book: LatencyBook, facts: ArchFacts, size: int) -> Latency | None:
    return book.find(facts.name, facts.fixed_size or size)


def _measure(book: LatencyBook, wanted: Sequence[ArchFacts], size: int) -> str:
    """Measure and keep; return a sentence about what could not be measured, or ""."""
    say(
        f"Measuring {len(wanted)} architectures, about 10 s each; this machine remembers the times, and "
        "Ctrl-C keeps those that are there."
    )
    quiet_libraries()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            from ..training.archs import measure_latency
    except MissingExtraError as e:
        return f"The speed on this machine is not measured: a network has to be built for that. {e}"
    failed = []
    for facts in wanted:
        say(f"measuring {facts.name} ...")
        try:
            with contextlib.redirect_stdout(sys.stderr):
                book.store(measure_latency(facts.name, facts.fixed_size or size))
        except FastclfError as e:
            failed.append(f"{facts.name} was not measured: {e}")
        except OSError as e:
            return f"The times cannot be kept in {book.path} ({e.strerror or e}), so none are shown."
        except KeyboardInterrupt:
            say("Stopped; what was measured is kept.")
            raise
    return " ".join(failed)
