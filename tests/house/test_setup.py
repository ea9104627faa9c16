"""`make setup` on a machine that cannot do it: a sentence each, never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="make is for Unix")

PYTHONS = ("python3", "python3.13", "python3.12", "python3.11", "python")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose path has a space in it."""
    folder = tmp_path / "my checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "scripts/setup"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def stub(folder: Path, script: str) -> Path:
    """Put a program under every name of Python."""
    folder.mkdir()
    for name in PYTHONS:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def make(checkout: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **changes}
    env.pop("PYTHON", None)
    return subprocess.run(
        ["make", "setup"], cwd=checkout, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def test_an_old_python_is_named_with_the_way_out(checkout: Path, tmp_path: Path) -> None:
    old = stub(tmp_path / "bin", 'case "$*" in *platform*) echo 3.9.2;; *) exit 1;; esac')
    done = make(checkout, PATH=f"{old}:/usr/bin:/bin")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed and 3.9.2 was found" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_no_network_is_a_sentence(checkout: Path, tmp_path: Path, installer: str) -> None:
    if installer == "uv" and not shutil.which("uv"):
        pytest.skip("uv is not on this machine's PATH; `make setup` puts its own into .venv")
    new = stub(tmp_path / "bin", f'exec "{sys.executable}" "$@"')
    tools = tmp_path / "tools"
    tools.mkdir()
    if installer == "uv":
        (tools / "uv").symlink_to(str(shutil.which("uv")))
    nowhere = "http://127.0.0.1:9/simple"
    done = make(
        checkout, PATH=f"{new}:{tools}:/usr/bin:/bin", PIP_INDEX_URL=nowhere, PIP_EXTRA_INDEX_URL="",
        PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0", UV_DEFAULT_INDEX=nowhere,
        UV_HTTP_RETRIES="0", UV_NO_CACHE="1",
    )  # fmt: skip
    assert done.returncode != 0
    assert "the packages could not be fetched" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_finished_setup_does_nothing_the_second_time(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (checkout / ".venv" / ".fastclf-installed").touch()
    done = make(checkout, PATH="/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
