"""Recipes: those that come with fastclf, a maker's own, and faults named with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.collect import list_recipes, load_recipe
from fastclf.collect.recipes import parse_recipe
from fastclf.collect.recipes.recipe_file import find_line
from fastclf.errors import UsageError

SAMPLE = 'name = "n"\ntitle = "t"\nsample = "digits"\n'
SEARCH = 'name = "n"\ntitle = "t"\n[classes]\na = "ant"\nb = { search = ["bee", "wasp"], photos = 7 }\n'
ARCHIVE = (
    'name = "n"\ntitle = "t"\n[archive]\nurl = "https://a.example/a.zip"\n[archive.label]\nby = "folder"\n'
)


def test_the_four_systems_of_the_course_are_there() -> None:
    assert list_recipes() == ["bears", "birds", "digits", "pets"]
    recipes = {name: load_recipe(name) for name in list_recipes()}
    assert [recipe.name for recipe in recipes.values()] == list_recipes()
    bears, birds, pets = recipes["bears"], recipes["birds"], recipes["pets"]
    assert [c.label for c in bears.classes] == ["grizzly", "black", "teddy"]
    assert bears.train == {"augment": "symmetric"}
    assert birds.train == pets.train == {}
    assert pets.archive
    assert len(pets.archive.sha256) == 64
    names = ("images/Abyssinian_1.jpg", "images/beagle_1.jpg", "images/Egyptian_Mau_9.jpg")
    assert [pets.archive.rule.find_label(name) for name in names] == ["cat", "dog", "cat"]
    assert recipes["digits"].sample == "digits"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = \nx = 1", r"mine\.toml is not valid TOML.*line 1"),
        (SAMPLE + "flavour = 1", r"mine\.toml, line 4: flavour is unknown; known are name, title"),
        (SAMPLE + "[train]\nsizes = 1", r"line 5: train\.sizes is unknown"),
        (SAMPLE + '[train]\nsize = "big"', r"line 5: train\.size is 'big'; it must be a whole number"),
        (SAMPLE + "[train]\nsize = true", r"train\.size is True"),
        (SAMPLE + "[collect]\n\n# so\nlargest_side = 9", r"line 7: collect\.largest_side is 9; it can be 32"),
        ('name = "n"\ntitle = "t"', "says nothing of where photos come from"),
        (SAMPLE + "[classes]\na = 'x'\nb = 'y'", r"has sample and classes; it takes one of"),
        ('title = "t"\nsample = "digits"', "lacks the key 'name'"),
        (SAMPLE.replace('"n"', '"../n"'), r"line 1: name is '\.\./n'"),
        (SAMPLE.replace("digits", "letters"), r"line 3: sample is 'letters'; it can be digits"),
        (SEARCH + '"c/d" = "x"', r"line 6: classes\.c/d cannot be the name of a folder"),
        (SEARCH + "c = {}", r"line 6: classes\.c says neither what to search for"),
        (SEARCH + "c = 3", r"line 6: classes\.c\.search is 3; it must be a text or a list"),
        (SEARCH + "c = ['x', 3]", r"classes\.c\.search is \['x', 3\]"),
        (SEARCH + "c = { urls = 'no.txt' }", r"classes\.c\.urls names no\.txt, and there is no such file"),
        (SEARCH + "c = { search = 'x', photos = 0 }", r"classes\.c\.photos is 0; it can be 1 to 100,000"),
        (SEARCH + "c = { search = 'x', words = 'y' }", r"classes\.c\.words is unknown"),
        (SEARCH + '[collect]\nservices = "askjeeves"', r"line 7: collect\.services names 'askjeeves'; known are"),
        (SEARCH + '[collect]\nvariations = "photo"', r"collect\.variations holds 'photo'"),
        (SEARCH.replace('b = { search = ["bee", "wasp"], photos = 7 }\n', ""), r"classes\.a is the only class"),
        (ARCHIVE.replace("url", "link"), r"line 4: archive\.link is unknown"),
        (ARCHIVE.replace('url = "https://a.example/a.zip"', ""), r"line 3: archive lacks the key 'url'"),
        (ARCHIVE.replace("[archive.label]", "sha256 = 'abc'\n[archive.label]"), r"line 5: archive\.sha256 is no"),
        (ARCHIVE.replace('"folder"', '"colour"'), r"line 5: archive\.label is wrong: by is 'colour'; it can be"),
        (ARCHIVE.replace('"folder"', '"pattern"\npattern = "("'), r"archive\.label is wrong: pattern is '\('"),
        (SEARCH + 'A = "x"', r"line 6: classes\.A and a would be one folder on many disks"),
        (SEARCH + "[collect]\nservices = []", r"collect\.services is empty"),
        (SEARCH + "[train]\nlr = nan", r"train\.lr is nan; it must be a finite number"),
        (SEARCH.replace('"ant"', '"a\\u0000b"'), "none of them empty|cannot be printed"),
        (SEARCH + "c = { urls = '~nosuchuser/x.txt' }", "there is no such file"),
        ("a = " + "[" * 5000, "not valid TOML"),
    ],
)  # fmt: skip
def test_a_recipe_with_a_fault_is_refused_with_file_line_and_key(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_recipe(text, "mine.toml")


def test_a_recipe_says_what_it_means(tmp_path: Path) -> None:
    (tmp_path / "bees.txt").write_text("https://b.example/1.jpg\n")
    file = tmp_path / "mine.toml"
    file.write_text(SEARCH.replace("photos = 7", 'photos = 7, urls = "bees.txt"'))
    recipe = load_recipe(str(file))
    ant, bee = recipe.classes
    assert (ant.label, ant.terms, ant.photos) == ("a", ("ant",), None)
    assert (bee.terms, bee.photos, Path(bee.urls)) == (("bee", "wasp"), 7, tmp_path / "bees.txt")
    assert recipe.base == tmp_path
    assert recipe.options.photos_per_class == 150


def test_a_recipe_may_be_said_in_other_languages() -> None:
    text = SEARCH + '[es]\ntitle = "Insectos"\nclasses = { a = "hormiga" }\n'
    recipe = parse_recipe(text, "mine.toml")
    assert recipe.translations == {"es": {"title": "Insectos", "classes": {"a": "hormiga"}}}
    assert [c.label for c in recipe.classes] == ["a", "b"]
    for wrong, words in (
        ('[es]\nname = "x"', r"line 7: es\.name is unknown"),
        ("[es.classes]\na = 1", r"es\.classes\.a is 1; it must be a text"),
    ):
        with pytest.raises(UsageError, match=words):
            parse_recipe(SEARCH + wrong, "mine.toml")


def test_an_unknown_recipe_lists_the_known_ones_and_the_way_to_ones_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bears, birds, digits, pets.*recipes new"):
        load_recipe("unicorns")
    with pytest.raises(UsageError, match=r"unicorns\.toml cannot be read"):
        load_recipe(tmp_path / "unicorns.toml")
    (tmp_path / "odd.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UsageError, match="UTF-8"):
        load_recipe(tmp_path / "odd.toml")


def test_lines_are_found_wherever_toml_lets_a_key_stand() -> None:
    text = 'a = 1\n[t]\n"b c" = 2\n[t.u]\nd.e = 3\n[[x]]\nf = 4\n'
    keys = {("a",): 1, ("t", "b c"): 3, ("t", "u", "d", "e"): 5, ("x", "f"): 7, ("t", "missing"): 2}
    assert {key: find_line(text, key) for key in keys} == keys
    assert find_line(text, ("nowhere",)) is None
