"""What is recorded: owners and visitors at work, who are told when a thing is done; and what has to be found.

Each scene is four functions: what is there before, what is done (in a process of its own, behind the
recording library), what a folder that a power cut left has to hold, and how work goes on in it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from fastclf import ModelBundle
from fastclf.card import repair_bundle, save_manifest, write_bundle
from fastclf.catalog import STORED, Catalog
from fastclf.cli import main as run_command
from fastclf.collect import collect_photos, load_recipe
from fastclf.head import list_earlier, use_earlier, use_refit
from fastclf.head.refit import find_candidate
from fastclf.inbox import Claim, Inbox
from fastclf.model import MANIFEST
from fastclf.system import hash_file, replaced_folder

from ..drawing import draw_photo, draw_photos
from ..toy import write_toy_bundle
from .power import TOLD


def tell(root: Path, text: str) -> None:
    """Say that a thing is done: from now on it may not be lost."""
    with (root / TOLD).open("a") as f:
        f.write(f"{text}\n")


def draw(root: Path) -> None:
    draw_photos(root / "photos", per_class=2)


def decide(root: Path) -> None:
    with Catalog(root / "photos", who="ann") as catalog:
        catalog.scan()
        for number, name in enumerate(["red/000.png", "blue/000.png", "red/001.png", "green/000.png"]):
            catalog.relabel([name], f"label {number}", why=f"edit-{number}")
            tell(root, f"edit-{number}")
        catalog.undo()
        tell(root, "undone")
        photos = catalog.photos().photos
        catalog.adopt_splits({p.sha256: (p.sha256, "test") for p in photos[:2]})
        tell(root, "split")
        catalog.record_opening("a model", [photos[0].sha256], {"accuracy": 1})
        tell(root, "opened")
    with Catalog(root / "photos", who="bea") as catalog:
        catalog.remove(["blue/001.png"], why="edit-4")
        tell(root, "edit-4")


def find_decisions(root: Path, told: list[str]) -> None:
    with Catalog(root / "photos") as catalog:
        rows = catalog.edits(log=True)
        assert {word for word in told if word.startswith("edit-")} <= {row.why for row in rows}
        standing = {row.why for row in catalog.edits()}
        assert ("undone" in told) <= ("edit-3" not in standing)
        photos = catalog.photos(removed=True).photos
        assert all(p.label == (_last(rows, p.name) or p.folder_label) for p in photos)
        assert ("split" in told) <= (sum(p.split == "test" for p in photos) == 2)
        assert ("opened" in told) <= (len(catalog.openings()) == 1)


def decide_more(root: Path) -> None:
    with Catalog(root / "photos") as catalog:
        catalog.scan()
        assert len(catalog.photos(removed=True).photos) == 6
        catalog.relabel(["red/000.png"], "one more")


def _last(rows: list[object], name: str) -> str | None:
    found = [row for row in rows if row.path == name and row.action == "relabel"]  # type: ignore[attr-defined]
    return found[-1].new if found else None  # type: ignore[attr-defined]


@contextmanager
def on_network(root: Path) -> Iterator[None]:
    """The folder lies where a write-ahead log is not safe, so the catalog lies elsewhere and has none."""
    place = str(root / "kept" / "catalogs")
    with (
        patch("fastclf.system.folders.lies_on_network", lambda path: True),
        patch.dict(os.environ, FASTCLF_CATALOG=place),
    ):
        yield


def decide_elsewhere(root: Path) -> None:
    with on_network(root):
        decide(root)


def find_decisions_elsewhere(root: Path, told: list[str]) -> None:
    # the name of the place follows from the folder's, and this one has moved
    places = list((root / "kept" / "catalogs").glob("*")) if (root / "kept" / "catalogs").is_dir() else []
    with on_network(root):
        if places:
            from fastclf.system.folders import _name_outside

            places[0].rename(places[0].with_name(_name_outside(root / "photos")))
        find_decisions(root, told)


def draw_beside(root: Path) -> None:
    draw(root)
    (root / "out").mkdir()


def export(root: Path) -> None:
    decide(root)
    for number in range(3):
        with Catalog(root / "photos") as catalog:
            catalog.relabel(["green/001.png"], f"other {number}")
        _run("edits", "export", root / "photos", root / "out" / "edits.csv")
        tell(root, f"exported-{number}")


def find_exported(root: Path, told: list[str]) -> None:
    file = root / "out" / "edits.csv"
    done = [int(word[9:]) for word in told if word.startswith("exported-")]
    if done or file.exists():
        lines = file.read_text().splitlines()
        assert lines[0].startswith("path,") or "path" in lines[0]
        assert any(f"other {n}" in lines[-1] for n in range(max(done, default=0), 3)), lines[-1:]


def _run(*words: object) -> None:
    with patch.object(sys, "argv", ["fastclf", *map(str, words)]):
        try:
            run_command()
        except SystemExit as e:
            assert not e.code


def report(root: Path) -> None:
    inbox = Inbox(root / "kept" / "inbox" / "inbox.sqlite")
    for number in range(4):
        claim = Claim(name="a.jpg", answer="red", probability=0.5, label="blue")
        tell(root, f"report-{inbox.add(draw_photo('red', number), claim)}")
    inbox.settle({1: "taken", 2: "dismissed"})
    tell(root, "settled")


def find_reports(root: Path, told: list[str]) -> None:
    inbox = Inbox(root / "kept" / "inbox" / "inbox.sqlite")
    states = inbox.read_states()
    assert {int(word[7:]) for word in told if word.startswith("report-")} <= set(states)
    assert ("settled" in told) <= ([states.get(n, ("", ""))[1] for n in (1, 2)] == ["taken", "dismissed"])
    for number in states:
        assert inbox.read_photo(number)[:2] == b"\xff\xd8"


def report_more(root: Path) -> None:
    claim = Claim(name="b.jpg", answer="red", probability=0.5, label=None)
    Inbox(root / "kept" / "inbox" / "inbox.sqlite").add(draw_photo("blue", 9), claim)


def make_model(root: Path) -> None:
    write_toy_bundle(root / "model")


def replace_model(root: Path) -> None:
    model = root / "model"
    for number in (1, 2):
        save_manifest(model, _titled(model, f"v{number}"))
        tell(root, f"v{number}")
    for number in (3, 4):
        _write_next(model, model, f"v{number}")
        tell(root, f"v{number}")
    _write_next(model, find_candidate(model), "v5")
    use_refit(model)
    tell(root, "v5")
    use_earlier(model, list_earlier(model)[0].stamp)
    tell(root, "v6")
    os.chdir(model)
    for number in (7, 8):
        _write_next(model, model, f"v{number}")
        tell(root, f"v{number}")


def _titled(model: Path, title: str) -> object:
    return replace(ModelBundle.load(model).manifest, title=title)


def _write_next(model: Path, target: Path, title: str) -> None:
    with replaced_folder(target, MANIFEST) as staging:
        for name in ModelBundle.load(model).manifest.files:
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes((model / name).read_bytes())
        write_bundle(staging, _titled(model, title))


def find_model(root: Path, told: list[str]) -> None:
    model = root / "model"
    for folder in (model, find_candidate(model)):
        if folder.is_dir():  # long ago, so that nobody is at work any more
            for path in (folder, *folder.iterdir()):
                os.utime(path, (time.time() - 60,) * 2)
        repair_bundle(folder)  # as a server does at its start
    found = ModelBundle.load(model)
    titles = ["Toy colours", *(f"v{n}" for n in range(1, 9))]
    # an earlier model that is put back is called as it was
    titles[6] = titles[4]
    least = int(told[-1][1:]) if told else 0
    assert found.manifest.title in titles[least : least + 2], (found.manifest.title, least)


def replace_more(root: Path) -> None:
    _write_next(root / "model", root / "model", "again")
    assert ModelBundle.load(root / "model").manifest.title == "again"


def draw_source(root: Path) -> None:
    draw_photos(root / "source", per_class=3)
    (root / "mine.toml").write_text('name = "mine"\ntitle = "Mine"\n[folder]\npath = "source"\n')


def gather(root: Path) -> None:
    collect_photos(
        load_recipe(root / "mine.toml"),
        root / "kept" / "photos" / "mine",
        say=lambda text: None,
        bars=False,
        sheets=False,
    )
    tell(root, "collected")
    with Catalog(root / "kept" / "photos" / "mine") as catalog:
        catalog.materialize(root / "clean" / "copy")
    tell(root, "copied")


def find_gathered(root: Path, told: list[str]) -> None:
    folder, copy = root / "kept" / "photos" / "mine", root / "clean" / "copy"
    stored = 0
    if folder.is_dir():
        with Catalog(folder) as catalog:
            for row in catalog.fetches.rows(status=STORED):
                assert hash_file(folder / row.path) == row.stored, row.path
                stored += 1
    assert ("collected" in told) <= (stored == 9)
    if copy.exists() or "copied" in told:
        files = [path for path in copy.rglob("*") if path.is_file()]
        assert len(files) == 9
        assert all(path.stat().st_size for path in files)


def gather_more(root: Path) -> None:
    with Catalog(
        collect_photos(
            load_recipe(root / "mine.toml"), root / "kept" / "photos" / "mine", bars=False, sheets=False
        ).folder
    ) as c:
        assert len(c.photos().photos) == 9


@dataclass(frozen=True)
class Scene:
    before: Callable[[Path], None]
    play: Callable[[Path], None]
    find: Callable[[Path, list[str]], None]
    go_on: Callable[[Path], None]


SCENES = {
    "catalog": Scene(draw, decide, find_decisions, decide_more),
    "catalog elsewhere": Scene(draw, decide_elsewhere, find_decisions_elsewhere, decide_more),
    "edits": Scene(draw_beside, export, find_exported, decide_more),
    "inbox": Scene(lambda root: None, report, find_reports, report_more),
    "bundle": Scene(make_model, replace_model, find_model, replace_more),
    "collect": Scene(draw_source, gather, find_gathered, gather_more),
}


if __name__ == "__main__":
    SCENES[sys.argv[1]].play(Path(sys.argv[2]))
