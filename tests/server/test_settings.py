"""Settings: the file's values reach the environment, what it must not say is refused, and each is a flag."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from fastclf.cli import app
from fastclf.errors import ServingError
from fastclf.photos import find_new_folder
from fastclf.server import SETTINGS, find_inbox_file, load_settings


def test_a_file_says_what_the_environment_does_not(tmp_path: Path) -> None:
    (tmp_path / "fastclf.toml").write_text(
        'title = "Bären"\nport = 8000\nowner = true\nmetrics = false\nphotos = "photos/bears"\n'
        'hosts = ["a.example", "b.example"]\naccess-log = "-"\npassword-file = "/run/secret"\n',
        encoding="utf-8",
    )
    said = {"FASTCLF_PORT": "9000"}
    load_settings(tmp_path, said)
    assert said == {
        "FASTCLF_TITLE": "Bären",
        "FASTCLF_PORT": "9000",
        "FASTCLF_OWNER": "1",
        "FASTCLF_METRICS": "0",
        "FASTCLF_PHOTOS": str(tmp_path / "photos" / "bears"),
        "FASTCLF_HOSTS": "a.example,b.example",
        "FASTCLF_ACCESS_LOG": "-",
        "FASTCLF_PASSWORD_FILE": "/run/secret",
    }


def test_where_there_is_no_file_nothing_is_said(tmp_path: Path) -> None:
    said: dict[str, str] = {}
    load_settings(tmp_path, said)
    assert said == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("titel = 'x'", "there is no setting titel; these are: model, photos"),
        ("port = '80'", "port is '80', but has to be a whole number"),
        ("port = true", "port is True, but has to be a whole number"),
        ("owner = 1", "owner is 1, but has to be a true or false"),
        ("hosts = 'a'", "hosts is 'a', but has to be a list of texts"),
        ("hosts = ['a', 1]", "has to be a list of texts"),
        ('new = "a\\u0000b"', "but has to be a path"),
        ('hosts = ["a.example", "b\\u0000"]', "but has to be a list of texts"),
        ("[server]\nport = 1", "there is no setting server"),
        ("title = ", "fastclf.toml is not read"),
        ("title = '" + "x" * 70_000 + "'", "fastclf.toml is not read"),
    ],
)
def test_what_is_no_setting_is_refused_in_a_sentence(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "fastclf.toml").write_text(text)
    with pytest.raises(ServingError, match=re.escape(words)):
        load_settings(tmp_path, {})


def test_the_home_of_a_user_whom_nobody_knows_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fastclf.toml").write_text("new = '~nobody-knows/a'")
    said: dict[str, str] = {}
    load_settings(tmp_path, said)
    assert said == {"FASTCLF_NEW": str(tmp_path / "~nobody-knows/a")}
    monkeypatch.setenv("FASTCLF_NEW", "~nobody-knows/a")
    assert find_new_folder(tmp_path) == Path("~nobody-knows/a")
    monkeypatch.setenv("FASTCLF_INBOX", "~nobody-knows/a")
    assert find_inbox_file(tmp_path, None) == Path("~nobody-knows/a")


def test_every_setting_is_a_flag_and_every_flag_a_setting() -> None:
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    flags = {option for parameter in command.params for option in parameter.opts}
    for setting in SETTINGS:
        assert {setting.name, f"--{setting.name}"} & flags, setting
    described = {flag.removeprefix("--") for flag in flags} - {"help"}
    assert described == {setting.name for setting in SETTINGS}
