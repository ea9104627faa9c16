"""What does a folder of very many photos take: scan, check, Clean tab, a clean copy, and how does it grow?"""

from __future__ import annotations

import argparse
import math
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from .altered import write_altered
from .harness import Bench, Table, run_apart, tell

DATA = "folders"
PARTS_WITHOUT_DATA = ("search",)
_SIDE = 96
_WIDTH = 1280
_HEADS = ("processor s", "s", "MB")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the option of this benchmark."""
    parser.add_argument("--sizes", help="numbers of photos, by commas", default="1000,10000,100000")
    parser.add_argument("--side", type=int, default=_SIDE, help=f"pixels of a photo (default: {_SIDE})")


def measure_search(bench: Bench) -> list[Any]:
    """Search drawn hashes, and hashes that are all alike, as near copies are searched."""
    found = {n: run_apart(_search, n) for n in _read_sizes(bench)}
    return [_build_table("Close hashes among N photos, a whole search", found)]


def measure_catalog(bench: Bench) -> list[Any]:
    """Do all that is done with a folder, each step in a process of its own."""
    found: dict[int, dict[str, float]] = {}
    for n in _read_sizes(bench):
        tell(f"  {n} photos")
        folder = write_altered(bench.folders, bench.new_folder() / "photos", n, bench.options.side)
        found[n] = {}
        for step in (_scan, _scan_again, _near, _check, _check_again, _tab, _materialize):
            found[n] |= run_apart(step, folder)
            tell(f"    {step.__name__}: {found[n]}")
        shutil.rmtree(folder)
    return [_build_table(f"A folder of N photos of {bench.options.side} px", found)]


def _read_sizes(bench: Bench) -> list[int]:
    return [bench.count(int(n)) for n in bench.options.sizes.split(",")]


def _build_table(title: str, found: dict[int, dict[str, float]]) -> Table:
    """Return a row a step: what it takes at each size, and the exponent between the two largest."""
    sizes, rows = list(found), []
    for step in dict.fromkeys(key.rpartition(", ")[0] for key in found[sizes[-1]]):
        cells = [_write(found[n], step) for n in sizes]
        rows.append([step, *cells, _fit_exponent(found, step) if len(sizes) > 1 else "-"])
    heads = ["step", *(f"{n:,}: {', '.join(_HEADS)}" for n in sizes), "grows as n to the"]
    return Table(title, heads, rows, {str(n): values for n, values in found.items()})


def _write(values: dict[str, float], step: str) -> str:
    return " / ".join(f"{values[f'{step}, {head}']:.3g}" for head in _HEADS)


def _fit_exponent(found: dict[int, dict[str, float]], step: str) -> str:
    (small, large), head = list(found)[-2:], f"{step}, {_HEADS[0]}"
    ratio = max(found[large][head], 1e-4) / max(found[small][head], 1e-4)
    return f"{math.log(ratio) / math.log(large / small):.2f}"


class _Meter:
    """Takes the processor's time, the clock's, and the most memory of a process and its children."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self._peak, self._ended = 0.0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def take(self, step: str) -> Iterator[None]:
        """Measure a block."""
        self._look()
        self._peak = 0.0
        started, used = time.perf_counter(), _count_processor()
        yield
        self._look()
        values = _count_processor() - used, time.perf_counter() - started, self._peak
        self.found |= {f"{step}, {head}": value for head, value in zip(_HEADS, values, strict=True)}

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self._look()

    def _look(self) -> None:
        try:
            me = psutil.Process()
            held = [one.memory_info().rss for one in (me, *me.children(recursive=True))]
        except psutil.Error:
            return
        self._peak = max(self._peak, sum(held) / 2**20)


def _count_processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _search(n: int) -> dict[str, float]:
    from fastclf.issues import N_HASHES
    from fastclf.issues.near.candidates import find_candidates

    rng, meter, all_of = np.random.default_rng(0), _Meter(), np.ones(n, bool)
    drawn = rng.integers(0, 2**64, (n, N_HASHES), np.uint64)
    alike = np.broadcast_to(drawn[:1], drawn.shape)
    # a few bits of some hundred scenes are changed, as in the pictures of a camera that stays where it is
    flipped = drawn[:1] ^ (np.uint64(1) << rng.integers(0, 64, (n, 1, 3), np.uint64)).sum(2, dtype=np.uint64)
    for name, hashes in (("drawn", drawn), ("all equal", alike), ("all within six bits", flipped)):
        with meter.take(name):
            find_candidates(np.ascontiguousarray(hashes), all_of, None, 64, None)
    return meter.found


def _scan(folder: Path, name: str = "scan") -> dict[str, float]:
    from fastclf import Catalog

    meter = _Meter()
    with Catalog(folder) as catalog, meter.take(name):
        catalog.scan()
    return meter.found


def _scan_again(folder: Path) -> dict[str, float]:
    return _scan(folder, "scan again")


def _near(folder: Path) -> dict[str, float]:
    from fastclf import Catalog

    meter = _Meter()
    with Catalog(folder) as catalog:
        with meter.take("near copies"):
            catalog.find_near_pairs()
        with meter.take("near copies again"):
            catalog.find_near_pairs()
    return meter.found


def _check(folder: Path, name: str = "check") -> dict[str, float]:
    from fastclf import Catalog
    from fastclf.check import CheckInputs, check_catalog

    meter = _Meter()
    with Catalog(folder) as catalog:
        inputs = CheckInputs(_draw_features(catalog), provenance="drawn")
        with meter.take(f"{name}, all but labels"):
            check_catalog(catalog, inputs, labels=False)
        with meter.take(name):
            check_catalog(catalog, inputs)
    return meter.found


def _check_again(folder: Path) -> dict[str, float]:
    return _check(folder, "check again")


def _draw_features(catalog: Any) -> np.ndarray:
    """Return features as a network's are: around a centre a class, few directions strong, none negative."""
    photos = catalog.photos().photos
    vocab = sorted({p.label for p in photos})
    rng = np.random.default_rng(0)
    strength = (1 / np.sqrt(np.arange(1, 65))).astype(np.float32)
    basis = rng.normal(size=(64, _WIDTH)).astype(np.float32) / 8
    centres = rng.normal(size=(len(vocab), 64)).astype(np.float32)
    x = np.empty((len(photos), _WIDTH), np.float32)
    for i, photo in enumerate(photos):
        rng = np.random.default_rng(int(photo.sha256[:12], 16))
        x[i] = (centres[vocab.index(photo.label)] + 1.5 * rng.normal(size=64)) * strength @ basis
        x[i] += 0.1 * rng.normal(size=_WIDTH)
    return np.maximum(x, 0)


def _tab(folder: Path) -> dict[str, float]:
    """Open the Clean tab on a folder that is known, and do what an owner does."""
    from fastclf.dashboard.clean import CatalogStore, CleanPanel

    meter, store = _Meter(), CatalogStore(folder, folder.parent / "no model")
    with meter.take("tab: usable"):
        store.open(lambda words: None)
        panel = CleanPanel(store, None)
    if store.is_hurried:
        with meter.take("tab: all looked through"):
            store.finish_opening(lambda words: None)
            panel.refresh()
    for step, act in _list_acts(panel).items():
        with meter.take(f"tab: {step}"):
            act()
    return meter.found


def _list_acts(panel: Any) -> dict[str, Callable[[], Any]]:
    model = panel.model

    def choose(n: int) -> None:
        model.choose([item.key for item in model.queue[:n]], "remove")

    def set_filter(name: str, value: Any) -> Callable[[], None]:
        return lambda: setattr(model, name, value)

    return {
        "show all": set_filter("view", "all"),
        "next page": set_filter("page", 1),
        "page 1,000 or the last": set_filter("page", min(1000, model.pages - 1)),
        "a class": set_filter("label", model.vocab[0]),
        "all classes": set_filter("label", ""),
        "a part of a name": set_filter("part", "77"),
        "no part": set_filter("part", ""),
        "choose 1": lambda: choose(1),
        "apply 1": model.apply,
        "undo of 1": model.undo,
        "choose 1,000": lambda: choose(1000),
        "apply 1,000": model.apply,
        "undo of 1,000": model.undo,
        "poor quality": set_filter("view", "quality"),
        "doubts": set_filter("view", "doubts"),
    }


def _materialize(folder: Path) -> dict[str, float]:
    from fastclf import Catalog

    meter = _Meter()
    with Catalog(folder) as catalog, meter.take("materialize"):
        catalog.materialize(folder.parent / "copy")
    shutil.rmtree(folder.parent / "copy")
    return meter.found


PARTS = {"search": measure_search, "catalog": measure_catalog}
