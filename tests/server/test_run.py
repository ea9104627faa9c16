"""What `serve` hands to the server, and the model that it starts with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastclf import ModelBundle
from fastclf.errors import BundleError
from fastclf.server import serve


class StartedError(Exception):
    """The server would run now."""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Call `serve` and return the environment that the server would get."""

    def run(model: Path, **options: Any) -> dict[str, str]:
        given: dict[str, str] = {}

        def begin(command: list[str], *, env: dict[str, str], **_: Any) -> None:
            given.update(env)
            raise StartedError

        monkeypatch.setattr("fastclf.server.run.check_port", lambda host, port: None)
        monkeypatch.setattr("fastclf.server.run.subprocess.Popen", begin)
        with pytest.raises(StartedError):
            serve(model, **options)
        return given

    return run


def test_serve_passes_whole_paths_and_honours_the_environment(
    toy_model: Path, start: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_model.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FASTCLF_CATALOG", "cat")
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    env = start(Path("model"))
    assert env["FASTCLF_MODEL"] == str(toy_model)
    assert env["FASTCLF_CATALOG"] == str(folder / "cat")
    assert env["FASTCLF_PHOTOS"] == str(folder / "photos")
    assert env["FASTCLF_OWNER"] == "1"
    monkeypatch.delenv("FASTCLF_OWNER")
    assert "FASTCLF_OWNER" not in start(Path("model"))
    assert start(Path("model"), photos=Path("p"), owner=True)["FASTCLF_PHOTOS"] == str(folder / "p")


def test_a_server_starts_with_the_model_and_the_card_that_a_kill_left_behind(
    toy_model: Path, start: Callable[..., dict[str, str]]
) -> None:
    card = (toy_model / "card.html").read_bytes()
    (toy_model / "card.html").write_text("of yesterday")
    toy_model.rename(toy_model.with_name(f".{toy_model.name}.old"))
    start(toy_model)
    assert ModelBundle.load(toy_model).vocab == ["blue", "green", "red"]
    assert (toy_model / "card.html").read_bytes() == card


def test_a_model_that_does_not_open_is_not_served(toy_model: Path) -> None:
    shutil.rmtree(toy_model)
    with pytest.raises(BundleError, match="There is no model"):
        serve(toy_model)
