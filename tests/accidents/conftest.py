from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .shim import MISSING, build, find_compiler


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library that records and refuses what a program writes."""
    if not find_compiler():
        pytest.skip(MISSING)
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk in memory where there is one: a thousand states are written and opened there."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else tmp_path) as folder:
        yield Path(folder)
