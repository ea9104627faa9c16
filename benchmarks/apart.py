"""Measurements in a process of their own, where memory is counted: started fresh, ended afterwards."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

Measure = Callable[..., dict[str, float]]


def run_apart(measure: Measure, *args: Any) -> dict[str, float]:
    """Run a function of this module in a fresh process and return what it measured."""
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


def measure_scan_and_check(folder: Path) -> dict[str, float]:
    """Scan and check a folder without a catalog; return seconds and this process's memory in MB."""
    from fastclf.catalog import Catalog

    before, children, stop = _unique_memory(), [0.0], threading.Event()
    watch = threading.Thread(target=_watch_children, args=(stop, children))
    watch.start()
    with Catalog(folder) as catalog:
        scanned = _time(catalog.scan)
        after_scan = _unique_memory()
        checked = _time(catalog.check)
    stop.set()
    watch.join()
    return {
        "scan": scanned, "check": checked, "uss before": before, "uss after scan": after_scan,
        "uss": _unique_memory(), "peak": _peak(), "peak of children": max(children),
    }  # fmt: skip


def measure_search(n: int) -> dict[str, float]:
    """Search `n` hashes, a tenth of them copies of others with up to 8 bits flipped."""
    from fastclf.issues import N_HASHES, SIGNATURE_SHAPE, find_pixel_pairs
    from fastclf.issues.near.search import find_close_hashes

    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, (n, N_HASHES), np.uint64)
    copies, originals = np.arange(n // 10), n // 10 + np.arange(n // 10)
    hashes[copies, 0] = hashes[originals, 0]
    for _ in range(8):
        hashes[copies, 0] ^= np.uint64(1) << rng.integers(0, 64, len(copies), np.uint64)
    started = time.perf_counter()
    close = find_close_hashes(hashes[:, 0], 10)
    one = time.perf_counter() - started
    lacking = set(zip(copies, originals, strict=True)) - set(zip(close.i, close.j, strict=True))
    if lacking:
        raise SystemExit(f"{len(lacking)} of the planted pairs were not found.")

    class Noise:
        """Stands for the database: it makes up signatures."""

        def __getitem__(self, photos: Any, /) -> Any:
            return rng.integers(0, 256, (len(photos), *SIGNATURE_SHAPE), np.uint8)

    started = time.perf_counter()
    found = find_pixel_pairs(hashes, Noise(), np.ones(n, bool))
    whole = time.perf_counter() - started
    return {"one": one, "whole": whole, "candidates": found.n_candidates, "peak": _peak()}


def train_small(folder: Path, out: Path) -> dict[str, float]:
    """Train resnet18 at 64 px from scratch for an epoch and write the bundle; features are cached by it."""
    from fastclf.training import train

    return {
        "train": _time(lambda: train(folder, out, size=64, epochs=1, pretrained=False, quiet=True)),
    }


def fine_tune_small(folder: Path) -> dict[str, float]:
    """Do what the course does after a correction: `fine_tune(1)` on all photos, here at 64 px."""
    from fastai.vision.all import ImageDataLoaders, Resize, resnet18, vision_learner

    dls = ImageDataLoaders.from_folder(folder, valid_pct=0.2, seed=42, item_tfms=Resize(64))
    learn = vision_learner(dls, resnet18, pretrained=False)
    with learn.no_bar(), learn.no_logging():
        return {"fine_tune": _time(lambda: learn.fine_tune(1))}


def _answer(connection: Connection, measure: Measure, args: tuple[Any, ...]) -> None:
    connection.send(measure(*args))
    connection.close()


def _time(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _unique_memory() -> float:
    return psutil.Process().memory_full_info().uss / 1e6


def _peak() -> float:
    """Return the most resident memory of this process, in MB; `ru_maxrss` would count its parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise SystemExit("Memory is counted on Linux only.")


def _watch_children(stop: threading.Event, sizes: list[float]) -> None:
    """Look every 50 ms how much memory the children hold."""
    while not stop.wait(0.05):
        total = 0.0
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss / 1e6
        sizes.append(total)
