"""Small repositories of git, with a bare one beside them that stands for the host."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..toy import write_toy_bundle

ADDRESS = "https://ann:secret@github.com/ann/bears.git"


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *names, "-C", str(folder), *words], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def build_repository(folder: Path, *, model: bool = True) -> Path:
    """A repository as a person's who did all that Binder needs: committed, pushed, licensed."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    folder.mkdir()
    git(folder, "init", "-q", "--template=", "-b", "main")
    shutil.copy(ROOT / "dashboard.ipynb", folder)
    (folder / ".binder").mkdir()
    (folder / ".binder" / "requirements.txt").write_text("fastclf[head]\n")
    (folder / "LICENSE").write_text("Apache-2.0\n")
    if model:
        write_toy_bundle(folder / "model")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "All")
    publish(folder)
    return folder


def publish(folder: Path) -> None:
    """Push to a bare repository whose address is a host's."""
    host = folder.parent / f"{folder.name}.git"
    subprocess.run(
        ["git", "init", "-q", "--bare", "--template=", "-b", "main", str(host)], check=True, timeout=60
    )
    git(folder, "remote", "add", "origin", str(host))
    git(folder, "push", "-q", "-u", "origin", "main")
    git(folder, "remote", "set-head", "origin", "main")
    git(folder, "remote", "set-url", "origin", ADDRESS)


def push(folder: Path, branch: str) -> None:
    """Push a branch to the same place, past the host's address."""
    git(folder, "remote", "set-url", "origin", str(folder.parent / f"{folder.name}.git"))
    git(folder, "push", "-q", "-u", "origin", branch)
    git(folder, "remote", "set-url", "origin", ADDRESS)
