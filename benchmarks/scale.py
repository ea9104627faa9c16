"""How near does scoring come to what the machine's cores can decode and run, and does its memory grow?"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psutil

from fastclf.model import Predictor, count_cores
from fastclf.score import score_photos
from tests.toy import write_toy_bundle

from .harness import Bench, Line, Table, alternate, build_folder, find_photos, run_apart, tell

DATA = "MODEL=FOLDER"
_BATCH, _SHARD, _RATED = 4, 250, 4000
_DISTINCT, _SIDE = 1000, 96


def measure_rate(bench: Bench) -> list[Any]:
    """Compare the rate of `score` with decoding and running alone, with a process a core each."""
    return [line for model, folder in bench.models for line in _compare(bench, model, folder)]


def _compare(bench: Bench, model: Path, folder: Path) -> list[Line]:
    photos, cores = find_photos(folder), count_cores()
    copies = sorted(_copy(photos, bench.new_folder()).iterdir())
    many = _link(copies, bench.new_folder(), bench.count(_RATED))
    took = alternate(
        bench.repeats,
        {
            "limit": lambda: {"limit": _find_limit(model, sorted(many.rglob("*.*")), cores)},
            "score": lambda: _score(bench, model, many, cores),
        },
    )
    called = f"{folder.name}, {bench.count(_RATED):,} names of {len(photos)} photos, {cores} processes"
    share = [score / limit for score, limit in zip(took["score"], took["limit"], strict=True)]
    return [
        Line(f"photos/s, {called}; decode and run alone", took["score"], took["limit"]),
        Line(f"photos/s with the start of the processes, {called}; the same", took["whole"], took["limit"]),
        Line(f"share of the limit, {called}", share, at_least=0.9),
    ]


def measure_work(bench: Bench) -> list[Any]:
    """Compare the processor's time a photo: what other programs do at the same time shortens no ratio."""
    return [line for model, folder in bench.models for line in _compare_work(bench, model, folder)]


def _compare_work(bench: Bench, model: Path, folder: Path) -> list[Line]:
    photos = find_photos(folder)
    photos = photos[:: max(1, len(photos) // bench.count(150))]
    some = _copy(photos, bench.new_folder())
    predictor = Predictor(model, threads=1)

    def score() -> dict[str, float]:
        started = time.process_time()
        score_photos(predictor.bundle, some, bench.new_folder())
        return {"score": 1000 * (time.process_time() - started) / len(photos)}

    def run_alone() -> dict[str, float]:
        data = [path.read_bytes() for path in photos]
        started = time.process_time()
        _run_batches(predictor, data)
        return {"limit": 1000 * (time.process_time() - started) / len(photos)}

    score()  # opens the model
    took = alternate(bench.repeats, {"limit": run_alone, "score": score})
    called = f"processor time a photo, ms, {folder.name}, {len(photos)} photos; decode and run alone"
    return [Line(called, took["score"], took["limit"], at_most=1 / 0.9)]


def _run_batches(predictor: Predictor, data: list[bytes]) -> None:
    prepare = predictor.preprocess
    for start in range(0, len(data), _BATCH):
        predictor.run(prepare.batch([prepare.decode(photo).image for photo in data[start : start + _BATCH]]))


def _score(bench: Bench, model: Path, folder: Path, cores: int) -> dict[str, float]:
    """Score a folder; the rate from the first shards to the last, and that of the whole call."""
    seen: list[tuple[float, int]] = []
    started = time.perf_counter()
    score_photos(
        model, folder, bench.new_folder(), shard_size=_SHARD, processes=cores,
        progress=lambda done, total: seen.append((time.perf_counter(), done)),
    )  # fmt: skip
    # the first shards hold the start of the processes, the last ones a core that has nothing left to do
    (first, n_first), (last, n_last) = seen[cores - 1], seen[-cores]
    return {
        "score": (n_last - n_first) / (last - first),
        "whole": seen[-1][1] / (time.perf_counter() - started),
    }


def _find_limit(model: Path, photos: list[Path], cores: int) -> float:
    """Return the photos a second that processes decode and run, out of memory and for nobody."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(cores), context.Queue()
    children = [
        context.Process(target=_decode_and_run, args=(model, photos[k::cores], barrier, queue))
        for k in range(cores)
    ]
    for child in children:
        child.start()
    rates = [queue.get() for _ in children]
    for child in children:
        child.join()
    return sum(rates)


def _decode_and_run(model: Path, photos: list[Path], barrier: Barrier, queue: Any) -> None:
    predictor = Predictor(model, threads=1)
    prepare, data = predictor.preprocess, [path.read_bytes() for path in photos]
    predictor.run(prepare.batch([prepare.decode(data[0]).image]))
    barrier.wait()
    started = time.perf_counter()
    _run_batches(predictor, data)
    queue.put(len(data) / (time.perf_counter() - started))


def measure_memory(bench: Bench) -> list[Any]:
    """Score more and more small photos, altered ones of the folder's, and see what the memory does."""
    rows, numbers = [], []
    _, folder = bench.models[0]
    model = write_toy_bundle(bench.new_folder() / "model")
    small = find_photos(build_folder(folder, bench.new_folder(), _DISTINCT, side=_SIDE))
    for n in (bench.count(10_000), bench.count(100_000)):
        tell(f"  {n} photos")
        found = run_apart(
            _measure_run, model, _link(small, bench.new_folder(), n), bench.new_folder(), count_cores()
        )
        assert found["rows"] == n, "a photo is missing"  # noqa: S101
        numbers.append({"n": n, **found})
        rows.append(
            [f"{n:,}", *(f"{found[k]:,.0f}" for k in ("listed", "seconds", "rate", "own", "child", "disk"))]
        )
    heads = (
        "photos",
        "until the first shard, s",
        "all, s",
        "photos/s",
        "MB, main process",
        "MB, largest other",
        "MB of shards",
    )
    return [Table(f"Peak memory, photos of {_SIDE} px, a tiny network", heads, rows, numbers)]


def _copy(photos: list[Path], dest: Path) -> Path:
    for number, path in enumerate(photos):
        shutil.copyfile(path, dest / f"{number:05}{path.suffix}")
    return dest


def _link(photos: list[Path], dest: Path, n: int) -> Path:
    """Make `n` names of photos, a thousand a folder; the bytes are the same again and again."""
    for number in range(n):
        target = dest / f"{number // 1000:04}" / f"{number:07}.jpg"
        target.parent.mkdir(exist_ok=True)
        os.link(photos[number % len(photos)], target)
    return dest


def _measure_run(model: Path, folder: Path, out: Path, cores: int) -> dict[str, float]:
    peaks, ended, first = {"own": 0.0, "child": 0.0}, threading.Event(), list[float]()

    def watch() -> None:
        me = psutil.Process()
        while not ended.wait(0.2):
            peaks["own"] = max(peaks["own"], me.memory_info().rss / 2**20)
            for child in me.children():
                try:
                    peaks["child"] = max(peaks["child"], child.memory_info().rss / 2**20)
                except psutil.NoSuchProcess:
                    continue

    def note(done: int, total: int) -> None:
        first[:] = first or [time.perf_counter() - started]

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    summary = score_photos(model, folder, out, processes=cores, progress=note)
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    size = sum(file.stat().st_size for file in out.glob("part-*")) / 2**20
    return {
        **peaks,
        "rows": summary.counts.photos,
        "seconds": seconds,
        "rate": summary.rate or 0,
        "listed": first[0],
        "disk": size,
    }


PARTS = {"work": measure_work, "rate": measure_rate, "memory": measure_memory}
