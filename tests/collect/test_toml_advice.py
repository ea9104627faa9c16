"""What beginners write in a recipe, and what they are told: the line, and what to write there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fastclf.collect import load_recipe
from fastclf.errors import UsageError

# (line as it is written, line as it should be; "" where none can be told, words)
LINES = [
    (r'path = "C:\Users\me\photos"', r"path = 'C:\Users\me\photos'", "single quotes"),
    (r'path = "C:\data\photos"', r"path = 'C:\data\photos'", "single quotes"),
    (r"path = C:\data\photos", r"path = 'C:\data\photos'", "single quotes"),
    (r'path = "\\server\share"', r"path = '\\server\share'", "single quotes"),
    ("title = “Mug or glass?”", 'title = "Mug or glass?"', "straight"),
    ("title = ‘Mug’", 'title = "Mug"', "straight"),
    ("title = „Tasse“", 'title = "Tasse"', "straight"),
    ("title = «Tasse»", 'title = "Tasse"', "straight"),
    ('title = "Mug”', 'title = "Mug"', "straight"),
    ("a = [“x”, “y”]", 'a = ["x", "y"]', "straight"),
    ('black bear = "black bear"', '"black bear" = "black bear"', "in quotes"),
    ('Bär = "Bär"', '"Bär" = "Bär"', "in quotes"),
    ('猫 = "cat"', '"猫" = "cat"', "in quotes"),
    ('cat/dog = "cat"', '"cat/dog" = "cat"', "in quotes"),
    ('dog\'s = "dog"', '"dog\'s" = "dog"', "in quotes"),
    ("title = My title", 'title = "My title"', "in quotes"),
    ("title = mug", 'title = "mug"', "in quotes"),
    ("title = 2024-13-45", 'title = "2024-13-45"', "in quotes"),
    ("title = 'Dog's breeds'", 'title = "Dog\'s breeds"', "other kind"),
    ('title = "The "best" cats"', "title = 'The \"best\" cats'", "other kind"),
    ('title = "Mug', 'title = "Mug"', "quote at the end"),
    ('a = ["x" "y"]', 'a = ["x", "y"]', "comma is missing"),
    ('a = ["x", "y"', 'a = ["x", "y"]', "] that ends"),
    ("a = [x, y]", 'a = ["x", "y"]', "in quotes"),
    ('title = "W",', 'title = "W"', "no , stands"),
    ('title = "W";', 'title = "W"', "no ; stands"),
    ('title: "W"', 'title = "W"', "joined by ="),
    ("title: W", 'title = "W"', "joined by ="),
    ("classes:", "[classes]", "brackets"),
    ("---", "", "YAML"),
    ("pretrained = True", "pretrained = true", "True is no value"),
    ("pretrained = FALSE", "pretrained = false", "FALSE is no value"),
    ("pretrained = yes", "pretrained = true", "yes is no value"),
    ("arch = None", "", "leave the whole line out"),
    ("arch = null", "", "leave the whole line out"),
    ("lr = .01", "lr = 0.01", "digit before"),
    ("lr = 0,01", "lr = 0.01", "not a comma"),
    ("lr = 1.", "lr = 1.0", "digit behind"),
    ("epochs = 05", "epochs = 5", "begin with 0"),
    ("size = 224px", "size = 224", "stands alone"),
    ("title == \"W\"", 'title = "W"', "one ="),
    ('title := "W"', 'title = "W"', "one ="),
    ("title =", "", "nothing stands behind"),
    ('title "W"', 'title = "W"', "= between"),
    ("grizzly", 'grizzly = "grizzly"', "needs a value"),
    ("- grizzly", 'grizzly = "grizzly"', "needs a value"),
    ("[classes", "[classes]", "] behind"),
    ("[classes.black bear]", '[classes."black bear"]', "in quotes"),
    ("[classes.Bär]", '[classes."Bär"]', "in quotes"),
    ("[]", "", "empty"),
    ("// mine", "# mine", "begins with #"),
    ("; mine", "# mine", "begins with #"),
    ("classes = {", "", "[classes]"),
    ("title\u00a0= \"W\"", 'title = "W"', "nobody sees"),
    ('title = "W"\u200b', 'title = "W"', "nobody sees"),
]  # fmt: skip


def read(tmp_path: Path, data: bytes) -> str:
    (tmp_path / "mine.toml").write_bytes(data)
    with pytest.raises(UsageError) as caught:
        load_recipe(tmp_path / "mine.toml")
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(("line", "right", "words"), LINES)
@pytest.mark.parametrize("above", ["", 'name = "w"\n# photos\n\n'])
def test_a_line_that_is_no_toml_is_named_with_what_to_write(
    tmp_path: Path, line: str, right: str, words: str, above: str
) -> None:
    told = read(tmp_path, f"{above}{line}\n".encode())
    number = above.count("\n") + 1
    assert told.startswith(f"mine.toml is not valid TOML, line {number}: ")
    assert words in told
    if right:
        assert told.endswith(f"; write: {right}.")
        tomllib.loads(right)
    else:
        assert "write: " not in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title = "a"\ntitle = "b"\n', "line 2: title stands twice, first on line 1"),
        ("[classes]\na = 1\n[classes]\n", "line 3: [classes] stands twice, first on line 1"),
        ("[classes]\na = 1\nb = 2\na = 3\n", "line 4: a stands twice, first on line 2"),
        ('a = ["x",\n"y"\nb = 1\n', "line 1: the ] that ends a list is missing"),
        ('{"name": "w", "classes": {}}', "it is JSON"),
        ("<!doctype html><p>", "it is a web page"),
        ("{\\rtf1 name}", "another program"),
        ("PK\x03\x04 docx", "another program"),
        ("a = \0", "another program"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ('"' * 3, "not valid TOML"),
    ],
)
def test_a_text_of_another_kind_is_called_by_its_name(tmp_path: Path, text: str, words: str) -> None:
    assert words in read(tmp_path, text.encode())


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_recipe_of_any_editor_is_read(tmp_path: Path, ends: str, encoding: str) -> None:
    text = ends.join(['name = "w"', 'title = "Bär"', "[classes]", '"Bär" = "x"', 'b = "y"', ""])
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    (tmp_path / "mine.toml").write_bytes(f"{mark}{text}".encode(encoding))
    assert [plan.label for plan in load_recipe(tmp_path / "mine.toml").classes] == ["Bär", "b"]


def test_a_text_in_an_old_encoding_is_refused_by_its_line(tmp_path: Path) -> None:
    assert "line 2" in read(tmp_path, 'name = "w"\ntitle = "Bär"\n'.encode("cp1252"))


def test_a_path_that_became_a_tab_is_told_as_a_path(tmp_path: Path) -> None:
    told = read(tmp_path, b'name = "w"\ntitle = "W"\n[folder]\npath = "C:\\temp"\n')
    assert "line 4: folder.path" in told
    assert "single quotes" in told
