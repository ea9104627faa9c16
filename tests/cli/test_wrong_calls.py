"""Calls that cannot be right: each is refused in one sentence, at once, with nothing heavy loaded or written."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..conftest import run_fastclf
from ..drawing import draw_photos
from ..toy import write_toy_bundle

# call | what the sentence has to name
CALLS = """
train p --mode heads | 'heads'; it can be fine-tune, head
train p --weights nosuch.pt | no file of weights nosuch.pt
train p --weights README.md | README.md is no file of weights
train p --weights fake.safetensors | fake.safetensors is no file of weights
train p --weights photos.zip | photos.zip is no file of weights
train p --weights p | no file of weights p
train p --weights w.pt --no-pretrained | exclude each other
train p --arch resnet19 | 'resnet19'. Similar ones: resnet
train p --arch efficientnet_b99 | Similar ones
train p --arch ResNet-18 | Similar ones
train p --size 0 | 16 to 1024
train p --size 10000 | 16 to 1024
train p --size big | '--size': it must be a whole number
train p --size 22.5 | whole number
train p --epochs -1 | 1 or more
train p --epochs 0 | 1 or more
train p --lr nan | above 0
train p --lr fast | above 0
train p --lr 0 | above 0
train p --lr -0.1 | above 0
train p --lr inf | above 0
train p --time-limit 5x | 1h30m
train p --time-limit 10s | 60 s is the least
train p --batch-size 0 | 2 or more
train p --workers -1 | 0 or more
train p --seed -5 | 0 or more
train p --patience 0 | 1 or more
train p --resize stretch | squish, crop, pad
train p --augment strong | symmetric, upright, none
train p --balance yes | auto, on, off
train p --track mlflow | csv, tensorboard, wandb
train p --colour blue | hexadecimal
train p --split-by nosuch.csv | nosuch.csv
train p --split-by README.md | README.md
train p --split-by none.csv | none.csv has no row
train one | holds 1 class
train p --split-by p | table of splits p
train p --from nosuch | no model in nosuch
train p --from p | no model in p
train p --out README.md | README.md is a file
train p --out README.md/model | README.md is a file
train p --out p | inside the photos' folder
train p --out p/model | inside the photos' folder
train p --out /proc/model | cannot be written
train p --out / | other things than a model
train digits --out README.md | README.md is a file
train model | model is a model
train photos.zip | photos.zip is an archive
train photos.tar.gz | photos.tar.gz
train README.md | neither a folder of photos nor a recipe
train nosuch | neither a folder of photos nor a recipe
train p/red/000.png | is a photo
train https://example.com/a.zip | is a web address
train digitz | Did you mean digits?
train nosuch.toml | nosuch.toml
train digits.toml | leave out .toml
train p --epoch 3 | --epochs
train p --batchsize 3 | --batch-size
train p --lr | requires an argument
train p --port 80 | --port
train p extra | extra
train | DIR|RECIPE
trian p | 'train'
check nosuch | no folder nosuch
check README.md | README.md is a file
check model | model is a model
check photos.zip | photos.zip is an archive
check empty | holds no photos
check p --model nosuch | no model in nosuch
check p --model README.md | README.md is a file
check p --html nosuch/r.html | no folder nosuch
check p --html p | p would be overwritten
check p --html p/red/000.png | would be overwritten
check p --html README.md | would be overwritten
check p --html r.pdf | does not end with .html
check p --lables | --labels
check | DIR
evaluate p model | The order is: fastclf evaluate MODEL DIR
evaluate model nosuch | no folder nosuch
evaluate model README.md | README.md is a file
evaluate model model | model is a model
evaluate nosuch p | no model in nosuch
evaluate model p --foreign nosuch | no folder nosuch
evaluate model p --foreign README.md | README.md
evaluate model | DIR
predict nosuch p/red/000.png | no model in nosuch
predict p p/red/000.png | no model in p
predict p/red/000.png model | The order is: fastclf predict MODEL FILE
predict README.md p/red/000.png | README.md is a file
predict model | WHAT
predict model p/red/000.png --json --csv | exclude
serve nosuch | no model in nosuch
serve p | no model in p
serve README.md | README.md is a file
serve p --photos model | The order is
serve model --port 99999 | 99999
serve model --port 0 | Port 0
serve model --port -5 | Port -5
serve model --port abc | whole number
serve model --port BUSY | another with --port
serve model --host nosuch.invalid | nosuch.invalid
serve model --photos nosuch | no folder nosuch
serve model --photos README.md | README.md is a file
serve model --photos model | model is a model
serve model --inbox p | inbox cannot be p
serve model --inbox nosuch/x.sqlite | nosuch/x.sqlite
serve model --inbox README.md | something else than an inbox
serve model p | p
demo --port 99999 | 99999
demo --out README.md | README.md is a file
demo --out p | other things than a model
import README.md | --trust-pickle
import README.md --trust-pickle | no pickle
import nosuch.pkl --trust-pickle | nosuch.pkl cannot be read (No such file or directory)
import model --trust-pickle | model cannot be read (Is a directory)
import w.pt --trust-pickle | nothing of fastai's
import w.pt --trust-pickle --out p | other things than a model
export-pkl nosuch | no model in nosuch
export-pkl p | no model in p
export-pkl README.md | README.md is a file
collect nosuch | neither a folder of photos nor a recipe
collect README.md | README.md
collect p | fastclf train p
collect model | model is a model
collect photos.zip | photos.zip is an archive
collect bear | Did you mean bears?
collect bears.toml | leave out .toml
collect digits --max 0 | at least 1
collect digits --out README.md | README.md
collect digits --out README.md/x | README.md is a file
collect broken.toml | line 1
recipes new README.md | .toml
recipes new nosuch/x.toml | no folder nosuch
recipes new broken.toml | already exists
recipes old | 'old'
edits export nosuch e.csv | no folder nosuch
edits export p nosuch/e.csv | no folder nosuch
edits export p README.md | would be overwritten
edits export model e.csv | model is a model
edits import p nosuch.csv | nosuch.csv
edits import p README.md | no file of edits
edits import p model | model
edits merge p rot blue | no class 'rot'
edits merge model red blue | model is a model
edits exprot p x.csv | 'export'
materialize p p | the photos' folder
materialize p p/sub | the photos' folder
materialize p . | the photos' folder
materialize p README.md | already exists
materialize p README.md/x | README.md is a file
materialize p model | not an empty folder
materialize model out | model is a model
materialize nosuch out | no folder nosuch
archs xyz | xyz
archs --size 0 | 16 to 1024
fly | 'fly'
evalute model p | 'evaluate'
--verbos | --verbos
"""
ROWS = [tuple(part.strip() for part in line.split(" | ")) for line in CALLS.strip().splitlines()]
HEAVY = ("torch", "fastai", "timm", "pandas", "sklearn", "matplotlib", "voila", "scipy")

_RUN = """
import contextlib, io, json, sys, time
from fastclf.cli import main
found = {}
for call in json.load(sys.stdin):
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv = ["fastclf", *call.split()]
    started = time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as e:
            code = e.code
    heavy = [name for name in HEAVY if name in sys.modules]
    seconds = time.monotonic() - started
    found[call] = {"code": code, "out": out.getvalue(), "err": err.getvalue(), "s": seconds, "heavy": heavy}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Place:
    folder: Path
    port: int


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A folder with photos, a model and files of other kinds, and a port that is taken."""
    folder = tmp_path_factory.mktemp("wrong")
    draw_photos(folder / "p", per_class=2)
    write_toy_bundle(folder / "model")
    (folder / "empty").mkdir()
    shutil.copytree(folder / "p" / "red", folder / "one" / "red")
    (folder / "none.csv").write_text("path,split\n")
    (folder / "README.md").write_text("# Read me\n")
    (folder / "broken.toml").write_text("name = broken\n")
    (folder / "w.pt").write_bytes(b"\x80\x02}q\x00.")
    (folder / "fake.safetensors").write_bytes(b"\x10" + bytes(7) + b"{broken")
    shutil.make_archive(str(folder / "photos"), "zip", folder / "p")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield Place(folder, taken.getsockname()[1])


@pytest.fixture(scope="module")
def answers(place: Place) -> dict[str, dict[str, Any]]:
    """Every call's answer, of one process for all."""
    before = sorted(place.folder.rglob("*"))
    calls = [call.replace("BUSY", str(place.port)) for call, _ in ROWS]
    done = subprocess.run(
        [sys.executable, "-c", _RUN.replace("HEAVY", repr(HEAVY))], cwd=place.folder, input=json.dumps(calls),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(place.folder.rglob("*")) == before, "something was written"
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return {call.replace(str(place.port), "BUSY"): answer for call, answer in found.items()}


@pytest.mark.parametrize(("call", "words"), ROWS)
def test_a_wrong_call_is_refused_in_one_sentence_at_once(
    answers: dict[str, dict[str, Any]], call: str, words: str
) -> None:
    answer = answers[call]
    assert answer["code"] in (1, 2), answer
    assert answer["out"] == ""
    assert words in answer["err"], answer["err"]
    assert answer["heavy"] == []
    assert answer["s"] < 2
    lines = answer["err"].strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("fastclf: ")
    assert lines[0].endswith((".", "?", ")"))


def test_three_different_names_are_offered(answers: dict[str, dict[str, Any]]) -> None:
    offered = (
        answers["train p --arch resnet19"]["err"].strip(".\n").partition("Similar ones: ")[2].split(", ")
    )
    assert len(set(offered)) == 3


@pytest.mark.slow
def test_a_whole_command_refuses_as_quickly(place: Place) -> None:
    done = run_fastclf("train", "p", "--arch", "resnet19", cwd=place.folder, timeout=15)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastclf: There is no architecture 'resnet19'.")
