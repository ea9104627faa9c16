"""What Binder makes of this repository: by repo2docker's own code, by its steps, and which model it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fastclf import ModelBundle, Predictor

from ..conftest import ROOT, Trained

BINDER = ROOT / ".binder"
SAMPLE = BINDER / "model"
HEAVY = {"torch", "torchvision", "fastai", "timm", "scikit-learn", "pandas", "matplotlib"}


# the first pack that wants the repository builds it
CHOOSE = """
from repo2docker.app import Repo2Docker
app = Repo2Docker()
print(next(pack.__name__ for pack in app.buildpacks if pack(app.base_image).detect()))
"""


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What repo2docker would build of this repository."""
    command = [
        sys.executable, "-m", "repo2docker", "--no-build", "--debug", "--user-id", "1000", "--user-name", "jovyan",
        str(ROOT),
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("repo2docker")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_repo2docker_takes_the_light_folder_and_nothing_of_the_full_environment(dockerfile: str) -> None:
    chosen = subprocess.run(
        [sys.executable, "-c", CHOOSE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert chosen.stdout.strip() == "PythonBuildPack", chosen.stderr
    copied = re.findall(r"^COPY (?:--\S+ )*src/(\S*)", dockerfile, re.MULTILINE)
    assert copied == [".binder/requirements.txt", ""]
    assert "Building conda environment for python=3.11" in dockerfile
    assert "environment.yml" not in dockerfile
    assert "env update" not in dockerfile


@pytest.mark.slow
def test_repo2docker_installs_after_the_copy_and_runs_post_build_last(dockerfile: str) -> None:
    steps = [
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",
        'pip install --no-cache-dir -r ".binder/requirements.txt"',
        "RUN ./.binder/postBuild",
        "ENTRYPOINT",
    ]
    places = [dockerfile.index(step) for step in steps]
    assert places == sorted(places)
    assert [dockerfile.count(step) for step in steps[:3]] == [1, 1, 1]
    # whoever runs it is nobody special
    assert dockerfile[: places[2]].rindex("USER ${NB_USER}") > dockerfile[: places[2]].rindex("USER root")


def test_binder_installs_the_core_and_the_head_without_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        line for line in (BINDER / "requirements.txt").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert lines == [".[head]"]
    assert (BINDER / "runtime.txt").read_text().strip() == "python-3.11"
    todo = [
        Requirement(line) for line in [*project["dependencies"], *project["optional-dependencies"]["head"]]
    ]
    found: set[str] = set()
    while todo:
        need = todo.pop()
        name = canonicalize_name(need.name)
        if name in found or (need.marker and not need.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            todo += map(Requirement, requires(name) or ())
        except PackageNotFoundError:
            continue
    assert len(found) > 60
    assert not found & HEAVY


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Binder runs Linux")
@pytest.mark.parametrize("own", [False, True])
def test_post_build_trains_nothing_and_keeps_a_model_of_the_repositorys_own(
    own: bool, toy_model: Path, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(BINDER, checkout / ".binder")
    (checkout / "fastclf" / "server").mkdir(parents=True)
    shutil.copy(ROOT / "fastclf" / "server" / "jupyter_server_config.json", checkout / "fastclf" / "server")
    if own:
        shutil.copytree(toy_model, checkout / "model")
    env = {**os.environ, "NB_PYTHON_PREFIX": str(tmp_path / "env")}
    done = subprocess.run(
        ["./.binder/postBuild"],
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == (3 if own else 6)
    title = "Toy colours" if own else "Handwritten digits"
    assert ModelBundle.load(checkout / "model").manifest.title == title
    installed = tmp_path / "env" / "etc" / "jupyter" / "jupyter_server_config.json"
    assert "fastclf.server.kernels.GraceKernelManager" in installed.read_text()


def test_the_sample_is_small_and_tells_nothing_of_where_it_was_made() -> None:
    files = [path for path in SAMPLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    assert not {"export.pkl", "body.safetensors", "photos.csv"} & {path.name for path in files}
    for path in files:
        assert not re.search(rb"/home/|/root/|/tmp/|site-packages", path.read_bytes()), path.name


@pytest.mark.slow
def test_the_sample_has_not_drifted_from_what_the_command_makes(trained: Trained) -> None:
    """Where this fails, `scripts/sample-model` makes it anew."""
    kept, fresh = ModelBundle.load(SAMPLE), ModelBundle.load(trained.model)
    parts = ("schema", "recipe", "title", "arch", "vocab", "preprocess", "licences", "sets", "parity")
    before, now = kept.manifest.to_dict(), fresh.manifest.to_dict()
    assert set(before) == set(now)
    for part in parts[:-2]:
        assert before[part] == now[part], part
    for part in ("sets", "parity", "metrics", "ood", "training"):
        assert set(before[part]) == set(now[part]), part
    settings = set(now["training"]) - {"epochs", "seconds", "versions", "device", "best_epoch", "patience"}
    assert {s: before["training"][s] for s in settings} == {s: now["training"][s] for s in settings}
    photos = sorted(trained.photos.rglob("*.png"))[::9]
    labels = [[answer.label for answer in Predictor(b.path).predict_many(photos)] for b in (kept, fresh)]
    same = sum(a == b for a, b in zip(*labels, strict=True))
    assert same >= 0.98 * len(photos)
