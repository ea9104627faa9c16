"""What is killed: each deed works in a folder, tells what is done, and what it leaves is looked at.

They repeat, since what one kill left is where the next one begins.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from fastclf import ModelBundle
from fastclf.card import repair_bundle
from fastclf.catalog import STORED, Catalog
from fastclf.collect import collect_photos, load_recipe
from fastclf.head import list_earlier, refit_head, use_earlier, use_refit
from fastclf.head.refit import find_candidate
from fastclf.received import import_project
from fastclf.system import hash_bytes, hash_file

from ..drawing import draw_photos
from ..received.taught import draw_members, write_project
from ..scanned import hash_folder, labels_of, rows_of, scanned
from ..toy import write_toy_bundle
from ..training.tiny import ARCH, SIZE, write_weights

Tell = Callable[[str], None]
PER_CLASS = 12


@dataclass(frozen=True)
class Deed:
    """What is there before, what is done over and over, and what has to be found after a kill."""

    before: Callable[[Path], None]
    do: Callable[[Path, Tell], None]
    find: Callable[[Path, list[str]], None]
    seconds: float = 0.5  # within which the kill comes
    word: str = ""  # after this was told


def draw(root: Path) -> None:
    draw_photos(root / "photos", per_class=PER_CLASS)
    (root / "hashes.json").write_text(json.dumps(hash_folder(root / "photos")))


def draw_scanned(root: Path) -> None:
    draw(root)
    scanned(root / "photos").close()


def scan(root: Path, tell: Tell) -> None:
    for _ in range(100):
        shutil.rmtree(root / "photos" / ".fastclf", ignore_errors=True)
        tell("begin")
        with Catalog(root / "photos") as catalog:
            catalog.scan()
            catalog.find_near_pairs()
            catalog.assign_splits(catalog.photos().photos)


def find_scanned(root: Path, told: list[str]) -> None:
    check_catalog(root / "photos")
    with scanned(root / "photos") as catalog:
        labels = labels_of(catalog)
        assert len(labels) == 3 * PER_CLASS
        assert all(label == Path(name).parent.name for name, label in labels.items())


def draw_decided(root: Path) -> None:
    draw(root)
    with scanned(root / "photos") as catalog:
        catalog.relabel(["red/000.png"], "blue", why="kept")
        catalog.assign_splits(catalog.photos().photos)
        (root / "known.json").write_text(json.dumps([labels_of(catalog), splits_of(catalog)]))


def splits_of(catalog: Catalog) -> dict[str, str]:
    return {p.name: p.split for p in catalog.photos().photos}


def rescan(root: Path, tell: Tell) -> None:
    while True:
        tell("begin")
        with scanned(root / "photos") as catalog:
            catalog.find_near_pairs()
            catalog.assign_splits(catalog.photos().photos)
            catalog._store.write("DELETE FROM contents")
            catalog._store.write("UPDATE photos SET mtime_ns = 0")


def find_rescanned(root: Path, told: list[str]) -> None:
    check_catalog(root / "photos")
    with scanned(root / "photos") as catalog:
        assert [labels_of(catalog), splits_of(catalog)] == json.loads((root / "known.json").read_text())
        assert catalog.edits()[0].why == "kept"


def check_catalog(folder: Path) -> None:
    """The database is whole for SQLite itself, and no photo has changed."""
    known = folder.with_name("hashes.json")
    if known.exists():
        assert hash_folder(folder) == json.loads(known.read_text())
    file = folder / ".fastclf" / "catalog.sqlite"
    if file.exists():
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def apply(root: Path, tell: Tell) -> None:
    with Catalog(root / "photos") as catalog:
        names = sorted(p.name for p in catalog.photos(removed=True).photos)
        for number in itertools.count(len(catalog.edits(log=True))):
            if catalog.relabel([names[number % len(names)]], f"label {number % 7}", why=f"e{number}"):
                tell(f"e{number}")
            if number % 5 == 4 and catalog.undo():
                catalog.redo()


def find_applied(root: Path, told: list[str]) -> None:
    check_catalog(root / "photos")
    with Catalog(root / "photos") as catalog:
        rows = catalog.edits(log=True)
        assert {word for word in told if word.startswith("e")} <= {row.why for row in rows}
        last = {row.path: row.new for row in rows}
        assert {**labels_of(catalog), **last} == labels_of(catalog)


def draw_source(root: Path) -> None:
    draw_photos(root / "source", per_class=PER_CLASS)
    (root / "mine.toml").write_text('name = "mine"\ntitle = "Mine"\n[folder]\npath = "source"\n')


def gather(root: Path, tell: Tell) -> None:
    for number in itertools.count():
        tell("begin")
        collect_photos(load_recipe(root / "mine.toml"), root / "mine", say=lambda text: None, bars=False)
        tell(f"whole {number}")
        if number % 2:
            shutil.rmtree(root / "mine")


def find_gathered(root: Path, told: list[str]) -> None:
    if not (root / "mine").is_dir():
        return
    check_catalog(root / "mine")
    with Catalog(root / "mine") as catalog:
        rows = catalog.fetches.rows(status=STORED)
    # the deed itself throws every second collection away
    if told and told[-1].startswith("whole") and not int(told[-1][6:]) % 2:
        assert len(rows) == 3 * PER_CLASS
    if not told or not told[-1].startswith("whole"):
        for row in rows:
            assert hash_file(root / "mine" / row.path) == row.stored


def copy(root: Path, tell: Tell) -> None:
    for _ in range(1000):
        shutil.rmtree(root / "clean", ignore_errors=True)
        tell("begin")
        with Catalog(root / "photos") as catalog:
            catalog.materialize(root / "clean")
        tell("copied")
        (root / "clean").rename(root / "gone")
        shutil.rmtree(root / "gone")


def find_copied(root: Path, told: list[str]) -> None:
    shutil.rmtree(root / "gone", ignore_errors=True)
    # half of it may have been thrown away before it was begun anew
    if (root / "clean").exists() and told and told[-1] == "begin":
        assert len(list((root / "clean").rglob("*.png"))) == 3 * PER_CLASS


def make_pair(root: Path) -> None:
    draw(root)
    with scanned(root / "photos") as catalog:
        photos = catalog.photos().photos
        rows = rows_of(photos, catalog.assign_splits(photos).splits)
    write_toy_bundle(root / "model", rows=rows)


def refit(root: Path, tell: Tell) -> None:
    while True:
        refit_head(root / "model", root / "photos")
        tell("refitted")
        use_refit(root / "model")


def make_refitted(root: Path) -> None:
    make_pair(root)
    refit_head(root / "model", root / "photos")
    use_refit(root / "model")


def swap(root: Path, tell: Tell) -> None:
    model, candidate = root / "model", find_candidate(root / "model")
    while True:
        tell("begin")
        use_earlier(model, list_earlier(model)[-1].stamp)
        if not candidate.exists():
            shutil.rmtree(root / "next", ignore_errors=True)
            shutil.copytree(list_earlier(model)[0].path, root / "next")
            (root / "next").rename(candidate)
        use_refit(model)


def find_model(root: Path, told: list[str]) -> None:
    check_catalog(root / "photos")
    model = root / "model"
    for folder in (model, find_candidate(model)):
        repair_bundle(folder)  # as a server does at its start
    ModelBundle.load(model)
    if find_candidate(model).exists():
        ModelBundle.load(find_candidate(model))
    assert list(model.parent.glob(".model-earlier/*")) or not told
    for earlier in list_earlier(model):
        ModelBundle.load(earlier.path)


def make_project(root: Path) -> None:
    write_project(root / "project.zip")


def take_in(root: Path, tell: Tell) -> None:
    for number in itertools.count():
        tell("begin")
        import_project(root / "project.zip", root / "model", root / "photos")
        tell(f"whole {number}")
        for name in ("model", "photos"):
            (root / name).rename(root / "gone")
            shutil.rmtree(root / "gone")


def find_taken_in(root: Path, told: list[str]) -> None:
    shutil.rmtree(root / "gone", ignore_errors=True)
    photos, model = root / "photos", root / "model"
    if photos.exists():  # the deed itself throws it away in one step
        assert sorted(hash_folder(photos).values()) == sorted(map(hash_bytes, draw_members().values()))
    if model.exists():
        assert ModelBundle.load(model).vocab == ["blue", "green", "red"]
        assert photos.exists() or told[-1].startswith("whole")
    # the same call goes on
    made = import_project(root / "project.zip", model, photos)
    assert made.bundle.manifest.metrics.valid["n"] == 6
    check_catalog(photos)
    for folder in (model, photos):  # the next one begins anew
        shutil.rmtree(folder)


def make_trained(root: Path) -> None:
    draw(root)
    write_weights(root / "w.safetensors")
    write_toy_bundle(root / "model")


def train(root: Path, tell: Tell) -> None:
    from fastclf.training import train as train_model

    with told_export(tell):
        for mode in itertools.cycle(("fine-tune", "head")):
            tell("begin")
            options = {"arch": ARCH, "size": SIZE, "weights": root / "w.safetensors", "mode": mode}
            train_model(root / "photos", root / "model", quiet=True, epochs=1, workers=0, **options)
            tell("trained")


@contextlib.contextmanager
def told_export(tell: Tell) -> Iterator[None]:
    """Say when a model begins to be written, and when it takes the old one's place."""
    from fastclf.system import replaced_folder, swap_folder

    def tell_and(word: str, do: Callable[..., object]) -> Callable[..., object]:
        def done(*args: object, **named: object) -> object:
            tell(word)
            return do(*args, **named)

        return done

    with contextlib.ExitStack() as stack:
        for place in ("fastclf.training.export.bundle", "fastclf.head.model"):
            stack.enter_context(patch(f"{place}.replaced_folder", tell_and("export", replaced_folder)))
        stack.enter_context(patch("fastclf.system.swap.swap_folder", tell_and("swap", swap_folder)))
        yield


def find_trained(root: Path, told: list[str]) -> None:
    check_catalog(root / "photos")
    repair_bundle(root / "model")
    found = ModelBundle.load(root / "model")
    if "trained" in told:
        assert found.title != "Toy colours"
    long_ago = time.time() - 2 * 86_400
    for left in root.glob(".model.*"):  # they go a day later
        os.utime(left, (long_ago, long_ago))


DEEDS = {
    "scan": Deed(draw, scan, find_scanned),
    "rescan": Deed(draw_decided, rescan, find_rescanned),
    "apply": Deed(draw_scanned, apply, find_applied),
    "collect": Deed(draw_source, gather, find_gathered, 1.5),
    "materialize": Deed(draw_scanned, copy, find_copied, 0.3),
    "refit": Deed(make_pair, refit, find_model, 6.0),
    "swap": Deed(make_refitted, swap, find_model),
    "import": Deed(make_project, take_in, find_taken_in, 1.2),
    "train": Deed(make_trained, train, find_trained, 8.0),
}
DEEDS["export"] = replace(DEEDS["train"], seconds=2.0, word="export")
DEEDS["export's swap"] = replace(DEEDS["train"], seconds=0.05, word="swap")
