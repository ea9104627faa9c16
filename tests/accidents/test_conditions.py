"""A disk that fills up or can only be read, a clock that is set back, no memory, two servers on one catalog.

Each is real for the process: a library between it and its C library, or a limit of the system.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastclf import Catalog, ModelBundle
from fastclf.inbox import Inbox

from ..conftest import ROOT
from ..drawing import draw_photos
from ..scanned import labels_of, scanned
from .shim import preloaded, run_behind
from .training_modes import MODES

pytestmark = pytest.mark.slow

_WORK = """
import os, sys
from pathlib import Path
from fastclf import Catalog
from fastclf.errors import FastclfError
from fastclf.inbox import Claim, Inbox
from fastclf.system import replaced_folder
from tests.drawing import draw_photo
"""
# what is tried: an edit, a report, a model; each says how it ended
_TRY = """
def attempt(*words):
    deeds = {
        "edit": lambda: catalog.relabel(["red/000.png"], f"label {len(catalog.edits(log=True))}"),
        "report": lambda: inbox.add(draw_photo("red", len(inbox.reports())), Claim(
            name="a.jpg", answer="red", probability=0.5, label="blue")),
        "model": write_model,
    }
    for name in words:
        try:
            deeds[name]()
            print(name, "done")
        except (FastclfError, OSError) as e:
            print(name, "refused:", getattr(e, "message", str(e)))

def write_model():
    with replaced_folder(root / "model", "bundle.json") as staging:
        for name in ("bundle.json", "body.bin"):
            (staging / name).write_bytes(b"new" * 50_000)

root = Path(sys.argv[1])
catalog, inbox = Catalog(root / "photos"), Inbox(root / "inbox.sqlite")
everything = ("edit", "report", "model")
"""
_FILL = """
room = Path(os.environ["SHIM_ROOM"])
attempt(*everything)
for left in (0, 20_000, -1):
    room.write_text(f"{left:<20}")
    attempt(*everything)
room.write_text(f"{10**9:<20}")
attempt(*everything)
"""


@pytest.fixture
def disk(memory: Path) -> Path:
    """A disk of its own: scanned photos, and an old model."""
    disk = memory / "disk"
    disk.mkdir()
    scanned(draw_photos(disk / "photos", per_class=4)).close()
    (disk / "model").mkdir()
    (disk / "model" / "bundle.json").write_bytes(b"old")
    return disk


def test_a_full_disk_and_one_that_can_only_be_read_refuse_in_a_sentence_and_lose_nothing(
    shim: str, memory: Path, disk: Path
) -> None:
    room = memory / "room"
    room.write_text(f"{10**9:<20}")
    said = run_behind([sys.executable, "-c", _WORK + _TRY + _FILL, disk], preloaded(shim, disk, room=room))
    lines = said.splitlines()
    assert lines[:3] == lines[-3:] == ["edit done", "report done", "model done"]
    refused = lines[3:-3]
    assert all("refused: " in line for line in refused if not line.endswith(" done")), said
    assert sum("refused: " in line for line in refused) >= 7
    # each names what cannot be written
    places = {"edit": "catalog.sqlite", "report": "inbox.sqlite", "model": "model"}
    assert all(places[line.split()[0]] in line for line in refused if "refused" in line), said
    with Catalog(disk / "photos") as catalog:
        edits = sum(line == "edit done" for line in lines)
        assert len(catalog.edits(log=True)) == edits
    assert len(Inbox(disk / "inbox.sqlite").reports()) == sum(line == "report done" for line in lines)
    assert sorted(path.name for path in (disk / "model").iterdir()) == ["body.bin", "bundle.json"]
    left = {path.name for path in disk.iterdir()} - {"photos", "model"}
    assert all(name.startswith("inbox") for name in left), left


_BACK = """
from datetime import UTC, datetime
from fastclf.head import list_earlier
clock = Path(os.environ["SHIM_CLOCK"])
attempt("edit", "report")
clock.write_text("-86400")
print(datetime.now(UTC).isoformat())
attempt("edit", "report")
draw_photo("blue", 77).save(root / "photos" / "red" / "000.png")
catalog.scan()
attempt("edit", "report")
print(len(catalog.undo()), len(catalog.redo()), catalog.count_steps())
"""


def test_a_clock_that_is_set_back_by_a_day_changes_no_order(shim: str, memory: Path, disk: Path) -> None:
    clock = memory / "clock"
    clock.write_text("0")
    env = preloaded(shim, disk, clock=clock)
    lines = run_behind([sys.executable, "-c", _WORK + _TRY + _BACK, disk], env).splitlines()
    assert [line for line in lines if "done" in line] == ["edit done", "report done"] * 3
    with Catalog(disk / "photos") as catalog:
        rows = catalog.edits(log=True)
        assert rows[0].time > lines[2] > "2"  # it was set back
        assert labels_of(catalog)["red/000.png"] == rows[-1].new
        # it was found to be another photo, although its time lay before that of the last scan
        assert len({row.sha256 for row in rows if row.path == "red/000.png"}) == 2
    assert [report.id for report in Inbox(disk / "inbox.sqlite").reports()] == [1, 2, 3]


_OWNER = """
import random, sys
from fastclf import Catalog
from fastclf.catalog import Edit
from fastclf.errors import FastclfError
rng = random.Random(int(sys.argv[2]))
with Catalog(sys.argv[1], who=sys.argv[2]) as catalog:
    for number in range(int(sys.argv[3])):
        photo = rng.choice(catalog.photos(removed=True).photos)
        try:
            do = rng.random()
            if do < 0.6:
                why = f"{sys.argv[2]}-{number}"
                if catalog.apply([Edit(photo.id, "relabel", rng.choice("abc"), why)]):
                    print(why, flush=True)
            elif do < 0.9:
                catalog.undo() if do < 0.8 else catalog.redo()
            else:
                catalog.scan()
        except FastclfError as e:
            print("refused", e, flush=True)
"""


@pytest.mark.parametrize("n", [12, pytest.param(300, marks=pytest.mark.thorough)])
def test_two_servers_on_one_catalog_lose_none_of_each_others_steps(photo_folder: Path, n: int) -> None:
    scanned(photo_folder).close()
    command = [sys.executable, "-c", _OWNER, str(photo_folder)]
    owners = [
        subprocess.Popen(
            [*command, who, str(n)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for who in ("1", "2")
    ]
    said = [owner.communicate(timeout=500) for owner in owners]
    assert [owner.returncode for owner in owners] == [0, 0], said
    told = [line for out, _ in said for line in out.splitlines()]
    assert not [line for line in told if line.startswith("refused")], told
    with Catalog(photo_folder) as catalog:
        assert set(told) <= {row.why for row in catalog.edits(log=True)}
        while catalog.undo():
            pass
        assert all(label == Path(name).parent.name for name, label in labels_of(catalog).items())


_TIGHT = """
import json, resource, sys
from pathlib import Path
from PIL import Image
from fastclf.dashboard.classify.model import ClassifyModel
from fastclf.model.model_source import ModelSource
model = ClassifyModel(ModelSource(Path(sys.argv[1])).open)
small, large = (Path(path).read_bytes() for path in sys.argv[2:4])
model.add("warm.png", small, 1)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
for room in (2, 120, 200, 400):
    resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, resource.RLIM_INFINITY))
    before = len(model.answers)
    model.add("large.jpg", large, 2)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    new = model.answers[before:]
    print(json.dumps([model.message, [a.prediction.error or a.prediction.label for a in new]]))
    model.add("small.png", small, 3)
    print(json.dumps([model.message, [model.answers[-1].prediction.label]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no limit on a process's memory")
def test_a_visitor_is_told_where_there_is_no_memory_and_the_next_photo_is_answered(
    toy_model: Path, red_png: Path, tmp_path: Path
) -> None:
    from PIL import Image

    large = tmp_path / "large.jpg"
    Image.new("RGB", (6000, 5000), (220, 30, 30)).save(large)
    command = [sys.executable, "-c", _TIGHT, str(toy_model), str(red_png), str(large)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for (message, answers), after in zip(lines[::2], lines[1::2], strict=True):
        assert message or answers
        assert all("cut off" not in answer and "damaged" not in answer for answer in answers), answers
        assert after == ["", ["red"]]
    assert any(message or "memory" in str(answers) for message, answers in lines[::2]), lines


@pytest.mark.thorough
@pytest.mark.parametrize("mode", MODES)
def test_a_disk_that_fills_while_a_model_is_trained_keeps_the_old_one(
    shim: str, memory: Path, mode: str, toy_model: Path
) -> None:
    disk, room = memory / "disk", memory / "room"
    draw_photos(disk / "photos", per_class=12)
    rng, ended = random.Random(0), set()
    command = [sys.executable, "-m", "fastclf", "train", "photos", "--out", "model", *MODES[mode]]
    for left in (-1, 0, *sorted(int(10 ** rng.uniform(5, 7.2)) for _ in range(8)), 10**9):
        if not (disk / "model").exists():
            shutil.copytree(toy_model, disk / "model")
        before = ModelBundle.load(disk / "model").manifest
        room.write_text(f"{left:<20}")
        env = preloaded(shim, disk, room=room) | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=disk, env=env, capture_output=True, text=True, timeout=500, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        ended.add(done.returncode)
        if done.returncode:
            assert ModelBundle.load(disk / "model").manifest == before
            assert done.stderr.strip().splitlines()[-1].startswith("fastclf: ")
        assert {path.name for path in disk.iterdir()} <= {"photos", "model", ".model-training"}
    assert ended >= {0, 1} or ended >= {0, 2}
