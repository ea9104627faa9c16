"""A project that was taught in a browser becomes a model that answers as the page did, and a folder to go on with."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastclf import Catalog, ModelBundle, Predictor
from fastclf.backbone import Backbone, open_packaged
from fastclf.dashboard.site.graph import cut_graph, open_graph
from fastclf.errors import ProjectError, UsageError
from fastclf.evaluation import evaluate
from fastclf.head import refit_head
from fastclf.metrics import compute_softmax
from fastclf.photos import decode_photo
from fastclf.received import ImportedProject, import_project
from fastclf.system import hash_bytes

from ..conftest import call_fastclf
from ..scanned import hash_folder
from .taught import (
    HELD,
    PER_CLASS,
    VOCAB,
    describe_project,
    draw_members,
    fit,
    pack,
    split_of,
    write_project,
    write_zip,
)

pytestmark = pytest.mark.slow
NAMES = ["AC/DC", "train", "M\u00fctze \u2615"]


def rename(values: dict[str, Any], members: object) -> None:
    values["vocab"] = NAMES


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> ImportedProject:
    root = tmp_path_factory.mktemp("taught")
    file = write_project(root / "project.zip", rename)
    return import_project(file, root / "model", root / "photos")


def test_the_model_answers_as_the_page_did(imported: ImportedProject) -> None:
    assert (imported.compared, imported.allowed) == (3, 1e-3)
    assert imported.largest_difference < 1e-4
    raw = imported.bundle
    assert raw.head[0].shape == (3, 1280)
    with Predictor(raw) as predictor:
        for known in describe_project()["parity"]:
            data = draw_members()[known["file"]]
            image = raw.preprocess.decode(data).image
            logits, _ = predictor.run(raw.preprocess.batch([image]))
            assert np.abs(logits[0] - known["logits"]).max() < 1e-3


def answer_with_int8(values: dict[str, Any], members: dict[str, bytes], scale: float = 1) -> None:
    """Let a project be one of a page whose weights have 8 bits."""
    body, weight, bias = open_packaged(), scale * fit().weight, fit().bias
    session = open_graph(cut_graph(body.graph, with_maps=False, int8=True))
    values["backbone"]["precision"] = "int8"
    values["head"] |= {"weight": pack(weight), "bias": pack(bias)}
    for known in values["parity"]:
        image = decode_photo(members[known["file"]]).image
        [features] = session.run(["features"], {"image": body.preprocess.batch([image])})
        logits = features @ weight.T + bias
        known |= {"logits": logits[0].tolist(), "probabilities": compute_softmax(logits)[0].tolist()}


def test_a_page_with_int8_is_answered_with_its_own_weights(tmp_path: Path) -> None:
    # a head that was fitted on few photos may tell apart the smallest differences
    file = write_project(tmp_path / "project.zip", partial(answer_with_int8, scale=20))
    made = import_project(file, tmp_path / "model", tmp_path / "photos")
    assert made.largest_difference < 1e-4
    packaged, own = open_packaged(), Backbone.of_model(made.bundle)
    assert own.features_id != packaged.features_id
    # taught again on this model, it is the same network
    assert own.round() is own


def test_the_photos_are_the_projects_bytes_in_folders_that_every_disk_takes(
    imported: ImportedProject,
) -> None:
    found = hash_folder(imported.folder)
    assert {Path(name).parts[0] for name in found} == {"AC_DC", "named train", "M\u00fctze \u2615"}
    assert sorted(found.values()) == sorted(map(hash_bytes, draw_members().values()))
    assert "named train/00003-IMG 9.jpg" in found


def test_labels_and_splits_are_on_record_as_they_were_taught(imported: ImportedProject) -> None:
    # no folder, and no label, can hold a slash
    assert imported.labels == ("AC_DC", "train", "M\u00fctze \u2615")
    assert imported.bundle.vocab == [*imported.labels]
    assert imported.bundle.manifest.training.to_dict()["taught"]["classes"] == NAMES
    with Catalog(imported.folder) as catalog:
        photos = catalog.photos().photos
    assert {photo.label for photo in photos} == {*imported.labels}
    wanted = {hash_bytes(data): split_of(file) for file, data in draw_members().items()}
    assert {photo.sha256: photo.split for photo in photos} == wanted
    rows = imported.bundle.read_photos()
    assert {row.sha256: row.split for row in rows} == wanted
    assert {row.group for row in rows} == {f"given:burst {n}" for n in range(3 * PER_CLASS)}


def test_the_model_is_judged_on_what_it_has_not_learned_and_says_where_it_comes_from(
    imported: ImportedProject,
) -> None:
    manifest = imported.bundle.manifest
    assert manifest.metrics.valid["n"] == 3 * HELD
    assert manifest.split == {
        "how": "as it was taught", "seed": None, "train": 3 * (PER_CLASS - HELD), "valid": 3 * HELD, "test": 0,
    }  # fmt: skip
    assert manifest.training.head.folds == 4
    assert "a browser" in (imported.bundle.path / "card.md").read_text()
    found = evaluate(imported.bundle, imported.folder)
    assert found.metrics["valid"]["n"] == 3 * HELD


def test_it_goes_on_like_any_model(imported: ImportedProject) -> None:
    refit = refit_head(imported.bundle.path, imported.folder)
    assert (refit.n, refit.n_train) == (3 * HELD, 3 * (PER_CLASS - HELD))


def test_the_same_call_goes_on_with_the_photos_that_are_there(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path / "project.zip")
    said: list[str] = []
    first = import_project("project.zip")
    assert (first.folder, first.is_new) == (Path("photos/colours"), True)
    with Catalog(first.folder) as catalog:
        catalog.relabel(["red/00000-IMG 12.jpg"], "blue")
    again = import_project("project.zip", say=said.append)
    assert not again.is_new
    assert "The photos are in photos/colours already." in said
    with Catalog(first.folder) as catalog:  # a decision since then is the owner's
        assert len(catalog.edits()) == 1
    (first.folder / "red" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="nothing of it is overwritten"):
        import_project("project.zip")


def test_a_photo_that_stands_there_twice_is_judged_where_it_was_not_learned(tmp_path: Path) -> None:
    def change(values: dict[str, Any], members: dict[str, bytes]) -> None:
        first, held = values["photos"][0], values["photos"][PER_CLASS - 1]
        copies = {0: [values["photos"][1], held], 1: [values["photos"][PER_CLASS + 1]]}
        for photo in (*copies[0], *copies[1]):  # in its own class, among what is judged, in another class
            photo["sha256"] = first["sha256"]
            members[photo["file"]] = members[first["file"]]

    file = write_project(tmp_path / "project.zip", change)
    made = import_project(file, tmp_path / "model", tmp_path / "photos")
    assert len(hash_folder(made.folder)) == 3 * PER_CLASS
    assert made.bundle.manifest.metrics.valid["n"] == 3 * HELD - 1
    with Catalog(made.folder) as catalog:
        [found] = [group for group in catalog.photos().find_conflicts() if len(group) > 2]
        assert {photo.split for photo in found} == {"train"}


def other_answers(by: float, precision: str = "float32") -> Any:
    def change(values: dict[str, Any], members: dict[str, bytes]) -> None:
        if precision == "int8":
            answer_with_int8(values, members)
        for answer in values["parity"]:
            top = int(np.argmax(answer["probabilities"]))
            answer["probabilities"][top] -= by
            answer["probabilities"][top - 1] += by

    return change


@pytest.mark.parametrize(
    ("by", "precision", "is_same"), [(0.02, "float32", False), (0.02, "int8", True), (0.06, "int8", False)]
)
def test_a_model_that_answers_otherwise_is_not_written_and_the_photos_stay(
    by: float, precision: str, is_same: bool, tmp_path: Path
) -> None:
    file = write_project(tmp_path / "project.zip", other_answers(by, precision))
    if is_same:
        made = import_project(file, tmp_path / "model", tmp_path / "photos")
        assert made.largest_difference == pytest.approx(by, abs=1e-3)
        return
    with pytest.raises(ProjectError, match=f"differ by up to {by:.2g} .*--mode head") as caught:
        import_project(file, tmp_path / "model", tmp_path / "photos")
    assert str(tmp_path / "photos") in str(caught.value)
    assert not (tmp_path / "model").exists()
    assert len(hash_folder(tmp_path / "photos")) == 3 * PER_CLASS


def test_a_project_taught_on_a_models_body_names_that_model(
    imported: ImportedProject, tmp_path: Path
) -> None:
    file = write_project(tmp_path / "project.zip")
    made = import_project(file, tmp_path / "m", tmp_path / "p", model=imported.bundle.path, title="Mine")
    assert made.bundle.title == "Mine"
    assert made.bundle.manifest.features_id == imported.bundle.manifest.features_id


def test_the_command_says_what_became_of_it_and_loads_no_torch(tmp_path: Path) -> None:
    write_project(tmp_path / "project.zip")
    code = (
        "import sys; sys.argv = ['fastclf', 'import', 'project.zip', '--json']\n"
        "from fastclf.cli import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
        "assert not {'torch', 'fastai', 'timm', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["path"], told["import"]["photos"]) == ("model", "photos/colours")
    assert "18 photos of 3 classes are in photos/colours." in done.stderr
    assert "fastclf serve model --photos photos/colours" in done.stderr
    assert ModelBundle.load(tmp_path / "model").vocab == VOCAB


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["project.zip", "--out", "x", "--photos", "x/p"], "have to lie apart"),
        (["project.zip", "--photos", "full"], "full already holds something"),
        (["project.zip", "--out", "full"], "other things than a model"),
        (["project.zip", "--class-names", "a,b"], "--class-names is for an exported Learner"),
        (["project.zip", "--model", "project.zip"], "is an archive"),
        (["export.pkl", "--model", "full"], "--model is for a project of Teach"),
        (["export.pkl"], "was not opened"),
        (["none.zip"], "none.zip cannot be read"),
        (["full"], "full cannot be read"),
        (["photos.zip"], "is neither a project"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_right_is_refused_with_nothing_written(
    call: list[str], words: str, tmp_path: Path
) -> None:
    write_project(tmp_path / "project.zip")
    write_zip(tmp_path / "photos.zip", dict(draw_members()))
    (tmp_path / "export.pkl").write_bytes(b"\x80\x04N.")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = call_fastclf("import", *call, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert words in " ".join(done.stderr.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == before
