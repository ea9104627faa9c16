"""Temporary folders end with their block, or with the next one where their process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fastclf.system import scratch_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are asked otherwise there")


def test_what_a_killed_process_left_goes_and_all_else_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        f"fastclf-refit-{gone.pid}-old": False, f"fastclf-refit-{os.getpid()}-ours": True,
        "fastclf-notes": True, f"other-refit-{gone.pid}-old": True,
    }  # fmt: skip
    for name in names:
        (tmp_path / name / "inner").mkdir(parents=True)
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / f"fastclf-refit-{gone.pid}-new").mkdir()
    with scratch_folder("refit") as folder:
        assert Path(folder).is_dir()
    assert {name: (tmp_path / name).exists() for name in names} == names
    assert (tmp_path / f"fastclf-refit-{gone.pid}-new").exists()
    assert not Path(folder).exists()
