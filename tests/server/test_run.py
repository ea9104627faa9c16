"""What `serve` hands to the server, and the model that it starts with."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastclf import ModelBundle
from fastclf.errors import BundleError, PhotosError, ServingError
from fastclf.server import check_serving, serve
from fastclf.server.run import check_port, read_settings

from ..drawing import draw_photos


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
    (folder / "p").mkdir()
    assert start(Path("model"), photos=Path("p"), owner=True)["FASTCLF_PHOTOS"] == str(folder / "p")


def test_the_folder_of_new_photos_is_a_whole_path_too_however_it_is_named(
    toy_model: Path, start: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_model.parent
    monkeypatch.chdir(folder)
    (folder / "card").mkdir()
    (folder / "later").mkdir()
    assert "FASTCLF_NEW" not in start(Path("model"))
    monkeypatch.setenv("FASTCLF_NEW", "card")
    assert start(Path("model"))["FASTCLF_NEW"] == str(folder / "card")
    assert start(Path("model"), more={"new": Path("later")})["FASTCLF_NEW"] == str(folder / "later")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "There is no folder .*nowhere. Make it, or name another"),
        ("p/red", "red belongs to p, where a folder is a class"),
        ("photos/colours/blue", "blue belongs to photos/colours,"),
        ("p", "p holds photos of p, which have a label"),
        ("reports", "reports is where the inbox of visitors' reports lies"),
        ("p/.fastclf", "fastclf is where the inbox of visitors' reports lies"),
    ],
)
def test_a_folder_of_new_photos_that_cannot_be_one_is_refused_before_anything_starts(
    toy_model: Path, place: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_model.parent
    monkeypatch.chdir(folder)
    draw_photos(folder / "p", per_class=1)
    draw_photos(folder / "photos" / "colours", per_class=1)
    (folder / "reports").mkdir()
    (folder / "p" / ".fastclf").mkdir()
    named = {"photos": None if place.startswith("photos") else Path("p"), "host": "", "port": 0}
    named |= {"inbox": Path("reports", "inbox.sqlite")} if place == "reports" else {}
    monkeypatch.setattr("fastclf.server.run.check_port", lambda host, port: None)
    with pytest.raises(PhotosError, match=words):
        check_serving(Path("model"), **named, more={"new": Path(place)})
    monkeypatch.setenv("FASTCLF_NEW", place)
    with pytest.raises(PhotosError, match=words):
        check_serving(Path("model"), **named)


@pytest.mark.parametrize(
    ("temporary", "writable", "place"),
    [("/tmp", True, "/tmp"), ("/var/folders/zz/" + "x" * 30, True, "/tmp"), ("/" + "x" * 60, False, None)],
    ids=["short", "as on macOS", "nowhere"],
)
def test_kernels_have_sockets_where_their_names_are_short_enough(
    monkeypatch: pytest.MonkeyPatch, temporary: str, writable: bool, place: str | None
) -> None:
    monkeypatch.setattr("fastclf.server.sockets.tempfile.gettempdir", lambda: temporary)
    monkeypatch.setattr("fastclf.server.sockets.os.access", lambda path, mode: writable)
    settings = read_settings()
    assert settings["Voila"].get("connection_dir_root") == place
    assert ("KernelManager" in settings) == (place is not None)
    if place:
        assert len(f"{place}/voila_12345678/kernel-{'0' * 36}-ipc-5") <= 103
    assert "tornado_settings" in settings["Voila"]


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


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PermissionError(13, "Permission denied"), "Port 80 needs an administrator"),
        (OSError(98, "Address already in use"), "cannot be used .Address already in use.. Stop what runs there"),
        (socket.gaierror(-2, "Name or service not known"), "is no address of this machine"),
    ],
)  # fmt: skip
def test_a_port_that_may_not_be_used_is_a_sentence(
    fault: OSError, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusingSocket(socket.socket):
        def bind(self, *_: Any) -> None:
            raise fault

    monkeypatch.setattr("fastclf.server.run.socket.socket", RefusingSocket)
    with pytest.raises(ServingError, match=words):
        check_port("127.0.0.1", 80)


def test_a_server_without_voila_says_what_to_run(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastclf.server.run.check_port", lambda host, port: None)
    monkeypatch.setattr("fastclf.server.run.find_spec", lambda name: None)
    with pytest.raises(ServingError, match=r"Voila is not installed\. Run `pip install .*` again"):
        serve(toy_model)
