"""Which class the name of a file says."""

from __future__ import annotations

import unicodedata

import pytest

from fastclf.collect import bounded_pattern
from fastclf.collect.labelling import LabelRule, is_class_name
from fastclf.errors import UsageError

FOLDER = LabelRule()
PETS = LabelRule(by="case", upper="cat", lower="dog")
BREEDS = LabelRule(by="pattern", pattern=r"^(.+)_\d+\.jpg$")
EITHER = LabelRule(by="pattern", pattern=r"^(?:(cat)|dog)_")
PUG = LabelRule(by="pattern", pattern="(pug)")
RENAMED = LabelRule(by="pattern", pattern=r"^(.+)_\d+", names={"Abyssinian": "cat", "pug": " dog "})
APART = unicodedata.normalize("NFD", "Zürich")


@pytest.mark.parametrize(
    ("rule", "name", "label"),
    [
        # the folder above a file
        (FOLDER, "photos/black bear/1.jpg", "black bear"), (FOLDER, "cat/1.jpg", "cat"),
        (FOLDER, "a/b/c/ teddy /1.jpg", "teddy"), (FOLDER, "1.jpg", None), (FOLDER, "/1.jpg", None),
        (FOLDER, "../1.jpg", None), (FOLDER, ".hidden/1.jpg", None), (FOLDER, "caf\ufffd/1.jpg", None),
        # the case of the first letter
        (PETS, "images/Abyssinian_1.jpg", "cat"), (PETS, "images/pug_1.jpg", "dog"),
        (PETS, "Images/pug_1.JPG", "dog"), (PETS, "2_Bombay.jpg", "cat"), (PETS, "Ägyptisch_1.jpg", "cat"),
        (PETS, "123.jpg", None), (PETS, "123.JPG", None), (PETS, "猫.jpg", None),
        # a pattern in the file's name alone
        (BREEDS, "images/great_pyrenees_173.jpg", "great_pyrenees"), (BREEDS, "images_1.jpg/pug_7.jpg", "pug"),
        (BREEDS, "images/pug.jpg", None), (BREEDS, "pug_1.jpg/7.jpg", None), (BREEDS, "images/.._1.jpg", None),
        # whose group took no part, and in no very long name
        (EITHER, "cat_1.jpg", "cat"), (EITHER, "dog_1.jpg", None), (BREEDS, "x" * 480 + "pug_7.jpg", None),
        (PUG, "x" * 489 + "pug_7.jpg", "pug"), (PUG, "x" * 492 + "pug_7.jpg", None),
        # other names for some, or for what could not be a folder
        (RENAMED, "Abyssinian_1.jpg", "cat"), (RENAMED, "pug_1.jpg", "dog"), (RENAMED, "Bombay_1.jpg", "Bombay"),
        (LabelRule(names={"cat?": "maybe a cat"}), "cat?/1.jpg", "maybe a cat"),
        # both spellings of an umlaut are one class
        (FOLDER, f"{APART}/1.jpg", "Zürich"), (FOLDER, "Zürich/1.jpg", "Zürich"),
        (LabelRule(names={APART: "town"}), "Zürich/1.jpg", "town"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_says_its_class_by_the_rule(rule: LabelRule, name: str, label: str | None) -> None:
    assert rule.find_label(name) == label


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
    with pytest.raises(UsageError) as e:
        LabelRule(**options)
    assert all(word in str(e.value) for word in words), str(e.value)


def test_a_rule_keeps_its_names_and_can_be_a_key() -> None:
    names = {"pug": "dog"}
    rule = LabelRule(names=names)
    names["pug"] = "cat"
    assert rule.find_label("pug/1.jpg") == "dog"
    assert {rule: 1}[LabelRule(names={"pug": "dog"})] == 1


@pytest.mark.parametrize(
    "text", ["cat", "black bear", "Zürich", "猫", "猫" * 85, "x" * 100, "a.b", "con-fusion", "St. Bernard"]
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


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(a|a)*$", "(a?){30}a{30}", "(.*).*.*.*.*x", "((a*)*)*b", "(?:(a|aa)+)+b", "(?=(a+)+)b(c)",
        "(a{1,200}){200}", "(?:a?b?)*(c)",
    ],
)  # fmt: skip
def test_a_pattern_that_could_run_for_ever_is_refused_before_it_runs(pattern: str) -> None:
    with pytest.raises(UsageError, match="far too long"):
        LabelRule(by="pattern", pattern=pattern)


def test_all_names_together_take_a_pattern_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_pattern, "_MOST_SECONDS", 0.0)
    rule = LabelRule(by="pattern", pattern="^(.+)_of_nobody_else")
    with pytest.raises(UsageError, match="far too long"):
        rule.find_label("pug_7.jpg")
