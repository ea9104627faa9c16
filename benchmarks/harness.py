"""What all benchmarks share: the command line, rounds in turn, tables, fresh processes, photos."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageOps

NAMES = (
    "page", "site", "teach", "api", "binder", "visitors", "cleaning", "faults", "collecting", "archs",
    "unfamiliar", "training", "transfer", "fine_tuning", "why", "promises", "scale",
    "large", "drift", "suggest", "course",
)  # fmt: skip
HEADS = ("what; baseline", "baseline", "fastclf", "ratio", "verdict")
Draw = Callable[[tuple[int, int], np.random.Generator], Image.Image]


@dataclass
class Line:
    """A row of medians beside their baseline; `at_most` bounds the ratio, the others the value."""

    what: str
    values: list[float]
    baseline: list[float] | None = None
    at_most: float | None = None
    limit: float | None = None
    at_least: float | None = None

    def row(self) -> list[str]:
        """Return the row: what, baseline, value, ratio, verdict."""
        value, baseline = median(self.values), median(self.baseline) if self.baseline else None
        verdict = "-"
        if self.at_most is not None and baseline is not None:
            verdict = judge(value <= self.at_most * baseline, f"≤ {self.at_most:.3g} ×")
        elif self.limit is not None:
            verdict = judge(value <= self.limit, f"≤ {self.limit:g}")
        elif self.at_least is not None:
            verdict = judge(value >= self.at_least, f"≥ {self.at_least:g}")
        ratio = f"{value / baseline:.3f} ×" if baseline else "-"
        return [self.what, "-" if baseline is None else _round(baseline), _round(value), ratio, verdict]


@dataclass
class Table:
    """A table that is no list of ratios; `numbers` is what it was made of."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Any = None

    def print(self) -> None:
        """Print it in Markdown."""
        print(f"\n{self.title}:\n" if self.title else "")
        for row in (self.heads, ["---"] * len(self.heads), *self.rows):
            print("| " + " | ".join(row) + " |")


@dataclass(frozen=True)
class Bench:
    """One run: what its command line asked for, and a temporary folder."""

    options: argparse.Namespace
    scratch: Path

    @cached_property
    def repeats(self) -> int:
        """How often each thing is done."""
        return max(1, self.options.repeats or (1 if self.options.quick else 3))

    @cached_property
    def folders(self) -> list[Path]:
        """The folders of photos that were named."""
        for named in self.options.data:
            if not Path(named).is_dir():
                raise SystemExit(f"{named} is no folder. Name folders with one sub-folder per class.")
        return [Path(named) for named in self.options.data]

    @cached_property
    def models(self) -> list[tuple[Path, Path]]:
        """The pairs of a model and its folder of photos that were named."""
        pairs = [tuple(map(Path, named.split("=", 1))) for named in self.options.data]
        if any(len(pair) != 2 or not pair[1].is_dir() for pair in pairs):
            raise SystemExit("Name each model with its folder of photos: MODEL=FOLDER.")
        return [(pair[0], pair[1]) for pair in pairs]

    def count(self, n: int) -> int:
        """Return how many photos or the like to take: a tenth with --quick."""
        return max(1, n // 10) if self.options.quick else n

    def new_folder(self) -> Path:
        """Make an empty folder."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def copy(self, source: Path) -> Path:
        """Return a copy of the photos of a folder, and of nothing else in it, made at the first call."""
        dest = self.scratch / "copies" / source.name
        if not dest.exists():
            for path in find_photos(source):
                target = dest / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        return dest


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark that is named first, and print its tables."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in NAMES:
        print(f"Name a benchmark: python -m benchmarks {{{','.join(NAMES)}}} [--help]", file=sys.stderr)
        return 2
    module = importlib.import_module(f".{words[0]}", __package__)
    options = _parse(module, words)
    # ending the run by a signal ends what it started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found: list[Any] = []
    with tempfile.TemporaryDirectory(prefix=f"fastclf-{words[0]}-") as scratch:
        bench = Bench(options, Path(scratch))
        for part in options.parts:
            tell(f"{part} (load {os.getloadavg()[0]:.1f}) ...")
            # whatever a library prints is for people; stdout holds the tables alone
            with contextlib.redirect_stdout(sys.stderr):
                found += module.PARTS[part](bench)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1, default=float))
    lines = [one.row() for one in found if isinstance(one, Line)]
    for table in [one for one in found if isinstance(one, Table)] + [Table("", HEADS, lines)] * bool(lines):
        table.print()
    return 0


def _parse(module: Any, words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; without DATA only the parts run that need none."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {words[0]}", description=module.__doc__)
    parser.add_argument("data", nargs="*", metavar="DATA", help=module.DATA)
    parser.add_argument("--quick", action="store_true", help="one round of little, to see that all works")
    parser.add_argument("--repeats", type=int, help="how often each thing is done (default: 3)")
    parser.add_argument("--parts", type=split_names, help=f"only some of {','.join(module.PARTS)}")
    parser.add_argument("--json", type=Path, help="file for every number")
    if hasattr(module, "add_options"):
        module.add_options(parser)
    options = parser.parse_args(words[1:])
    free = getattr(module, "PARTS_WITHOUT_DATA", ())
    options.parts = options.parts or [part for part in module.PARTS if options.data or part in free]
    if unknown := set(options.parts) - set(module.PARTS):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(module.PARTS)}")
    if not options.data and (not options.parts or set(options.parts) - set(free)):
        parser.error(f"name {module.DATA}")
    return options


def split_names(words: str) -> list[str]:
    """Return the names of a list with commas."""
    return words.split(",")


def for_each_folder(measure: Callable[[Bench, Path], list[Any]]) -> Callable[[Bench], list[Any]]:
    """Return a part that measures with each of the folders that were named."""
    return lambda bench: [found for folder in bench.folders for found in measure(bench, folder)]


def alternate(rounds: int, ways: Mapping[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Do each thing in turn, so that a noisy minute meets all; every other round goes backwards.

    Returns
    -------
    dict
        Of every round the seconds that a way took; a way that measures itself returns its own names and
        numbers instead.
    """
    took: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        names = list(ways)
        for name in reversed(names) if number % 2 else names:
            started = time.perf_counter()
            found = ways[name]()
            own = found if isinstance(found, dict) else {name: time.perf_counter() - started}
            tell("  " + ", ".join(f"{key} {_round(value)}" for key, value in own.items()))
            for key, value in own.items():
                took[key].append(value)
    return took


def time_it(act: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def judge(met: bool, goal: str = "") -> str:
    """Return the verdict in words."""
    return ("target met" if met else "missed") + (f" ({goal})" if goal else "")


def tell(words: str) -> None:
    """Say what is going on, beside the tables."""
    print(words, file=sys.stderr, flush=True)


def _round(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def run_apart(measure: Callable[..., dict[str, float]], *args: Any) -> dict[str, float]:
    """Run a module's function in a fresh process, where memory is counted, and return its numbers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(theirs, measure, args))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise SystemExit(f"{measure.__name__} died; its words stand above.") from None
    finally:
        child.join()


def _answer(connection: Connection, measure: Callable[..., Any], args: tuple[Any, ...]) -> None:
    connection.send(measure(*args))
    connection.close()


def find_photos(folder: Path) -> list[Path]:
    """Return the photos of a labelled folder in a fixed order."""
    # not above: processes whose memory is measured import this file
    from fastclf.photos import find_photo_files

    return sorted(file.path for file in find_photo_files(folder))


def list_unlearned(model: Path, folder: Path) -> list[Path]:
    """Return the photos of a folder that a model was not trained on."""
    from fastclf.model import ModelBundle
    from fastclf.photos import TRAIN
    from fastclf.system import hash_file

    learned = {row.sha256 for row in ModelBundle.load(model).read_photos() if row.split == TRAIN}
    return [path for path in find_photos(folder) if hash_file(path) not in learned]


def open_rgb(path: Path) -> Image.Image:
    """Decode a photo with Pillow alone, upright."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return a photo as bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def build_folder(source: Path, dest: Path, n: int, *, side: int | None = None) -> Path:
    """Write `n` photos: those of `source`, then parts of them that are no duplicates, scaled to `side`."""
    rng = np.random.default_rng(0)
    photos = find_photos(source)
    order = rng.permutation(len(photos))
    for number in range(n):
        path = photos[order[number % len(photos)]]
        target = dest / path.relative_to(source).parent / f"{number:05}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        if side is None and number < len(photos):
            shutil.copyfile(path, target)
            continue
        image = open_rgb(path)
        if number >= len(photos):
            image = _take_part(image, rng)
        if side is not None:
            image = ImageOps.contain(image, (side, side), Image.Resampling.BICUBIC)
        target.write_bytes(encode(image, quality=90))
    return dest


def _take_part(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Crop somewhere and perhaps mirror."""
    share = rng.uniform(0.6, 0.85)
    width, height = (max(8, round(length * share)) for length in image.size)
    x, y = rng.integers(0, image.width - width + 1), rng.integers(0, image.height - height + 1)
    part = image.crop((x, y, x + width, y + height))
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def draw_noise(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw a picture of noise."""
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def draw_plain(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw a picture of one colour."""
    return Image.new("RGB", size, tuple(int(c) for c in rng.integers(0, 256, 3)))
