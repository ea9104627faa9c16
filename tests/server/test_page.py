"""The page's sources: every word in every language, exact versions, and a bundle that knows its sources."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from fastclf.dashboard.texts import find_script_texts, load_catalogue
from fastclf.dashboard.widgets.scripted import read_shorter
from fastclf.photos import MAX_BYTES
from fastclf.server.limits import MOST_CONTENT

from ..builder import load_builder
from ..conftest import ROOT
from ..node import run_node

PAGE = ROOT / "page"


@pytest.fixture
def hook() -> ModuleType:
    return load_builder()


def test_every_word_of_the_page_is_in_the_catalogue() -> None:
    said = [t for p in (PAGE / "src").glob("*.js") for t in find_script_texts(p.read_text(encoding="utf-8"))]
    assert len(said) > 10
    assert set(said) <= set(load_catalogue())


def test_the_page_knows_the_languages_that_the_widgets_speak() -> None:
    words = (PAGE / "src" / "texts.js").read_text(encoding="utf-8")
    frame = (ROOT / "fastclf" / "dashboard" / "widgets" / "frame.js").read_text(encoding="utf-8")
    listed = re.compile(r"RIGHT_TO_LEFT = (\[.*?\])")
    assert listed.search(words)[1] == listed.search(frame)[1]


def test_page_and_servers_agree_that_a_message_is_one_photo() -> None:
    [most] = re.findall(r"MOST_BYTES = (.*);", (PAGE / "src" / "wire.js").read_text(encoding="utf-8"))
    assert most == "20 * 2 ** 20"
    assert MAX_BYTES == 20 * 2**20
    for file, section in (
        ("voila.json", "Voila"),
        ("fastclf/server/jupyter_server_config.json", "ServerApp"),
    ):
        settings = json.loads((ROOT / file).read_text())[section]["tornado_settings"]
        assert settings["websocket_max_message_size"] == MAX_BYTES + MOST_CONTENT


def test_the_packages_of_the_page_have_exact_versions_that_the_lock_file_holds() -> None:
    package = json.loads((PAGE / "package.json").read_text())
    lock = json.loads((PAGE / "package-lock.json").read_text())
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock["packages"][f"node_modules/{name}"]["version"] == version


def test_the_page_is_bundled_again_when_a_source_changes(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "checkout"
    shutil.copytree(PAGE, copy / "page", ignore=shutil.ignore_patterns("node_modules"))
    (copy / "fastclf" / "dashboard").mkdir(parents=True)
    shutil.copy(ROOT / "fastclf" / "dashboard" / "texts.json", copy / "fastclf" / "dashboard")
    static = copy / "static"
    static.mkdir()
    places = {
        "ROOT": copy,
        "PAGE": copy / "page",
        "STATIC": static,
        "SITE": static,
        "STAMP": static / "stamp",
    }
    places["TESTS"] = copy / "tests"  # a checkout without them bundles nothing for them
    for name, value in places.items():
        monkeypatch.setattr(hook, name, value)
    for name in {*hook.MADE, *hook.MADE_FOR_SITES}:
        (static / name).write_text("made")
    (static / "stamp").write_text(hook.hash_sources())
    ran: list[list[str]] = []
    monkeypatch.setattr(hook, "_run", lambda command, folder, sentence: ran.append(command))
    monkeypatch.setattr(hook, "find_node", lambda: (["node"], ["npm"]))
    monkeypatch.setattr(hook, "_compress", lambda file: None)
    assert not hook.build_page()
    (copy / "page" / "src" / "page.css").write_text("body { color: red; }")
    assert hook.build_page()
    assert [command[:2] for command in ran] == [["npm", "ci"], ["node", "build.mjs"]]
    assert not hook.build_page()
    (static / "client.js").unlink()
    assert hook.build_page()


def test_a_bundle_that_fails_says_what_to_do(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "STATIC", tmp_path / "static")
    monkeypatch.setattr(hook, "STAMP", tmp_path / "static" / "stamp")
    monkeypatch.setattr(hook, "find_node", lambda: (["node"], ["false"]))
    with pytest.raises(SystemExit, match="could not be fetched from the npm registry"):
        hook.build_page()
    assert not (tmp_path / "static").exists()


def test_scripts_and_styles_travel_in_few_bytes_and_a_changed_one_as_it_is(tmp_path: Path) -> None:
    folder = ROOT / "fastclf" / "dashboard"
    files = [f for kind in ("*.js", "*.css") for f in folder.rglob(kind) if f.parent.name != "static"]
    assert len(files) > 20
    for file in files:
        assert len(read_shorter([file])) < 0.95 * len(file.read_text(encoding="utf-8")), file
    changed = tmp_path / "changed.js"
    changed.write_text("function make() {\n  // a word\n  return 1;\n}\n")
    assert read_shorter([changed]) == changed.read_text()
    # what another script calls keeps its name
    assert "function makeTranslator(" in read_shorter([folder / "widgets" / "common.js"])


def test_in_a_frame_the_page_tells_its_height_and_nothing_else_and_listens_to_nobody() -> None:
    said = run_node("""
        const told = [], heard = [], classes = new Set();
        Object.assign(globalThis, {
            window: globalThis, location: { search: given.search },
            parent: { postMessage: (...message) => told.push(message) },
            document: { documentElement: {
                classList: { add: (name) => classes.add(name) }, getBoundingClientRect: () => ({ height: 120.4 }),
            } },
            addEventListener: (name) => heard.push(name),
            ResizeObserver: class { constructor(act) { this.act = act; } observe() { this.act(); } },
        });
        const { embed } = await import("../embed.js");
        embed();
        console.log(JSON.stringify({ told, heard, classes: [...classes] }));
    """, {"search": "?a=b&embed"})  # fmt: skip
    assert said == {
        "told": [[{"type": "fastclf:height", "height": 121}, "*"]],
        "heard": ["load"],
        "classes": ["fastclf-embed"],
    }
