"""Processes killed at any point: what was committed stays, no photo changes, the model opens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastclf import ModelBundle
from fastclf.card import repair_bundle
from fastclf.catalog import Catalog
from fastclf.head.refit import find_candidate

from ..drawing import draw_photos
from ..scanned import hash_folder, labels_of, rows_of, scanned
from ..toy import write_toy_bundle

pytestmark = pytest.mark.slow


_SCAN = """
import shutil, sys
from fastclf.catalog import Catalog
while True:
    catalog = Catalog(sys.argv[1])
    print("start", flush=True)
    catalog.scan()
    catalog.find_near_pairs()
    catalog.assign_splits(catalog.photos().photos)
    print("scanned", flush=True)
    shutil.rmtree(catalog.private / "decoded", ignore_errors=True)
    catalog._store.write("DELETE FROM contents")
    catalog._store.write("UPDATE photos SET mtime_ns = 0")
    catalog.close()
"""

# says each edit once it is committed
_EDIT = """
import sys
from fastclf.catalog import Catalog
catalog = Catalog(sys.argv[1])
print("start", flush=True)
names = sorted(p.name for p in catalog.photos(removed=True).photos)
number = len(catalog.edits(log=True))
while True:
    name, label = names[number % len(names)], f"label {number % 7}"
    # a label that is there already is no edit
    if catalog.relabel([name], label, why=str(number)):
        print(name, number, sep="|", flush=True)
    number += 1
"""

_REFIT = """
import sys
from fastclf.head import refit_head, use_refit
print("start", flush=True)
while True:
    refit_head(sys.argv[2], sys.argv[1])
    use_refit(sys.argv[2])
    print("refitted", flush=True)
"""


def kill_after(code: str, seconds: float, *args: Path) -> list[str]:
    """Run a script, kill it a while after its first line, return what it said."""
    child = subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "start\n"
    time.sleep(seconds)
    child.kill()
    rest, _ = child.communicate()
    # a line without its end was not whole when the process died
    return [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_photos(tmp_path / "photos", per_class=30)


def test_a_killed_scan_goes_on_where_it_was(folder: Path) -> None:
    before = hash_folder(folder)
    with scanned(folder) as catalog:
        catalog.relabel(["red/000.png"], "blue", why="kept")
        expected = labels_of(catalog)
        splits = catalog.assign_splits(catalog.photos().photos).splits
    for n in range(6):
        kill_after(_SCAN, 0.01 + 0.06 * n, folder)
        with scanned(folder) as catalog:
            assert labels_of(catalog) == expected
            assert catalog.assign_splits(catalog.photos().photos).splits == splits
            assert catalog.edits()[0].why == "kept"
    assert hash_folder(folder) == before


def test_no_committed_edit_is_lost(folder: Path) -> None:
    before = hash_folder(folder)
    with scanned(folder):
        pass
    for n in range(6):
        said = kill_after(_EDIT, 0.05 + 0.03 * n, folder)
        with Catalog(folder) as catalog:
            rows = {(r.path, r.why) for r in catalog.edits(log=True)}
            assert {tuple(line.strip().split("|")) for line in said} <= rows
            last = {r.path: r.new for r in catalog.edits(log=True)}
            assert {**labels_of(catalog), **last} == labels_of(catalog)
    assert len(rows) > 6
    assert hash_folder(folder) == before


def test_a_killed_refit_leaves_a_model_that_opens(folder: Path, tmp_path: Path) -> None:
    before = hash_folder(folder)
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        rows = rows_of(photos, catalog.assign_splits(photos).splits)
        catalog.relabel(["red/000.png"], "blue")
    model = write_toy_bundle(tmp_path / "model", rows=rows)
    for n in range(6):
        kill_after(_REFIT, 0.5 + 0.7 * n, folder, model)
        for path in (model, find_candidate(model)):
            repair_bundle(path)  # as a server does at its start
        ModelBundle.load(model)
        if find_candidate(model).exists():
            ModelBundle.load(find_candidate(model))
        with Catalog(folder) as catalog:
            assert labels_of(catalog)["red/000.png"] == "blue"
    assert hash_folder(folder) == before
