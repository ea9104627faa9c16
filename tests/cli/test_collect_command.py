"""The commands about getting photos: recipes, and collect with the check that follows."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fastclf.cli import photos as cli_photos
from fastclf.collect import load_recipe, read_template
from fastclf.collect.recipes import parse_recipe
from fastclf.collect.unpack import Unpacker
from fastclf.errors import CheckError, MissingExtraError, UsageError

from ..conftest import call_fastclf
from ..drawing import draw_scene, encode

Command = Callable[..., tuple[int, str, str]]
RECIPE = 'name = "mine"\ntitle = "Mine"\n[folder]\npath = "mine.zip"\n'


class FakeCheck:
    def to_text(self) -> str:
        return "the check's words"


def write_zip(members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile("mine.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a folder with ``mine.toml``, a recipe of a zip file with three ants and three bees."""
    monkeypatch.chdir(tmp_path)
    names = [f"{label}/{i}.jpg" for label in ("ant", "bee") for i in range(3)]
    write_zip({name: encode(draw_scene(name, (60, 40)), "JPEG") for name in names})
    Path("mine.toml").write_text(RECIPE)
    monkeypatch.setattr(cli_photos, "run_check", lambda folder: FakeCheck())

    def run(*args: str) -> tuple[int, str, str]:
        """Return the status, stdout and stderr."""
        done = call_fastclf(*args, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_recipe_of_ones_own_is_collected_and_it_is_said_what_comes_next(command: Command) -> None:
    status, out, err = command("collect", "mine.toml", "--no-check")
    assert status == 0
    assert len(list(Path("photos/mine").glob("*/*.jpg"))) == 6
    assert out.splitlines()[0].startswith("class")
    assert "the check's words" not in out + err
    assert err.splitlines()[-1] == "Next: fastclf train mine.toml"
    status, _, err = command("collect", "mine.toml", "--no-check", "--out", "elsewhere", "--max", "1")
    assert (status, len(list(Path("elsewhere").glob("*/*.jpg")))) == (0, 2)
    assert err.splitlines()[-1] == "Next: fastclf train elsewhere"


def test_a_run_that_has_nothing_to_add_is_no_failure_and_again_brings_back_what_was_deleted(
    command: Command,
) -> None:
    command("collect", "mine.toml", "--no-check")
    next(Path("photos/mine/ant").glob("*.jpg")).unlink()
    for more, numbers in (((), (0, 5)), (("--again",), (1, 6))):
        status, out, _ = command("collect", "mine.toml", "--no-check", "--json", *more)
        assert (status, json.loads(out)["new"], json.loads(out)["photos"]) == (0, *numbers)


@pytest.mark.parametrize(
    ("name", "words"), [("ant/1.jpg", "is a web page"), ("notes.txt", "No photos were found")]
)
def test_a_run_without_a_photo_is_a_failure_and_not_checked(name: str, words: str, command: Command) -> None:
    write_zip({name: b"<html>"})
    status, out, err = command("collect", "mine.toml")
    assert (status, words in out) == (1, True)
    assert err.splitlines() == ["No photo was stored."]


def test_the_check_follows_by_itself_and_json_stays_json(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Path] = []
    monkeypatch.setattr(cli_photos, "run_check", lambda folder: checked.append(Path(folder)) or FakeCheck())
    status, out, _ = command("collect", "mine.toml")
    assert (status, out.splitlines()[-1]) == (0, "the check's words")
    status, out, err = command("collect", "mine.toml", "--json")
    assert json.loads(out)["photos"] == 6
    assert "the check's words" in err
    assert checked == [Path("photos/mine")] * 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MissingExtraError("Install it."), "The check was skipped. Install it."),
        (CheckError("It broke."), "The check failed: It broke."),
    ],
)
def test_photos_are_collected_though_they_cannot_be_checked(
    error: Exception, words: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise error

    monkeypatch.setattr(cli_photos, "run_check", fail)
    status, out, err = command("collect", "mine.toml")
    assert (status, out.splitlines()[-1]) == (0, words)
    assert err.splitlines()[-1].startswith("Next:")


def test_ctrl_c_says_that_nothing_is_lost(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Unpacker, read: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Unpacker, "run", stop)
    status, _, err = command("collect", "mine.toml")
    assert status == 130
    assert "run the same command again" in err


def test_the_recipes_are_listed_with_where_their_photos_come_from(command: Command) -> None:
    status, out, err = command("recipes")
    assert status == 0
    assert "bears: Grizzly, black or teddy bear? (web search: grizzly, black, teddy)" in out
    assert "digits: Handwritten digits (comes with fastclf)" in out
    assert "pets" in out
    assert "(archive, https://" in out
    assert "recipes new mine.toml" in err


def test_a_new_recipe_is_written_only_where_none_is_and_where_it_can_be(command: Command) -> None:
    status, _, err = command("recipes", "new", "my mugs.toml")
    assert (status, "fastclf collect 'my mugs.toml'" in err) == (0, True)
    before = Path("my mugs.toml").read_bytes()
    recipe = load_recipe("my mugs.toml")
    assert (recipe.name, [c.label for c in recipe.classes]) == ("my-mugs", ["mug", "glass"])
    for name, words in {
        "my mugs.toml": "already exists",
        "mugs.txt": "does not end with .toml",
        "nowhere/mugs.toml": "There is no folder nowhere",
    }.items():
        status, _, err = command("recipes", "new", name)
        assert (status, words in err) == (2, True), err
    assert Path("my mugs.toml").read_bytes() == before
    assert not Path("mugs.txt").exists()


@pytest.mark.parametrize(
    ("name", "becomes"), [("---.toml", "mine"), ("熊.toml", "mine"), ("-a b-.toml", "a-b")]
)
def test_the_name_of_a_new_recipe_is_one_that_can_be_used(name: str, becomes: str, command: Command) -> None:
    assert command("recipes", "new", "--", name)[0] == 0
    assert load_recipe(Path(name)).name == becomes


def test_the_template_explains_every_key_and_each_commented_line_is_right() -> None:
    keys = {"archive", "folder", "sha256", "only", "licence", "services", "variations", "urls", "split_by"}
    assert {key for key in keys if key not in read_template()} == set()
    text = "\n".join(line for line in read_template().splitlines() if not line.startswith("#  "))
    plain = text.replace("[classes]", "[unused]").replace("# [archive]", "[archive]").replace("# url", "url")
    plain = plain.replace("# [archive.label]", "[archive.label]").replace('# by = "folder"', 'by = "folder"')
    with pytest.raises(UsageError, match="unused is unknown"):
        parse_recipe(plain, "t")
