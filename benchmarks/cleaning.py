"""Measure checking, cleaning and refitting against the course's way, on photos of a labelled folder."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apart
from photo_sets import build_folder
from verdicts import Line, print_table, tell

from fastclf.catalog import Catalog

PHOTOS, LARGE_PHOTOS, CLEANED, PAGED, HASHES, REFITTED = 1000, 300, 512, 10_000, 100_000, 3000


@dataclass(frozen=True)
class Bench:
    """Where the photos come from, where the copies go, and how often each thing is done."""

    source: Path
    scratch: Path
    repeats: int


def measure_check(bench: Bench) -> list[Line]:
    """Compare the first and a second scan and check with the course's `verify_images` and `resize_images`."""
    return [
        *_compare_check(bench, "as they are", PHOTOS, None),
        *_compare_check(bench, "scaled to 1600 px", LARGE_PHOTOS, 1600),
    ]


def _compare_check(bench: Bench, words: str, n: int, side: int | None) -> list[Line]:
    folder = build_folder(bench.source, bench.scratch / "checked", n, side=side)
    course, work, took = _repeat_check(bench, folder)
    shutil.rmtree(folder)
    both = [a + b for a, b in zip(took["scan"], took["check"], strict=True)]
    again = [a + b for a, b in zip(took["scan again"], took["check again"], strict=True)]
    photos = f"{n:,} photos {words}"
    return [
        Line(f"scan {photos}, s; course's verify and resize", took["scan"], course, at_most=0.6),
        Line("... processor time, s; course's", took["scan work"], work),
        Line("scan them again, s; first scan", took["scan again"], took["scan"], at_most=0.05),
        Line("check them, s", took["check"]),
        Line("check them again, s; first check", took["check again"], took["check"], at_most=0.05),
        Line("scan and check again, s; first scan and check", again, both, at_most=0.05),
    ]  # fmt: skip


def _repeat_check(bench: Bench, folder: Path) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Alternate the course's way and ours, so that a noisy minute meets both."""
    course: list[float] = []
    work: list[float] = []
    keys = ("scan", "scan work", "check", "scan again", "check again")
    took: dict[str, list[float]] = {key: [] for key in keys}
    for number in range(bench.repeats):
        for ours in (True, False) if number % 2 else (False, True):
            if ours:
                _scan_and_check_twice(folder, took)
            else:
                seconds, computed = _do_as_the_course(folder, bench.scratch / "resized")
                course.append(seconds)
                work.append(computed)
        tell(f"  course {course[-1]:.2f} s, " + ", ".join(f"{k} {v[-1]:.3f} s" for k, v in took.items()))
    return course, work, took


def _scan_and_check_twice(folder: Path, took: dict[str, list[float]]) -> None:
    for suffix in ("", " again"):
        with Catalog(folder) as catalog:
            before = _processor_time()
            took[f"scan{suffix}"].append(_time(catalog.scan))
            if not suffix:
                took["scan work"].append(_processor_time() - before)
            took[f"check{suffix}"].append(_time(catalog.check))
    _forget(folder)


def _do_as_the_course(folder: Path, resized: Path) -> tuple[float, float]:
    """Return the seconds by the clock and of the processors."""
    from fastai.vision.all import get_image_files, resize_images, verify_images

    files = get_image_files(folder)
    try:
        before, started = _processor_time(), time.perf_counter()
        verify_images(files)
        resize_images(folder, max_size=400, dest=resized, recurse=True)
        return time.perf_counter() - started, _processor_time() - before
    finally:
        shutil.rmtree(resized)


def measure_cleaner(bench: Bench) -> list[Line]:
    """Open the cleaner on photos of which a model has cached features, on unknown ones, and fastai's."""
    from fastclf.dashboard import ImageClassifierCleaner
    from fastclf.training import train

    folder = build_folder(bench.source, bench.scratch / "cleaned", CLEANED)
    model = bench.scratch / "model"
    # small steps and batches: what it answers costs the same, and its features stay in bounds
    train(
        folder,
        model,
        arch="resnet18",
        size=224,
        epochs=1,
        batch_size=8,
        lr=1e-5,
        pretrained=False,
        quiet=True,
    )
    trained = bench.scratch / "trained"
    shutil.copytree(folder / ".fastclf", trained)
    learn = _build_learner(folder)
    learn.remove_cb(learn.progress)
    theirs = _get_their_cleaner()
    took: dict[str, list[float]] = defaultdict(list)
    for number in range(bench.repeats):
        acts: list[Callable[[], None]] = [
            lambda: took["theirs"].append(_time(lambda: theirs(learn))),
            lambda: took["ours"].append(_time(lambda: ImageClassifierCleaner(learn))),
            lambda: _open_panel_three_times(folder, model, trained, took),
        ]
        for act in acts if number % 2 else reversed(acts):
            act()
        tell("  " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in took.items()))
    words = f"open the cleaner on {CLEANED} photos"
    return [
        Line(f"{words}, features cached by training, s; fastai's", took["cached"], took["theirs"], limit=2),
        Line("... until its labels are judged too, s; fastai's", took["cached, all"], took["theirs"]),
        Line("... a second time, s; fastai's", took["again"], took["theirs"], limit=2),
        Line("... until its labels are judged too, s; fastai's", took["again, all"], took["theirs"], limit=2),
        Line("... nothing cached, s; fastai's", took["nothing"], took["theirs"], at_most=0.8),
        Line(
            "... until its labels are judged too, s; fastai's",
            took["nothing, all"],
            took["theirs"],
            at_most=0.8,
        ),
        Line("... our ImageClassifierCleaner(learn), s; fastai's", took["ours"], took["theirs"]),
    ]


def _open_panel_three_times(folder: Path, model: Path, trained: Path, took: dict[str, list[float]]) -> None:
    """Open the Clean panel with the catalog as training left it, once more, and without a catalog."""
    _forget(folder)
    shutil.copytree(trained, folder / ".fastclf")
    for name in ("cached", "again", "nothing"):
        if name == "nothing":
            _forget(folder)
        shown, whole = _open_panel(folder, model)
        took[name].append(shown)
        took[f"{name}, all"].append(whole)


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


def _build_learner(folder: Path) -> Any:
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
    return vision_learner(dls, resnet18, pretrained=False)


def _get_their_cleaner() -> Any:
    import builtins

    from fastai.vision.widgets import ImageClassifierCleaner

    # outside of a notebook fastai's cleaner lacks IPython's `display`
    builtins.display = lambda *_, **__: None  # type: ignore[attr-defined]
    return ImageClassifierCleaner


def measure_page(bench: Bench) -> list[Line]:
    """Turn pages and change filters where there are 10,000 photos with stored thumbnails."""
    from dataclasses import replace

    from fastclf.dashboard.clean import CatalogStore, CleanPanel

    class Many(CatalogStore):
        """Shows each photo several times over, under keys of its own and its real thumbnail."""

        def load_items(self) -> list[Any]:
            items = super().load_items()
            self.real = {k: items[k % len(items)].key for k in range(PAGED)}
            return [replace(items[k % len(items)], key=k, name=f"{k}.jpg") for k in range(PAGED)]

        def read_thumbnail(self, key: int) -> bytes | None:
            return super().read_thumbnail(self.real[key])

    folder = build_folder(bench.source, bench.scratch / "paged", PHOTOS)
    desk = Many(folder, bench.scratch / "no-model")
    desk.open(lambda words: None)
    desk.prepare(lambda words: None)
    opened = [_time(lambda: CleanPanel(desk)) for _ in range(bench.repeats)]
    panel = CleanPanel(desk)
    panel.view.value = "all"
    turned, filtered, chosen = [], [], []
    for page in range(1, 21):
        turned.append(_time(lambda page=page: setattr(panel.model, "page", page)))
        if len(panel.grid.tiles) != panel.model.page_size or not panel.grid.pictures:
            raise SystemExit(f"Page {page} has no photos.")
    for label in [*panel.model.vocab, ""]:
        filtered.append(_time(lambda label=label: setattr(panel.label, "value", label)))
        key = panel.model.queue[0].key
        chosen.append(_time(lambda key=key: panel.model.choose([key], "remove")))
    shutil.rmtree(folder)
    return [
        Line(f"turn a page of {PAGED:,} photos, s", turned, limit=0.2),
        Line("... choose a class, s", filtered, limit=0.2),
        Line("... mark a photo, s", chosen, limit=0.2),
        Line("... open the panel, all checked, s", opened),
    ]


def measure_search(bench: Bench) -> list[Line]:
    """Search 100,000 hashes."""
    runs = [apart.run_apart(apart.measure_search, HASHES) for _ in range(bench.repeats)]
    tell(f"  {runs}")
    return [
        Line(f"search {HASHES:,} hashes for close ones, s", [r["one"] for r in runs], limit=10),
        Line("... whole search for near-duplicates (12 hashes), s", [r["whole"] for r in runs], limit=10),
        Line("... most memory, MB", [r["peak"] for r in runs], limit=1000),
    ]


def measure_refit(bench: Bench) -> list[Line]:
    """Correct a label, refit, and again; against `fine_tune(1)` of the same network at the same size."""
    from fastclf.refit import refit_head, use_refit

    folder = build_folder(bench.source, bench.scratch / "refitted", REFITTED)
    model = bench.scratch / "small-model"
    tell(f"  training took {apart.run_apart(apart.train_small, folder, model)['train']:.0f} s")
    took: list[list[float]] = [[], []]
    baseline: list[float] = []
    with Catalog(folder) as catalog:
        train = [p for p in catalog.photos().photos if p.split == "train"]
        for number in range(2 * bench.repeats):
            photo = train[number * 37 % len(train)]
            label = next(p.label for p in train if p.label != photo.label)
            catalog.relabel([photo.name], label, why="benchmark")
            took[number % 2].append(_time(lambda: refit_head(model, folder)))
            use_refit(model)
    for _ in range(max(1, bench.repeats // 2)):
        baseline.append(apart.run_apart(apart.fine_tune_small, folder)["fine_tune"])
    shutil.rmtree(folder)
    words = f"refit after a correction, {REFITTED:,} photos, resnet18 at 64 px, s; fastai's fine_tune(1)"
    return [
        Line(words, took[0], baseline, limit=5),
        Line("... the second time, s; fastai's fine_tune(1)", took[1], baseline, limit=5),
    ]


def measure_memory(bench: Bench) -> list[Line]:
    """Count the memory of a process that scans and checks."""
    folder = build_folder(bench.source, bench.scratch / "counted", PHOTOS)
    runs = []
    for _ in range(bench.repeats):
        runs.append(apart.run_apart(apart.measure_scan_and_check, folder))
        _forget(folder)
    tell(f"  {runs[-1]}")
    shutil.rmtree(folder)
    words = f"scan and check of {PHOTOS:,} photos, MB"
    return [
        Line(f"unique memory after {words}", [r["uss"] for r in runs]),
        Line("... at its peak (resident), MB", [r["peak"] for r in runs]),
        Line("... of the child that judges labels, at its peak, MB", [r["peak of children"] for r in runs]),
    ]


MEASURES: dict[str, Callable[[Bench], list[Line]]] = {
    "check": measure_check,
    "cleaner": measure_cleaner,
    "page": measure_page,
    "search": measure_search,
    "refit": measure_refit,
    "memory": measure_memory,
}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="one sub-folder a class; it is only read")
    parser.add_argument("--parts", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--repeats", type=int, default=3, help="how often each thing is done (default: 3)")
    parser.add_argument("--json", type=Path, help="file for the raw numbers")
    args = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="fastclf-cleaning-") as scratch:
        bench = Bench(args.folder, Path(scratch), max(1, args.repeats))
        for part in args.parts:
            tell(f"{part} (load {os.getloadavg()[0]:.1f}) ...")
            lines += MEASURES[part](bench)
    if args.json:
        args.json.write_text(json.dumps([asdict(line) for line in lines], indent=1))
    print_table(["what; baseline", "baseline", "fastclf", "ratio", "verdict"], [x.row() for x in lines])
    return 0


def _time(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _processor_time() -> float:
    """Return the seconds that this process and its ended children have computed."""
    return sum(os.times()[:4])


def _forget(folder: Path) -> None:
    """Take away the catalog and all that is cached."""
    shutil.rmtree(folder / ".fastclf", ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
