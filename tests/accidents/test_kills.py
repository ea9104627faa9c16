"""Processes killed at random moments: what was told stays, no photo changes, the model opens.

They are forked when all is imported, so that the kills hit the work. `python -m tests.accidents.kills 1000`
kills as often as one likes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from ..conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a process can only be forked where the system forks"),
]


def kill(n: int, *names: str) -> int:
    """Kill so many times; returns how many were alive, after a look that found nothing lost."""
    command = [sys.executable, "-m", "tests.accidents.kills", str(n), *(["--only", *names] if names else [])]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    [(kills, losses)] = re.findall(r"^(\d+) kills, (\d+) losses", done.stdout, re.MULTILINE)
    assert losses == "0", done.stdout
    return int(kills)


def test_no_kill_loses_what_was_told(home: object) -> None:
    assert kill(15, "scan", "rescan", "apply", "collect", "materialize", "swap", "import") > 9


@pytest.mark.thorough
def test_no_kill_while_a_model_is_trained_and_written_loses_the_old_one(home: object) -> None:
    assert kill(45, "train", "export", "export's swap") > 35


@pytest.mark.thorough
def test_hundreds_of_kills_lose_nothing(home: object) -> None:
    assert kill(200, "scan", "rescan", "apply", "collect", "materialize", "refit", "swap", "import") > 150
