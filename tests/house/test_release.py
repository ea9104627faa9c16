"""The checklist of a release notices what is missing; the whole of it is `make release-check`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from ..conftest import ROOT


@pytest.fixture
def checks(tmp_path: Path) -> ModuleType:
    """The script, on a small repository."""
    loader = SourceFileLoader("release_check", str(ROOT / "scripts" / "release-check"))
    spec = importlib.util.spec_from_loader("release_check", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["release_check"] = module
    loader.exec_module(module)
    module.ROOT, module.INIT = tmp_path, tmp_path / "__init__.py"
    module.INIT.write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n")
    (tmp_path / "pyproject.toml").write_text('requires = ["numpy>=11.2.3", "torch>=1.2.30"]\n')
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    real = module.run
    module.run = lambda *command: real(*command, cwd=tmp_path)
    return module


def test_a_version_in_one_place_with_its_section_is_ready(checks: ModuleType, tmp_path: Path) -> None:
    release = checks.Release(tmp_path)
    assert checks.check_version(release) == release.version == "1.2.3"
    assert checks.check_changelog(release) == "## [1.2.3] - 2026-01-31"


def test_a_version_in_two_places_is_not(checks: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('version = "1.2.3"\n')
    with pytest.raises(checks.NotReadyError, match=r"1\.2\.3 also stands in pyproject\.toml"):
        checks.check_version(checks.Release(tmp_path))


@pytest.mark.parametrize("heading", ["## [1.2.3]", "## [1.2.4] - 2026-01-31", "## [1.2.3] - soon"])
def test_a_version_without_its_section_is_not(checks: ModuleType, tmp_path: Path, heading: str) -> None:
    (tmp_path / "CHANGELOG.md").write_text(f"{heading}\n")
    with pytest.raises(checks.NotReadyError, match=r"has no line `## \[1\.2\.3\] - YYYY-MM-DD`"):
        checks.check_changelog(checks.Release(tmp_path, "1.2.3"))


def test_what_is_not_committed_is_not(checks: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(checks.NotReadyError, match=r"3 files are not committed"):
        checks.check_committed(checks.Release(tmp_path))


@pytest.mark.slow
@pytest.mark.thorough
def test_the_wheel_is_built_and_so_it_is_of_the_sdist() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "release-check", "wheel"], capture_output=True, text=True, check=False
    )
    assert "yes  version" in done.stdout
    assert "the sdist gives the same" in done.stdout, done.stdout
