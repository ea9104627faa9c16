"""The parts of the dashboard in anybody's own notebook, as README.md shows them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import ipywidgets as widgets
import pytest

from fastclf import dashboard
from fastclf.errors import BundleError, UsageError

from ..conftest import ROOT
from .judged import build_judged, change_manifest


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build_judged(tmp_path_factory.mktemp("judged"))


@pytest.mark.slow
def test_the_lines_of_the_documents_build_every_part(
    judged: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(judged[0], tmp_path / "photos" / "bears")
    shutil.copytree(judged[1], tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "how-to" / "own-dashboard.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(from fastclf\.dashboard import build_card.*?)```", page, re.DOTALL)
    parts: dict[str, widgets.VBox] = {}
    exec(code.replace("photos/colours", "photos/bears"), parts)
    for name in ("classifier", "cleaner", "matrix", "card"):
        assert "fastclf" in parts[name]._dom_classes
        assert len(parts[name].children) == 3
    assert parts["cleaner"].children[1].done.wait(60)
    assert len(parts["cleaner"].children[1].panel.model) == 90


def test_every_public_name_is_documented_with_an_example() -> None:
    for name in dashboard.__all__:
        documented = getattr(dashboard, name).__doc__
        assert "Parameters\n" in documented, name
        assert "Examples\n" in documented, name


def test_what_is_not_there_is_a_sentence(judged: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no model"):
        dashboard.build_classifier(tmp_path / "none")
    with pytest.raises(UsageError, match="There is no folder"):
        dashboard.build_cleaner(tmp_path / "none", judged[1])
    model = shutil.copytree(judged[1], tmp_path / "model")
    change_manifest(model, {"metrics": {}})
    with pytest.raises(UsageError, match="was not judged yet"):
        dashboard.build_confusion_matrix(model)
