"""Measure the tried architectures: one answer, one step of training, and accuracy from random weights."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from verdicts import print_table, tell

from fastclf.model import list_archs, time_graph
from fastclf.model.archs import find_arch

BASELINE = "resnet18"
SPEED_HEADS = (
    "arch", "px", "answer, ms", "least", "to resnet18", "training, ms a photo", "to resnet18", "memory, MB",
    "file, MB", "ImageNet, published",
)  # fmt: skip
SCRATCH_HEADS = (
    "arch", "photos", "px", "epochs", "seed", "accuracy", "validated on", "training, s", "processor, s",
)  # fmt: skip


def main() -> None:
    """Measure what the command line asks for and print it as tables."""
    options = _parse()
    names = options.archs or [facts.name for facts in list_archs()]
    if options.photos is None:
        results = measure_speed(names, options.size or 224, options.rounds)
        print_table(SPEED_HEADS, [_speed_row(row) for row in results])
    else:
        results = measure_from_scratch(options, names)
        print_table(SCRATCH_HEADS, [_scratch_row(row) for row in results])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def measure_speed(names: list[str], size: int, rounds: int) -> list[dict[str, Any]]:
    """Time an answer and a training step of every architecture, `rounds` times over, in turn.

    A ratio is the median of the rounds' ratios to resnet18 in the same round.
    """
    from fastclf.training.export import export_blank
    from fastclf.training.network import measure_step

    names = [BASELINE, *(name for name in names if name != BASELINE)]
    sizes = {name: _fixed_size(name) or size for name in names}
    values: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    with tempfile.TemporaryDirectory(prefix="fastclf-archs-") as folder:
        graphs = {name: Path(folder) / f"{name}.onnx" for name in names}
        for name in names:
            tell(f"exporting {name} ...")
            export_blank(name, graphs[name], sizes[name])
        for number in range(rounds):
            for name in names:
                tell(f"round {number + 1} of {rounds}: {name}")
                latency = time_graph(graphs[name], name, sizes[name])
                values[name]["ms"].append(latency.ms)
                values[name]["memory"].append(latency.memory_mb or 0)
                values[name]["step"].append(1000 * measure_step(name, sizes[name]))
        files = {name: graphs[name].stat().st_size / 1e6 for name in names}
    return [
        {
            "arch": name,
            "size": sizes[name],
            "file": files[name],
            **{what: median(numbers) for what, numbers in values[name].items()},
            "least ms": min(values[name]["ms"]),
            **{f"{what} ratio": _ratio(values, name, what) for what in ("ms", "step")},
            "all": values[name],
        }
        for name in names
    ]


def measure_from_scratch(options: argparse.Namespace, names: list[str]) -> list[dict[str, Any]]:
    """Train every architecture from random weights, in turn, on the same photos, splits and seeds."""
    from fastclf.training import build_dls, build_learner, fit, load_data

    results = []
    size = options.size or 64
    with tempfile.TemporaryDirectory(prefix="fastclf-archs-") as folder:
        data = load_data(shutil.copytree(options.photos, Path(folder) / options.photos.name))
        for seed in range(options.seeds):
            for name in names:
                if _fixed_size(name) not in (None, size):
                    tell(f"{name} is left out: it takes {_fixed_size(name)} px only.")
                    continue
                tell(f"{name}, seed {seed} ...")
                dls = build_dls(data, size, pretrained=False, seed=seed)
                learn = build_learner(dls, name, pretrained=False, seed=seed)
                started, processor = time.monotonic(), time.process_time()
                last = fit(learn, options.epochs, pretrained=False, seed=seed, quiet=True)[-1]
                results.append({
                    "arch": name, "photos": options.photos.name, "size": size, "epochs": options.epochs,
                    "seed": seed, "accuracy": last["accuracy"], "n": len(data.part("valid")),
                    "seconds": time.monotonic() - started, "processor": time.process_time() - processor,
                })  # fmt: skip
                tell(json.dumps(results[-1]))
    return results


def _ratio(values: dict[str, dict[str, list[float]]], name: str, what: str) -> float:
    pairs = zip(values[name][what], values[BASELINE][what], strict=True)
    return median(value / baseline for value, baseline in pairs)


def _fixed_size(name: str) -> int | None:
    facts = find_arch(name)
    return facts.fixed_size if facts else None


def _speed_row(row: dict[str, Any]) -> tuple[str, ...]:
    facts = find_arch(row["arch"])
    times = [f"{row['ms']:.1f}", f"{row['least ms']:.1f}", f"{row['ms ratio']:.2f} ×"]
    training = [f"{row['step']:.0f}", f"{row['step ratio']:.2f} ×"]
    published = f"{facts.imagenet:.1f} % at {facts.imagenet_size}" if facts else "-"
    sizes = [f"{row['memory']:.0f}", f"{row['file']:.1f}"]
    return row["arch"], str(row["size"]), *times, *training, *sizes, published


def _scratch_row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["arch"], row["photos"], str(row["size"]), str(row["epochs"]), str(row["seed"]),
        f"{row['accuracy']:.3f}", str(row["n"]), f"{row['seconds']:.0f}", f"{row['processor']:.0f}",
    )  # fmt: skip


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?", help="folder of labelled photos: train on it instead")
    parser.add_argument("--size", type=int, help="pixels; 224 for speed, 64 for training, unless named")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--archs", nargs="+", help="names; by default the list of `fastclf archs`")
    parser.add_argument("--json", type=Path, help="file for every number")
    return parser.parse_args()


if __name__ == "__main__":
    main()
