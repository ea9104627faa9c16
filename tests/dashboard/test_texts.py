"""Every word on the page is in the catalogue, in every language; sentences of other rooms are matched."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastclf.dashboard import texts
from fastclf.dashboard.texts import (
    LANGUAGES,
    find_script_texts,
    join_phrases,
    language,
    load_areas,
    load_catalogue,
    phrase,
    phrase_count,
    say,
    say_count,
    show,
    translate,
)
from fastclf.errors import UnreadablePhotoError
from fastclf.photos.decode import FORMATS
from fastclf.photos.unknown import describe_unknown

UI = Path(texts.__file__).parent
# what takes a text: how many arguments stand before it, and how many texts there are
CALLS = {"say": (0, 1), "phrase": (0, 1), "say_count": (1, 2), "phrase_count": (1, 2)}
# sentences of other rooms, and of the page's frame, which no call of ours says
FOREIGN_AREAS = {"issues", "reasons", "page", "card"}
FIELD = re.compile(r"\{(\w+)\}")
SOURCES = sorted(p for p in UI.rglob("*.py") if p.name != "texts.py")
SCRIPTS = sorted(p for p in UI.rglob("*.js") if p.name != "common.js")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    language.code = "en"


def find_calls(source: str) -> Iterator[tuple[int, str | None]]:
    """Yield (line, text) of what a module says; None where the text is no literal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            first, n = CALLS[node.func.id]
            for argument in node.args[first : first + n]:
                is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                yield node.lineno, argument.value if is_text else None


def find_unreadable_calls(script: str) -> list[str]:
    """Return the calls of t and tn in a script whose text is no literal in double quotes."""
    code = re.sub(r"//[^\n]*", "", script)
    single = re.findall(r"(?<![\w.$])(?:this\.)?t\(\s*(?!\")[^)\n]*", code)
    pair = re.compile(r'tn\(\s*[^"\n]+?,\s*"(?:[^"\\]|\\.)*",\s*"')
    several = [
        code[m.start() :][:60]
        for m in re.finditer(r"(?<![\w$])tn\(", code)
        if not pair.match(code, m.start())
    ]
    return [*single, *several]


def says_words(text: str) -> bool:
    """Tell whether there is a letter beside the fields."""
    return any(c.isalpha() for c in FIELD.sub("", text))


def find_used() -> set[str]:
    said = {text for file in SOURCES for _, text in find_calls(file.read_text(encoding="utf-8")) if text}
    return said | {t for file in SCRIPTS for t in find_script_texts(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("file", SOURCES, ids=lambda p: p.relative_to(UI).as_posix())
def test_all_that_a_module_says_is_in_the_catalogue(file: Path) -> None:
    said = list(find_calls(file.read_text(encoding="utf-8")))
    assert [line for line, text in said if text is None] == [], "a text is no literal"
    catalogue = load_catalogue()
    assert [text for _, text in said if text and says_words(text) and text not in catalogue] == []


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda p: p.relative_to(UI).as_posix())
def test_all_that_a_script_says_is_in_the_catalogue(file: Path) -> None:
    script = file.read_text(encoding="utf-8")
    assert find_unreadable_calls(script) == []
    catalogue = load_catalogue()
    assert [t for t in find_script_texts(script) if says_words(t) and t not in catalogue] == []


@pytest.mark.parametrize("area", load_areas())
def test_an_area_has_every_language_with_the_same_fields(area: str) -> None:
    for text, found in load_areas()[area].items():
        assert set(found) == set(LANGUAGES) - {"en"}, text
        for code, said in found.items():
            assert said.strip(), (text, code)
            # a number may be left out where the language says it in a word ("1 photo")
            assert sorted(FIELD.findall(said)) == sorted(FIELD.findall(text)), (text, code)


@pytest.mark.parametrize("area", [a for a in load_areas() if a not in FOREIGN_AREAS])
def test_no_text_of_an_area_is_unused(area: str) -> None:
    assert set(load_areas()[area]) - find_used() == set()


def test_a_text_stands_in_the_catalogue_once() -> None:
    def refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
        return dict(pairs)

    json.loads((UI / "texts.json").read_text(encoding="utf-8"), object_pairs_hook=refuse_twice)
    # in two areas it may stand where both say the same
    said: dict[str, dict[str, str]] = {}
    for texts_of_area in load_areas().values():
        for text, found in texts_of_area.items():
            assert said.setdefault(text, found) == found, text


def test_the_search_for_texts_finds_what_cannot_be_found_in_the_catalogue() -> None:
    python = 'say("a", n=1)\nsay(b)\nsay_count(n, "one", f"{n}")\nphrase("c {x}", x=say("d"))'
    assert list(find_calls(python)) == [(1, "a"), (2, None), (3, "one"), (3, None), (4, "c {x}"), (4, "d")]
    script = 't("a"); this.t(name); tn(n, "b", "c"); tn(n, one, "d"); start(x); el.at(0); t(`x`);'
    found = [call.strip() for call in find_unreadable_calls(script)]
    assert found == ["this.t(name", "t(`x`", 'tn(n, one, "d"); start(x); el.at(0); t(`x`);']


def test_a_phrase_is_english_and_says_itself_in_any_language() -> None:
    language.code = "es"
    words = phrase(
        "Undone: {step}", step=phrase("{who} {fate}.", who="red.jpg", fate=phrase("will come back"))
    )
    assert words == "Undone: red.jpg will come back."
    assert "red.jpg" in translate(words)
    assert translate(words) != words
    language.code = "en"
    assert translate(words) == "Undone: red.jpg will come back."


def test_names_and_labels_are_never_translated() -> None:
    language.code = "es"
    assert translate("dark") != "dark"
    # a class may be called like a word of ours
    assert "dark" in translate(phrase("will become {label}", label="dark"))
    assert "dark" in translate("dark is empty (0 bytes); it was probably not fully saved or downloaded.")
    assert show("dark") == "dark"
    assert show(phrase("dark")) != "dark"


def test_braces_in_a_value_stay_as_they_are() -> None:
    language.code = "es"
    assert "{label}{n}" in translate(phrase("will become {label}", label="{label}{n}"))
    assert "{clause}.jpg" in translate("{clause}.jpg does not exist.")


def test_numbers_are_grouped_and_counted() -> None:
    assert say_count(1, "1 photo", "{n} photos") == "1 photo"
    assert phrase_count(12000, "1 photo", "{n} photos") == "12,000 photos"
    language.code = "es"
    assert say("{n} photos", n=1200) == "1,200 fotos"


def test_an_error_about_a_file_is_translated_whatever_the_file_is_called() -> None:
    clause = describe_unknown(b"<html>", FORMATS)
    for code in ("es", "ar"):
        language.code = code
        said = translate(clause)
        assert said != clause
        for name in ("a.jpg", "my photo of 1.jpg", "is not a photo.jpg"):
            sentence = str(UnreadablePhotoError(name, clause))
            assert name in translate(sentence)
            assert said in translate(sentence)
            assert "is a web page" not in translate(sentence)


def test_several_sentences_are_translated_each() -> None:
    language.code = "es"
    note = "New classes: cat, dog. Something that no catalogue knows. There are no photos."
    said = translate(note)
    assert "New classes" not in said
    assert "Something that no catalogue knows." in said
    assert "There are no photos" not in said
    joined = join_phrases([phrase("Undo"), "There are no photos."])
    assert joined == "Undo There are no photos."
    assert "There are no photos" not in translate(joined)


def test_what_the_catalogue_does_not_know_stays_english() -> None:
    language.code = "ar"
    for sentence in ("A sentence of nobody.", "the model says blue (0)", "red, 97 %", "a (b, c)."):
        assert translate(sentence) == sentence
    assert translate("") == ""


def test_a_name_in_a_right_to_left_sentence_stands_by_itself() -> None:
    language.code = "ar"
    assert "\u2068a (1).jpg\u2069" in translate(phrase("Select {name}", name="a (1).jpg"))
    assert "\u2068" not in say("{n} photos", n=3)
    language.code = "en"
    assert "\u2068" not in translate(phrase("Select {name}", name="a.jpg"))
