"""The architectures: one answer, one step of training, and with DATA what they learn from random weights."""

from __future__ import annotations

import argparse
import time
from statistics import median

from fastclf.model import list_archs, time_graph
from fastclf.model.archs import find_arch

from .harness import Bench, Table, alternate, split_names, tell

DATA = "folders with one sub-folder per class, for the part `scratch`; they are only read"
BASELINE = "resnet18"
SPEED_HEADS = (
    "arch", "px", "answer, ms", "least", "to resnet18", "training, ms a photo", "to resnet18", "memory, MB",
    "file, MB", "ImageNet, published",
)  # fmt: skip
SCRATCH_HEADS = ("arch", "px", "epochs", "seed", "accuracy", "validated on", "training, s", "processor, s")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, help="pixels (default: 224 for speed, 64 for training)")
    parser.add_argument("--epochs", type=int, default=6, help="of a training (default: 6)")
    parser.add_argument(
        "--archs", type=split_names, help="names with commas (default: the list of `fastclf archs`)"
    )


def measure_speed(bench: Bench) -> list[Table]:
    """Time an answer and a training step of every architecture; with --quick of one beside resnet18.

    A ratio is the median of the rounds' ratios to resnet18 in the same round.
    """
    from fastclf.training.export import export_blank
    from fastclf.training.network import measure_step

    names = [BASELINE, *(name for name in choose(bench) if name != BASELINE)]
    sizes = {name: fixed_size(name) or bench.options.size or 224 for name in names}
    graphs = {name: bench.scratch / f"{name}.onnx" for name in names}
    for name in names:
        tell(f"exporting {name} ...")
        export_blank(name, graphs[name], sizes[name])

    def time_arch(name: str) -> dict[str, float]:
        latency = time_graph(graphs[name], name, sizes[name])
        step = 1000 * measure_step(name, sizes[name])
        return {f"{name} ms": latency.ms, f"{name} MB": latency.memory_mb or 0, f"{name} step": step}

    took = alternate(bench.repeats, {name: lambda name=name: time_arch(name) for name in names})
    rows = []
    for name in names:
        ms, memory, step = (took[f"{name} {what}"] for what in ("ms", "MB", "step"))
        times_ms, times_step = (
            median(a / b for a, b in zip(took[f"{name} {what}"], took[f"{BASELINE} {what}"], strict=True))
            for what in ("ms", "step")
        )
        facts = find_arch(name)
        rows.append([
            name, f"{sizes[name]}", f"{median(ms):.1f}", f"{min(ms):.1f}", f"{times_ms:.2f} ×",
            f"{median(step):.0f}", f"{times_step:.2f} ×", f"{median(memory):.0f}",
            f"{graphs[name].stat().st_size / 1e6:.1f}",
            f"{facts.imagenet:.1f} % at {facts.imagenet_size}" if facts else "-",
        ])  # fmt: skip
    return [Table("speed", SPEED_HEADS, rows, took)]


def measure_scratch(bench: Bench) -> list[Table]:
    """Train every architecture from random weights, in turn, on the same photos, splits and seeds."""
    from fastclf.catalog import load_dataset
    from fastclf.training import build_dls, build_learner, fit, plan_phases

    size = bench.options.size or 64
    epochs = 1 if bench.options.quick else bench.options.epochs
    tables = []
    for source in bench.folders:
        data = load_dataset(bench.copy(source))
        rows = []
        for seed in range(bench.repeats):
            for name in choose(bench):
                if fixed_size(name) not in (None, size):
                    tell(f"{name} is left out: it takes {fixed_size(name)} px only.")
                    continue
                dls = build_dls(data, size, pretrained=False, seed=seed)
                learn = build_learner(dls, name, pretrained=False, seed=seed)
                started, processor = time.monotonic(), time.process_time()
                phases = plan_phases(epochs, pretrained=False)
                accuracy = fit(learn, phases, seed=seed, quiet=True).epochs[-1]["accuracy"]
                took, computed = time.monotonic() - started, time.process_time() - processor
                rows.append([
                    name, f"{size}", f"{epochs}", f"{seed}", f"{accuracy:.3f}", f"{len(data.part('valid'))}",
                    f"{took:.0f}", f"{computed:.0f}",
                ])  # fmt: skip
                tell(", ".join(rows[-1]))
        tables.append(Table(f"{source.name}, from random weights", SCRATCH_HEADS, rows, rows))
    return tables


def choose(bench: Bench) -> list[str]:
    """Return the names to measure."""
    names = bench.options.archs or [facts.name for facts in list_archs()]
    return names[:1] if bench.options.quick and not bench.options.archs else names


def fixed_size(name: str) -> int | None:
    """Return the only size in pixels that an architecture takes, if there is one."""
    facts = find_arch(name)
    return facts.fixed_size if facts else None


PARTS = {"speed": measure_speed, "scratch": measure_scratch}
PARTS_WITHOUT_DATA = ("speed",)
