"""Checking, cleaning and refitting one's own photos against the course's way.

Where more photos are needed than there are, parts of them are added that are no duplicates of them.
"""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from fastclf.catalog import Catalog
from fastclf.check import check_catalog

from .harness import Bench, Line, alternate, build_folder, for_each_folder, run_apart, time_it

DATA = "folders with one sub-folder per class; they are only read"
CLEANED = 512


def measure_check(bench: Bench, source: Path) -> list[Line]:
    """Compare the first and a second scan and check with the course's `verify_images` and `resize_images`."""
    lines = []
    for n, words, side in ((1000, "as they are", None), (300, "scaled to 1600 px", 1600)):
        folder = build_folder(source, bench.new_folder() / "photos", bench.count(n), side=side)
        resized = folder.with_name("resized")
        took = alternate(bench.repeats, {
            "course": partial(_do_as_the_course, folder, resized),
            "ours": partial(_scan_and_check_twice, folder),
        })  # fmt: skip
        shutil.rmtree(folder)
        both = [a + b for a, b in zip(took["scan"], took["check"], strict=True)]
        again = [a + b for a, b in zip(took["scan again"], took["check again"], strict=True)]
        photos = f"{bench.count(n):,} photos of {source.name} {words}"
        lines += [
            Line(f"scan {photos}, s; course's verify and resize", took["scan"], took["course"], at_most=0.8),
            Line("... processor time, s; course's", took["scan work"], took["course work"]),
            Line("scan them again, s; first scan", took["scan again"], took["scan"], at_most=0.05),
            Line("check them, s", took["check"]),
            Line("check them again, s; first check", took["check again"], took["check"], at_most=0.05),
            Line("scan and check again, s; first scan and check", again, both, at_most=0.05),
        ]  # fmt: skip
    return lines


def _scan_and_check_twice(folder: Path) -> dict[str, float]:
    took = {}
    for again in ("", " again"):
        with Catalog(folder) as catalog:
            before = _processor_time()
            took[f"scan{again}"] = time_it(catalog.scan)
            took[f"scan{again} work"] = _processor_time() - before
            took[f"check{again}"] = time_it(partial(check_catalog, catalog))
    _forget(folder)
    return took


def _do_as_the_course(folder: Path, resized: Path) -> dict[str, float]:
    from fastai.vision.all import get_image_files, resize_images, verify_images

    files = get_image_files(folder)
    before, started = _processor_time(), time.perf_counter()
    verify_images(files)
    resize_images(folder, max_size=400, dest=resized, recurse=True)
    took = {"course": time.perf_counter() - started, "course work": _processor_time() - before}
    shutil.rmtree(resized)
    return took


def measure_cleaner(bench: Bench, source: Path) -> list[Line]:
    """Open the cleaner on photos of which a model has cached features, on unknown ones, and fastai's."""
    from fastclf.dashboard import ImageClassifierCleaner
    from fastclf.training import train

    folder = build_folder(source, bench.new_folder() / "photos", bench.count(CLEANED))
    model, trained = folder.with_name("model"), folder.with_name("trained")
    # small steps and batches: what it answers costs the same, and its features stay in bounds
    small = {"epochs": 1, "batch_size": 8, "lr": 1e-5, "pretrained": False, "quiet": True}
    train(folder, model, arch="resnet18", size=224, **small)
    shutil.copytree(folder / ".fastclf", trained)
    learn, theirs = _build_course_learner(folder), _get_their_cleaner()
    took = alternate(bench.repeats, {
        "theirs": lambda: theirs(learn),
        "ours": lambda: ImageClassifierCleaner(learn),
        "panel": lambda: _open_panel_three_times(folder, model, trained),
    })  # fmt: skip
    words = f"open the cleaner on {bench.count(CLEANED)} photos of {source.name}, "
    judged = "... until its labels are judged too, s; fastai's"

    def compare(what: str, key: str, **goal: float) -> Line:
        return Line(what, took[key], took["theirs"], **goal)

    return [
        compare(f"{words}features cached by training, s; fastai's", "cached", limit=2),
        compare(judged, "cached, all"),
        compare("... a second time, s; fastai's", "again", limit=2),
        compare(judged, "again, all", limit=2),
        compare("... nothing cached, s; fastai's", "nothing", at_most=0.8),
        compare(judged, "nothing, all", at_most=0.8),
        compare("... our ImageClassifierCleaner(learn), s; fastai's", "ours"),
    ]


def _open_panel_three_times(folder: Path, model: Path, trained: Path) -> dict[str, float]:
    """Open the Clean panel with the catalog as training left it, once more, and without a catalog."""
    took = {}
    _forget(folder)
    shutil.copytree(trained, folder / ".fastclf")
    for name in ("cached", "again", "nothing"):
        if name == "nothing":
            _forget(folder)
        took[name], took[f"{name}, all"] = _open_panel(folder, model)
    return took


def _open_panel(folder: Path, model: Path) -> tuple[float, float]:
    """Do what the Clean tab does; return the seconds until photos are shown, and until all doubts are."""
    from fastclf.dashboard.clean import CatalogStore, CleanPanel

    started = time.perf_counter()
    desk = CatalogStore(folder, model)
    desk.open(lambda words: None)
    panel = CleanPanel(desk, desk)
    panel.view.value = "all"
    if not panel.grid.tiles or not panel.grid.pictures:
        raise SystemExit("The panel opened without photos.")
    shown = time.perf_counter() - started
    desk.prepare(lambda words: None)
    panel.refresh()
    obstacle = desk.find_obstacle()
    if obstacle or "not checked" in desk.note:
        raise SystemExit(obstacle or desk.note)
    return shown, time.perf_counter() - started


def _build_course_learner(folder: Path) -> Any:
    """Build the course's Learner; untrained, as its answers do not change what they cost."""
    from fastai.vision.all import (
        ImageDataLoaders,
        RandomResizedCrop,
        aug_transforms,
        resnet18,
        vision_learner,
    )

    dls = ImageDataLoaders.from_folder(
        folder, valid_pct=0.2, seed=42, item_tfms=RandomResizedCrop(224, min_scale=0.5),
        batch_tfms=aug_transforms(),
    )  # fmt: skip
    learn = vision_learner(dls, resnet18, pretrained=False)
    learn.remove_cb(learn.progress)
    return learn


def _get_their_cleaner() -> Any:
    import builtins

    from fastai.vision.widgets import ImageClassifierCleaner

    # outside of a notebook fastai's cleaner lacks IPython's `display`
    builtins.display = lambda *_, **__: None  # type: ignore[attr-defined]
    return ImageClassifierCleaner


def measure_page(bench: Bench, source: Path) -> list[Line]:
    """Turn pages and change filters where there are 10,000 photos with stored thumbnails."""
    from dataclasses import replace

    from fastclf.dashboard.clean import CatalogStore, CleanPanel

    n = bench.count(10_000)

    class Many(CatalogStore):
        """Shows each photo several times over, under keys of its own and its real thumbnail."""

        def load_items(self) -> list[Any]:
            items = super().load_items()
            self.real = {k: items[k % len(items)].key for k in range(n)}
            return [replace(items[k % len(items)], key=k, name=f"{k}.jpg") for k in range(n)]

        def read_thumbnail(self, key: int) -> bytes | None:
            return super().read_thumbnail(self.real[key])

    folder = build_folder(source, bench.new_folder() / "photos", n // 10)
    desk = Many(folder, folder.with_name("no-model"))
    desk.open(lambda words: None)
    desk.prepare(lambda words: None)
    opened = [time_it(lambda: CleanPanel(desk)) for _ in range(bench.repeats)]
    panel = CleanPanel(desk)
    panel.view.value = "all"
    turned, filtered, chosen = [], [], []
    for page in range(1, 21):
        turned.append(time_it(lambda page=page: setattr(panel.model, "page", page)))
        if len(panel.grid.tiles) != panel.model.page_size or not panel.grid.pictures:
            raise SystemExit(f"Page {page} has no photos.")
    for label in [*panel.model.vocab, ""]:
        filtered.append(time_it(lambda label=label: setattr(panel.label, "value", label)))
        key = panel.model.queue[0].key
        chosen.append(time_it(lambda key=key: panel.model.choose([key], "remove")))
    return [
        Line(f"turn a page of {n:,} photos of {source.name}, s", turned, limit=0.2),
        Line("... choose a class, s", filtered, limit=0.2),
        Line("... mark a photo, s", chosen, limit=0.2),
        Line("... open the panel, all checked, s", opened),
    ]


def measure_search(bench: Bench) -> list[Line]:
    """Search 100,000 hashes."""
    n = bench.count(100_000)
    took = alternate(bench.repeats, {"search": partial(run_apart, search_hashes, n)})
    return [
        Line(f"search {n:,} hashes for close ones, s", took["one"], limit=10),
        Line("... whole search for near-duplicates (17 hashes), s", took["whole"], limit=10),
        Line("... most memory, MB", took["peak"], limit=1000),
    ]


def search_hashes(n: int) -> dict[str, float]:
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

    whole = time_it(lambda: find_pixel_pairs(hashes, Noise(), np.ones(n, bool)))
    return {"one": one, "whole": whole, "peak": _peak()}


def measure_refit(bench: Bench, source: Path) -> list[Line]:
    """Correct a label, refit, and again; against `fine_tune(1)` of the same network at the same size."""
    from fastclf.head import refit_head, use_refit

    n = bench.count(3000)
    folder = build_folder(source, bench.new_folder() / "photos", n)
    model = folder.with_name("model")
    run_apart(train_small, folder, model)
    with Catalog(folder) as catalog:
        train = [p for p in catalog.photos().photos if p.split == "train"]
        took = []
        for number in range(2 * bench.repeats):
            photo = train[number * 37 % len(train)]
            label = next(p.label for p in train if p.label != photo.label)
            catalog.relabel([photo.name], label, why="benchmark")
            took.append(time_it(lambda: refit_head(model, folder)))
            use_refit(model)
    theirs = [run_apart(fine_tune_small, folder)["fine_tune"] for _ in range(max(1, bench.repeats // 2))]
    words = f"refit after a correction, {n:,} photos of {source.name}, resnet18 at 64 px"
    return [
        Line(f"{words}, s; fastai's fine_tune(1)", took[::2], theirs, limit=5),
        Line("... the second time, s; fastai's fine_tune(1)", took[1::2], theirs, limit=5),
    ]


def train_small(folder: Path, out: Path) -> dict[str, float]:
    """Train resnet18 at 64 px from scratch for an epoch and write the bundle; features are cached by it."""
    from fastclf.training import train

    return {"train": time_it(lambda: train(folder, out, size=64, epochs=1, pretrained=False, quiet=True))}


def fine_tune_small(folder: Path) -> dict[str, float]:
    """Do what the course does after a correction: `fine_tune(1)` on all photos, here at 64 px."""
    from fastai.vision.all import ImageDataLoaders, Resize, resnet18, vision_learner

    dls = ImageDataLoaders.from_folder(folder, valid_pct=0.2, seed=42, item_tfms=Resize(64))
    learn = vision_learner(dls, resnet18, pretrained=False)
    with learn.no_bar(), learn.no_logging():
        return {"fine_tune": time_it(lambda: learn.fine_tune(1))}


def measure_memory(bench: Bench, source: Path) -> list[Line]:
    """Count the memory of a process that scans and checks."""
    n = bench.count(1000)
    folder = build_folder(source, bench.new_folder() / "photos", n)

    def scan_once() -> dict[str, float]:
        _forget(folder)
        return run_apart(scan_and_check, folder)

    took = alternate(bench.repeats, {"memory": scan_once})
    words = f"unique memory after scan and check of {n:,} photos of {source.name}, MB"
    return [
        Line(words, took["uss"]),
        Line("... at its peak (resident), MB", took["peak"]),
        Line("... of the child that judges labels, at its peak, MB", took["peak of children"]),
    ]


def scan_and_check(folder: Path) -> dict[str, float]:
    """Scan and check a folder without a catalog; return memory in MB."""
    with Catalog(folder) as catalog:
        catalog.scan()
        check_catalog(catalog)
    unique = psutil.Process().memory_full_info().uss / 1e6
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return {"uss": unique, "peak": _peak(), "peak of children": child}


def _peak() -> float:
    """Return the most resident memory of this process, in MB; `ru_maxrss` would count its parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise SystemExit("Memory is counted on Linux only.")


def _processor_time() -> float:
    """Return the seconds that this process and its ended children have computed."""
    return sum(os.times()[:4])


def _forget(folder: Path) -> None:
    """Take away the catalog and all that is cached."""
    shutil.rmtree(folder / ".fastclf", ignore_errors=True)


PARTS: dict[str, Callable[[Bench], list[Line]]] = {
    "check": for_each_folder(measure_check),
    "cleaner": for_each_folder(measure_cleaner),
    "page": for_each_folder(measure_page),
    "search": measure_search,
    "refit": for_each_folder(measure_refit),
    "memory": for_each_folder(measure_memory),
}
PARTS_WITHOUT_DATA = ("search",)
