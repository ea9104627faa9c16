"""Which class the name of a file says."""

from __future__ import annotations

import unicodedata

import pytest

from fastclf.collect.labelling import LabelRule, is_class_name
from fastclf.errors import UsageProblem

PETS = LabelRule(by="case", upper="cat", lower="dog")
BREEDS = LabelRule(by="pattern", pattern=r"^(.+)_\d+\.jpg$")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("photos/black bear/1.jpg", "black bear"),
        ("cat/1.jpg", "cat"),
        ("a/b/c/ teddy /1.jpg", "teddy"),
        ("1.jpg", None),
        ("/1.jpg", None),
        ("../1.jpg", None),
        (".hidden/1.jpg", None),
        ("caf\ufffd/1.jpg", None),
    ],
)
def test_the_folder_above_a_file_is_its_label(name: str, label: str | None) -> None:
    assert LabelRule().find_label(name) == label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("images/Abyssinian_1.jpg", "cat"),
        ("images/pug_1.jpg", "dog"),
        ("Images/pug_1.JPG", "dog"),
        ("2_Bombay.jpg", "cat"),
        ("Ägyptisch_1.jpg", "cat"),
        ("123.jpg", None),
        ("123.JPG", None),
        ("猫.jpg", None),
    ],
)
def test_the_case_of_the_first_letter_tells_cats_from_dogs(name: str, label: str | None) -> None:
    assert PETS.find_label(name) == label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("images/great_pyrenees_173.jpg", "great_pyrenees"),
        ("images_1.jpg/pug_7.jpg", "pug"),
        ("images/pug.jpg", None),
        ("pug_1.jpg/7.jpg", None),
        ("images/.._1.jpg", None),
    ],
)
def test_a_pattern_sees_the_files_name_alone(name: str, label: str | None) -> None:
    assert BREEDS.find_label(name) == label


def test_a_group_that_took_no_part_says_no_label() -> None:
    rule = LabelRule(by="pattern", pattern=r"^(?:(cat)|dog)_")
    assert rule.find_label("cat_1.jpg") == "cat"
    assert rule.find_label("dog_1.jpg") is None


def test_names_rename_some_labels_and_leave_the_others() -> None:
    rule = LabelRule(by="pattern", pattern=r"^(.+)_\d+", names={"Abyssinian": "cat", "pug": " dog "})
    assert rule.find_label("Abyssinian_1.jpg") == "cat"
    assert rule.find_label("pug_1.jpg") == "dog"
    assert rule.find_label("Bombay_1.jpg") == "Bombay"


def test_names_can_rename_what_could_not_be_a_folder() -> None:
    assert LabelRule(names={"cat?": "maybe a cat"}).find_label("cat?/1.jpg") == "maybe a cat"


def test_both_spellings_of_an_umlaut_are_one_class() -> None:
    apart = unicodedata.normalize("NFD", "Zürich")
    assert LabelRule().find_label(f"{apart}/1.jpg") == LabelRule().find_label("Zürich/1.jpg") == "Zürich"
    assert LabelRule(names={apart: "town"}).find_label("Zürich/1.jpg") == "town"


def test_a_very_long_name_is_not_searched() -> None:
    assert BREEDS.find_label("x" * 480 + "pug_7.jpg") is None
    assert LabelRule(by="pattern", pattern="(pug)").find_label("x" * 489 + "pug_7.jpg") == "pug"
    assert LabelRule(by="pattern", pattern="(pug)").find_label("x" * 492 + "pug_7.jpg") is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "size"}, ["by is 'size'", "folder, case, pattern"]),
        ({"by": "case", "upper": "cat"}, ["lower is ''"]),
        ({"by": "case", "upper": "../cat", "lower": "dog"}, ["upper is '../cat'", "name of a folder"]),
        ({"by": "pattern"}, ["pattern is ''", "no group"]),
        ({"by": "pattern", "pattern": "("}, ["pattern is '('", "no regular expression (missing )"]),
        ({"by": "pattern", "pattern": "a{99999999999999999999}(b)"}, ["pattern is", "no regular expression"]),
        ({"by": "pattern", "pattern": r"^.+_\d+"}, ["no group", "round brackets"]),
        ({"names": {"pug": "a/b"}}, ["names.pug is 'a/b'"]),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_its_key(options: dict, words: list[str]) -> None:
    with pytest.raises(UsageProblem) as e:
        LabelRule(**options)
    assert all(word in str(e.value) for word in words), str(e.value)


def test_a_rule_keeps_its_names_and_can_be_a_key() -> None:
    names = {"pug": "dog"}
    rule = LabelRule(names=names)
    names["pug"] = "cat"
    assert rule.find_label("pug/1.jpg") == "dog"
    assert {rule: 1}[LabelRule(names={"pug": "dog"})] == 1


@pytest.mark.parametrize(
    "text", ["cat", "black bear", "Zürich", "猫", "x" * 100, "a.b", "con-fusion", "St. Bernard"]
)
def test_such_a_text_can_be_a_class_folder(text: str, tmp_path) -> None:
    assert is_class_name(text)
    (tmp_path / text).mkdir()


@pytest.mark.parametrize(
    "text",
    ["", " ", " cat", "cat ", ".", "..", ".cat", "cat.", "a/b", "a\\b", "a\nb", "a\0b", "a\x7fb", "a\u2028b",
     "a<b", "a>b", "a:b", 'a"b', "a|b", "a?", "a*", "\udcff", "a\ufffd", "x" * 101, "猫" * 90, "con", "NUL.x"],
)  # fmt: skip
def test_such_a_text_cannot_be_a_class_folder(text: str) -> None:
    assert not is_class_name(text)
