"""Power cuts: a scene is recorded once, and after each call the disk is left as a cut may leave it."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import disk as d
from .shim import preloaded, run_behind

TOLD = "told.txt"  # what the scene says is done, a line each; it is no part of what is looked at
_Draw = Callable[[int], int]


@dataclass
class Recording:
    """A folder as it was, and what a scene did to it."""

    disk: d.Disk
    changes: list[d.Change]
    root: Path
    told: int = 0
    lines: list[str] = field(default_factory=list)


def record(shim: str, scene: str, root: Path, log: Path) -> Recording:
    """Run a scene behind the recording library."""
    (root / TOLD).touch()
    before = d.Disk(root)
    told = (root / TOLD).stat().st_ino
    command = [sys.executable, "-m", "tests.accidents.scenes", scene, root]
    run_behind(command, preloaded(shim, root, log=log))
    return Recording(before, list(d.read_log(log)), root, told)


def check_recorded(made: Recording) -> None:
    """What was recorded, all of it kept, is what is there: nothing escaped the library."""
    found = made.disk.build(lambda step: True, d.read_all)
    # SQLite maps its shared memory, which holds nothing that lasts
    names = {name for name in found if not name.endswith("-shm")}
    real = {str(p.relative_to(made.root)): p for p in made.root.rglob("*") if not p.name.endswith("-shm")}
    assert names == set(real)
    for name, path in real.items():
        assert found[name] == (None if path.is_dir() else path.read_bytes()), name


def cut(
    made: Recording, draws: int, moments: int | None = None
) -> Iterator[tuple[int, str, d.Tree, list[str]]]:
    """Yield (number of the call, how, the folder, what had been told) of each different state.

    With `draws`, so many states of each moment are drawn beside the five that are always looked at. Of the
    calls all are looked at, or so many `moments` and those by which something is told.
    """
    rng = random.Random(0)
    chosen = set(rng.sample(range(len(made.changes)), moments or len(made.changes)))
    known: set[int] = set()
    for number, change in enumerate(made.changes):
        made.disk.apply(change)
        if change.inode == made.told:
            made.lines += change.first.decode().split()
        elif number not in chosen:
            continue
        for how, tree in _leave(made.disk, draws, rng.randrange):
            tree.pop(TOLD, None)
            mark = hash((len(made.lines), tuple(sorted(tree.items(), key=lambda item: item[0]))))
            if mark not in known:
                known.add(mark)
                yield number, how, tree, list(made.lines)


def _leave(disk: d.Disk, draws: int, draw: _Draw) -> Iterator[tuple[str, d.Tree]]:
    yield "all kept", disk.build(lambda step: True, d.read_all)
    yield "all dropped", disk.build(lambda step: False, d.read_safe)
    yield "names kept, bytes dropped", disk.build(lambda step: True, d.read_safe)
    yield "names dropped, bytes kept", disk.build(lambda step: False, d.read_all)
    if disk.late:
        last = disk.late[-1]
        yield "the last name alone, bytes kept", disk.build(lambda step: step is last, d.read_all)
    for _ in range(draws):
        for how in (d.tear, d.scatter):
            kept = {id(step) for step in disk.late if draw(2)}
            contents: dict[int, bytes] = {}

            def content(
                file: d.File, how: Callable[[d.File, _Draw], bytes] = how, known: dict[int, bytes] = contents
            ) -> bytes:
                return known.setdefault(id(file), how(file, draw))

            yield (
                f"some names, bytes {how.__name__}",
                disk.build(lambda step, kept=kept: id(step) in kept, content),
            )


def write_tree(tree: d.Tree, place: Path) -> Path:
    """Write a state into an empty folder."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in tree.items():
        if content is None:
            (place / name).mkdir(exist_ok=True)
        else:
            (place / name).write_bytes(content)
    return place
