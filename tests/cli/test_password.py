"""The command that writes a password: nobody reads it back, and a file that is there stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastclf.cli import app
from fastclf.errors import FastclfError
from fastclf.server.passwords import read_password


def write(file: Path, text: str, *options: str) -> None:
    done = CliRunner().invoke(app, ["password", str(file), *options], input=f"{text}\n")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception


@pytest.mark.slow
def test_a_password_is_written_so_that_nobody_reads_it_back(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "visitors.txt"
    write(file, "a long sentence")
    assert "sentence" not in file.read_text()
    assert read_password(file).fits("a long sentence")
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(FastclfError, match="is there already"):
        write(file, "another sentence")
    write(file, "another sentence", "--again")
    assert read_password(file).fits("another sentence")


def test_a_short_password_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(FastclfError, match="has 5 characters; 8 to 1024 are allowed"):
        write(tmp_path / "visitors.txt", "short")
    assert list(tmp_path.iterdir()) == []
