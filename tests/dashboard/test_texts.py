"""Every word on the page is in the catalogue, in every language, and so is what the rooms below may say to it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import fastclf
from fastclf import Catalog, ModelBundle
from fastclf.collect import fetch_photo
from fastclf.dashboard.texts import (
    LANGUAGES,
    RIGHT_TO_LEFT,
    find_script_texts,
    language,
    load_areas,
    load_catalogue,
    name_class,
    say,
    say_count,
    show,
    translate,
    write_count,
)  # fmt: skip
from fastclf.errors import (
    CheckError,
    FastclfError,
    Message,
    UnreadablePhotoError,
    count_message,
    join_messages,
)  # fmt: skip
from fastclf.inbox import Inbox
from fastclf.photos import decode_photo, find_photo_files
from fastclf.system import run_child

PACKAGE = Path(fastclf.__file__).parent
UI = PACKAGE / "dashboard"
# what takes a text: how many arguments stand before it, and how many texts there are
CALLS = {
    **dict.fromkeys(("say", "Message"), (0, 1)),
    **dict.fromkeys(("say_count", "count_message"), (1, 2)),
}
# what else begins with a text; a UsageError and an ExportError are said in the shell, and who stops something
# is not told so
ERRORS = {c.__name__ for c in FastclfError.__subclasses__()} - {"UsageError", "StoppedError", "ExportError"}
RAISED = {**dict.fromkeys((*ERRORS, "FetchError", "_RefusedError"), (0, 1)), "UnreadablePhotoError": (1, 1)}
BLOCKS = dict.fromkeys(("Text", "Section", "Chart", "Table"), (0, 1))
FIELD = re.compile(r"\{[^{}]*\}")
SOURCES = sorted(p for p in UI.rglob("*.py") if p.name != "texts.py")
SCRIPTS = sorted(p for p in UI.rglob("*.js") if p.name != "common.js" and p.parent.name != "static")
# what a page without a server runs
SITE = sorted((PACKAGE.parent / "page" / "src" / "site").rglob("*.js"))
# the rooms whose sentences reach the page
BELOW = ["card", "catalog", "check", "collect/web", "inbox", "issues", "model", "photos", "head", "system"]
ROOMS = sorted(
    {PACKAGE / "collect/one_photo.py", *(file for room in BELOW for file in (PACKAGE / room).rglob("*.py"))}
    # which a command alone calls
    - {PACKAGE / "head/training.py", PACKAGE / "model/verify.py"}
)


def find_calls(
    source: str, more: Mapping[str, tuple[int, int]] | None = None
) -> Iterator[tuple[int, str | None]]:
    """Yield (line, text) of what a module says, also by `more` calls; None where the text is no literal."""
    calls = {**CALLS, **(more or {})}
    for name, call in list_calls(source):
        first, n = calls.get(name, (0, 0))
        for argument in call.args[first : first + n]:
            is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            yield call.lineno, argument.value if is_text else None


@cache
def list_calls(source: str) -> list[tuple[str, ast.Call]]:
    """Return (name, call) of every call of a module by a plain name."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [(call.func.id, call) for call in calls if isinstance(call.func, ast.Name)]


def find_constants(source: str) -> set[str]:
    """Return every text that stands in a module as a literal."""
    nodes = ast.walk(ast.parse(source))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def find_script_constants(script: str) -> set[str]:
    """Return every text in double quotes of a script."""
    return {json.loads(text) for text in re.findall(r'"(?:[^"\\\n]|\\.)*"', script) if "\\'" not in text}


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


def find_unknown(said: Iterable[tuple[int, str | None]]) -> list[str]:
    """Return the texts that the catalogue does not have."""
    catalogue = load_catalogue()
    return [text for _, text in said if text and says_words(text) and text not in catalogue]


@pytest.mark.parametrize("file", SOURCES, ids=lambda p: p.relative_to(UI).as_posix())
def test_all_that_a_module_says_is_in_the_catalogue(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert [line for line, text in find_calls(source) if text is None] == [], "a text is no literal"
    assert find_unknown(find_calls(source, RAISED)) == []


@pytest.mark.parametrize("file", ROOMS, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_what_a_room_below_may_say_to_the_page_is_in_the_catalogue(file: Path) -> None:
    assert find_unknown(find_calls(file.read_text(encoding="utf-8"), RAISED | BLOCKS)) == []


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda p: p.relative_to(UI).as_posix())
def test_all_that_a_script_says_is_in_the_catalogue(file: Path) -> None:
    script = file.read_text(encoding="utf-8")
    assert find_unreadable_calls(script) == []
    catalogue = load_catalogue()
    assert [t for t in find_script_texts(script) if says_words(t) and t not in catalogue] == []


def find_site_texts(script: str) -> set[str]:
    """Return what a script of a page without a server says, and the sentences of what it throws."""
    thrown = re.findall(r'(?:\bnew Fault\(|\btext: |\bconst DAMAGED = )\s*("(?:[^"\\\n]|\\.)+")', script)
    return {*find_script_texts(script), *map(json.loads, thrown)}


@pytest.mark.parametrize("file", SITE, ids=lambda p: p.name)
def test_all_that_a_page_without_a_server_says_is_in_the_catalogue(file: Path) -> None:
    script = file.read_text(encoding="utf-8")
    # words.js defines t and tn
    assert file.name == "words.js" or find_unreadable_calls(script) == []
    # asked for a class that the page itself has named
    never = {"The model has no class {label!r}; it knows {vocab}."}
    unknown = {t for t in find_site_texts(script) if says_words(t)} - set(load_catalogue())
    assert unknown <= never


@pytest.mark.parametrize("area", load_areas())
def test_an_area_has_every_language_with_the_same_fields(area: str) -> None:
    for text, found in load_areas()[area].items():
        assert set(found) == set(LANGUAGES) - {"en"}, text
        for code, said in found.items():
            assert said.strip(), (text, code)
            # names and formats, both
            assert sorted(FIELD.findall(said)) == sorted(FIELD.findall(text)), (text, code)


@pytest.mark.slow
def test_no_text_of_the_catalogue_is_unused() -> None:
    used = {text for file in SCRIPTS for text in find_script_texts(file.read_text(encoding="utf-8"))}
    for file in PACKAGE.rglob("*.py"):
        used |= find_constants(file.read_text(encoding="utf-8"))
    for file in SITE:
        used |= find_script_constants(file.read_text(encoding="utf-8"))
    areas = load_areas()
    # the page's frame, which is made outside of the package
    frame = areas["page"]
    assert {text for area in areas.values() for text in area if text not in frame} - used == set()


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
    python = 'say("a", n=1)\nsay(b)\nsay_count(n, "one", f"{n}")\nMessage("c {x}", x=say("d"))\nE("e")'
    found = [(1, "a"), (2, None), (3, "one"), (3, None), (4, "c {x}")]
    assert list(find_calls(python, {"E": (0, 1)})) == [*found, (5, "e"), (4, "d")]
    script = 't("a"); this.t(name); tn(n, "b", "c"); tn(n, one, "d"); start(x); el.at(0); t(`x`);'
    found = [call.strip() for call in find_unreadable_calls(script)]
    assert found == ["this.t(name", "t(`x`", 'tn(n, one, "d"); start(x); el.at(0); t(`x`);']


def test_a_message_is_english_and_is_said_in_any_language() -> None:
    language.code = "es"
    words = Message(
        "Undone: {step}", step=Message("{who} {fate}.", who="red.jpg", fate=Message("will come back"))
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
    assert "dark" in translate(Message("will become {label}", label="dark"))
    assert show("dark") == "dark"
    assert show(Message("dark")) != "dark"


@pytest.mark.parametrize("name", ["{label}{n}", "{0}", "{", "<b>bold</b>", "50 % = {x!r:9}", "\\1 \\g<0>"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_whatever_a_field_holds_stays_as_it_is(name: str, code: str) -> None:
    language.code = code
    assert name in translate(Message("will become {label}", label=name))
    assert name in translate(UnreadablePhotoError(name, "does not exist").message)
    assert translate(Message(name)) == name


def test_a_class_in_a_sentence_is_called_as_the_page_calls_it_once_and_nothing_else_is() -> None:
    language.maker = {"es": {"classes": {"crisps": "chips", "chips": "fries"}}, "en": {"classes": {"a": "b"}}}
    language.code = "es"
    assert translate(Message("will become {label}", label="crisps")) == "pasará a chips"
    # a name that was looked up already is no other class
    assert translate(Message("will become {label}", label=name_class("crisps"))) == "pasará a chips"
    renamed = Message(
        "{name} {outcome}.", name="crisps", outcome=Message("will become {label}", label="chips")
    )
    assert "fries" in translate(renamed)
    assert "crisps" in translate(renamed)
    assert renamed == "crisps will become chips."
    language.code = "en"
    assert translate(Message("will become {label}", label="a")) == "will become b"


def test_numbers_are_grouped_and_counted() -> None:
    assert say_count(1, "1 photo", "{n} photos") == "1 photo"
    assert count_message(12000, "1 photo", "{n} photos") == "12,000 photos"
    language.code = "es"
    # a comma would be a decimal one, and numbers of four digits stand together
    assert [say("{n} photos", n=n) for n in (1200, 12000)] == ["1200 fotos", "12\u202f000 fotos"]
    assert [write_count(n) for n in (1200, 1234567)] == ["1200", "1\u202f234\u202f567"]
    assert say("{least:.1f} MB", least=1234.5) == "1234.5 MB"
    language.code = "ar"
    assert write_count(1200) == "1,200"
    language.code = "es"
    assert translate(Message("names port {port:d}; only 80 and 443 are fetched from", port=8080)).count(
        "8080"
    )


def fail_in_a_child() -> None:
    run_child("fastclf.nowhere", [], what="Retraining", error=CheckError, timeout=60)


def find_errors(folder: Path) -> dict[str, Callable[[], object]]:
    """Return what the rooms below may say to the page, by calls that fail."""
    return {
        "a photo that is none": lambda: decode_photo(b"<html>", "a {name} of 1.jpg"),
        "an empty photo": lambda: decode_photo(b"", "is not a photo.jpg"),
        "a photo too large": lambda: decode_photo(b"x" * 2_000_000, "a.jpg", max_bytes=2**20),
        "no folder": lambda: find_photo_files(folder / "none"),
        "no photos": lambda: find_photo_files(folder),
        "no model": lambda: ModelBundle.load(folder),
        "no catalog": lambda: Catalog(folder / "none"),
        "no inbox": lambda: Inbox(folder / "inbox").read_photo(7),
        "no address": lambda: fetch_photo("nonsense"),
        "an address at home": lambda: fetch_photo("http://127.0.0.1/a.jpg"),
        "a child process": fail_in_a_child,
    }


@pytest.mark.parametrize("name", find_errors(Path()))
def test_an_error_from_below_is_said_in_every_language(name: str, tmp_path: Path) -> None:
    with pytest.raises(FastclfError) as caught:
        find_errors(tmp_path)[name]()
    message, said = caught.value.message, set()
    assert str(caught.value) == message
    for code in LANGUAGES:
        language.code = code
        said.add(translate(message))
    assert len(said) == len(LANGUAGES)
    fields = [value for value in message.fields.values() if not isinstance(value, Message)]
    assert all(str(value) in words for value in fields for words in said)


def test_a_reason_that_was_stored_is_said_in_the_pages_language(tmp_path: Path) -> None:
    (tmp_path / "red").mkdir()
    for name, data in {"page.jpg": b"<html>", "empty.jpg": b""}.items():
        (tmp_path / "red" / name).write_bytes(data)
    with Catalog(tmp_path) as catalog:
        catalog.scan()
        reasons = {file.name: file.reason for file in catalog.unreadable()}
    assert reasons["red/page.jpg"].startswith("is a web page, not a photo; use JPEG")
    language.code = "es"
    assert translate(reasons["red/page.jpg"]).startswith("es una página web, no una foto; usa JPEG")
    assert translate(reasons["red/empty.jpg"]).startswith("está vacío")


def test_several_sentences_are_translated_each() -> None:
    language.code = "es"
    unknown = Message("Something that no catalogue knows.")
    classes = Message("New classes: {labels}.", labels="cat, dog")
    note = join_messages([classes, "", unknown, "There are no photos."])
    assert note == "New classes: cat, dog. Something that no catalogue knows. There are no photos."
    said = translate(note)
    assert "New classes" not in said
    assert "Something that no catalogue knows." in said
    assert "There are no photos" not in said


def test_what_the_catalogue_does_not_know_stays_english() -> None:
    language.code = "ar"
    for sentence in ("A sentence of nobody.", "the model says blue (0)", "red, 97 %", "a (b, c)."):
        assert translate(sentence) == sentence
    assert translate(Message("A sentence of nobody about {n} photos.", n=1200)) == (
        "A sentence of nobody about 1,200 photos."
    )
    assert translate("") == ""


def test_every_share_in_a_right_to_left_sentence_reads_alike() -> None:
    # a space parts the sign from its number, so both stand in a run of their own
    for text, found in load_catalogue().items():
        for code in RIGHT_TO_LEFT:
            alone = re.sub("\u2066[^\u2069]*\u2069", "", found.get(code, ""))
            assert not re.search(r"[\d}][ \u00a0]%", alone), text


def test_a_name_in_a_right_to_left_sentence_stands_by_itself() -> None:
    language.code = "ar"
    assert "\u2068a (1).jpg\u2069" in translate(Message("Select {name}", name="a (1).jpg"))
    assert "\u2068" not in say("{n} photos", n=3)
    language.code = "en"
    assert "\u2068" not in translate(Message("Select {name}", name="a.jpg"))
