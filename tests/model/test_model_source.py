"""A model that is kept open for forks: when it is used, and when each opens its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastclf.model import model_source
from fastclf.model.model_source import ModelSource, keep_model


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_source, "_kept", None)


def test_what_is_kept_answers_in_one_thread_until_the_folder_holds_another_model(toy_model: Path) -> None:
    keep_model(toy_model)
    one, two = (ModelSource(toy_model) for _ in range(2))
    assert one.open() is two.open()
    assert one.open()._threads == 1
    manifest = json.loads((toy_model / "bundle.json").read_text())
    (toy_model / "bundle.json").write_text(json.dumps({**manifest, "title": "Another"}))
    assert one.open() is not two.open()
    assert ModelSource(toy_model).open().bundle.manifest.title == "Another"


def test_a_model_that_takes_long_in_one_thread_is_opened_by_each_with_all_threads(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_source, "_QUICK", 0.0)
    keep_model(toy_model)
    assert ModelSource(toy_model).open()._threads is None


def test_another_folder_is_opened(toy_model: Path, tmp_path: Path) -> None:
    keep_model(toy_model)
    other = tmp_path / "other"
    toy_model.rename(other)
    assert ModelSource(other).open().bundle.path == other
