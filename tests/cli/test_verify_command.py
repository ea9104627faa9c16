"""`fastclf verify` says in sentences and by its exit code whether a model is what its maker wrote."""

from __future__ import annotations

import json
from pathlib import Path

from ..conftest import call_fastclf


def test_a_sound_model_ends_with_0_and_a_changed_one_with_1(toy_model: Path) -> None:
    done = call_fastclf("verify", "model", cwd=toy_model.parent)
    assert done.returncode == 0, done.stderr
    files, answers = done.stderr.splitlines()
    assert files.startswith("All ")
    assert answers.startswith("It answers about 4 pictures as it did where it was made")
    (toy_model / "photos.csv").write_text("changed")
    done = call_fastclf("verify", "model", cwd=toy_model.parent)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["photos.csv is not as it was written."]
    assert done.stdout == ""


def test_json_says_the_same(toy_model: Path) -> None:
    found = json.loads(call_fastclf("verify", "model", "--json", cwd=toy_model.parent).stdout)
    assert (found["is_sound"], found["faults"], found["answers"]["photos"]) == (True, [], 4)
    (toy_model / "ood.npz").unlink()
    done = call_fastclf("verify", "model", "--json", cwd=toy_model.parent)
    found = json.loads(done.stdout)
    assert (done.returncode, found["is_sound"], found["answers"]) == (1, False, None)


def test_what_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    done = call_fastclf("verify", ".", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
