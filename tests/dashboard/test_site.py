"""What `build_site` writes, and what it leaves alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from PIL import Image

from fastclf import ModelBundle
from fastclf.dashboard.site import build_site
from fastclf.dashboard.texts import language
from fastclf.errors import UsageError

from ..conftest import Once
from ..node import run_node
from ..toy import write_toy_bundle

# a name and no address, as in every drawing
NAMESPACE = "http://www.w3.org/2000/svg"


def make(folder: Path) -> list[str]:
    bundle = ModelBundle.load(write_toy_bundle(folder / "model", judged=True))
    build_site(bundle, folder / "site")
    build_site(bundle, folder / "one.html", single_file=True)
    return [str(bundle.path), str(folder / "site"), str(folder / "one.html")]


@pytest.fixture
def made(once: Once) -> tuple[ModelBundle, Path, Path]:
    model, site, one = once("built-site", make)
    return ModelBundle.load(model), Path(site), Path(one)


class Tags(HTMLParser):
    """The tags of a page, and what stands in scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and data.strip():
            self.inside.append((self.tags[-1][0], data))

    @property
    def rules(self) -> dict[str, list[str]]:
        [text] = [
            a["content"] or "" for _, a in self.tags if a.get("http-equiv") == "Content-Security-Policy"
        ]
        return {name: allowed for name, *allowed in (rule.split() for rule in text.split(";"))}


def test_no_file_names_a_foreign_address(made: tuple[ModelBundle, Path, Path]) -> None:
    _, site, one = made
    files = [p for p in [one, *site.rglob("*")] if p.is_file() and p.name != "licences.txt"]
    assert len(files) > 15
    found = {
        p.name: re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+", p.read_text("utf-8").replace(NAMESPACE, ""))
        for p in files
        if p.suffix not in (".png",)
    }
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_the_rules_of_the_page_allow_nothing_to_be_sent(made: tuple[ModelBundle, Path, Path]) -> None:
    _, site, one = made
    for file in (site / "index.html", one):
        rules = Tags(file.read_text("utf-8")).rules
        assert {rules[name][0] for name in ("default-src", "form-action", "base-uri")} == {"'none'"}
        assert set(rules) <= {
            "default-src", "form-action", "base-uri", "img-src", "script-src", "style-src", "worker-src", "manifest-src",
        }  # fmt: skip
        allowed = {word for words in rules.values() for word in words if not word.startswith("'sha256-")}
        assert allowed <= {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:"}


def test_the_one_file_runs_its_own_scripts_alone(made: tuple[ModelBundle, Path, Path]) -> None:
    tags = Tags(made[2].read_text("utf-8"))
    assert len(tags.inside) > 8
    assert not [
        a
        for tag, a in tags.tags
        if tag in ("script", "link", "img")
        and (a.get("src") or not (a.get("href") or "data:").startswith("data:"))
    ]
    for kind, text in tags.inside:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in tags.rules[f"{kind}-src"]
    assert "'self'" not in tags.rules["script-src"]


def test_the_components_are_one_classic_script(made: tuple[ModelBundle, Path, Path]) -> None:
    found = run_node(
        """globalThis.window = {};
        new Function(given)();
        const found = Object.entries(window.fastclfComponents).map(([name, { render }]) => [name, typeof render]);
        console.log(JSON.stringify(found));""",
        (made[1] / "parts" / "components.js").read_text("utf-8"),
    )
    assert len(found) > 5
    assert {kind for _, kind in found} == {"function"}


def test_the_folder_is_whole_and_every_file_of_the_page_is_kept(made: tuple[ModelBundle, Path, Path]) -> None:
    bundle, site, _ = made
    tags = Tags((site / "index.html").read_text("utf-8"))
    named = {
        (a.get("src") or a.get("href") or "").split("?")[0]
        for tag, a in tags.tags
        if tag in ("script", "link")
    }
    local = {name for name in named if name and not name.startswith("data:")}
    assert all((site / name).is_file() for name in local)
    kept = json.loads(
        re.search(r"^const KEPT = (.*);$", (site / "service-worker.js").read_text("utf-8"), re.M)[1]
    )
    assert local | {"./", "manifest.webmanifest"} <= set(kept["files"])
    assert all((site / name).is_file() for name in kept["files"] if name != "./")
    app = json.loads((site / "manifest.webmanifest").read_text("utf-8"))
    assert app["name"] == bundle.manifest.title
    sizes = {Image.open(site / icon["src"]).size for icon in app["icons"] if icon["type"] == "image/png"}
    assert sizes == {(192, 192), (512, 512)}
    readme = (site / "README.md").read_text("utf-8")
    front = yaml.safe_load(readme.split("---")[1])
    assert front == {"title": "Toy colours", "sdk": "static", "app_file": "index.html"}
    assert "onnxruntime-web" in (site / "licences.txt").read_text("utf-8")


@pytest.mark.slow
def test_an_earlier_page_is_renewed_and_what_it_had_besides_goes(
    tmp_path: Path, made: tuple[ModelBundle, Path, Path]
) -> None:
    bundle, site = made[0], tmp_path / "site"
    build_site(bundle, site)
    listed = json.loads((site / "fastclf-site.json").read_text())
    (site / "parts" / "old.js").write_text("old")
    (site / "fastclf-site.json").write_text(json.dumps({"files": [*listed["files"], "parts/old.js"]}))
    (site / "CNAME").write_text("example")
    (site / ".git").mkdir()
    build_site(bundle, site)
    assert not (site / "parts" / "old.js").exists()
    assert (site / "CNAME").read_text() == "example"
    assert json.loads((site / "fastclf-site.json").read_text()) == listed


@pytest.mark.slow
def test_a_list_that_names_files_outside_removes_none(
    tmp_path: Path, made: tuple[ModelBundle, Path, Path]
) -> None:
    bundle, site = made[0], tmp_path / "site"
    build_site(bundle, site)
    (tmp_path / "mine.txt").write_text("mine")
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("mine")
    names = [
        ".git/config",
        "../mine.txt",
        str(tmp_path / "mine.txt"),
        "parts/../../mine.txt",
        "..\\mine.txt",
        "",
        5,
    ]
    own = json.loads((site / "fastclf-site.json").read_text())["files"]
    (site / "fastclf-site.json").write_text(json.dumps({"files": [*own, *names]}))
    build_site(bundle, site)
    assert (tmp_path / "mine.txt").read_text() == (site / ".git" / "config").read_text() == "mine"


@pytest.mark.parametrize("name", ["parts", "more", "index.html"])
def test_a_link_that_came_with_a_folder_is_not_gone_through(
    tmp_path: Path, made: tuple[ModelBundle, Path, Path], name: str
) -> None:
    site, other = tmp_path / "site", tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    site.mkdir()
    (site / name).symlink_to(other)
    names = [name, "fastclf-site.json", f"{name}/mine.txt"]
    (site / "fastclf-site.json").write_text(json.dumps({"files": names}))
    with pytest.raises(UsageError, match=f"holds other things than a page .*{name}"):
        build_site(made[0], site)
    assert [file.name for file in other.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["photo.jpg", "sub/notes.txt", "index.html"])
def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, made: tuple[ModelBundle, Path, Path], name: str
) -> None:
    (tmp_path / "site" / "sub").mkdir(parents=True)
    (tmp_path / "site" / name).write_text("mine")
    with pytest.raises(UsageError, match=f"holds other things than a page .*{name}"):
        build_site(made[0], tmp_path / "site")
    assert (tmp_path / "site" / name).read_text() == "mine"


@pytest.mark.slow
def test_a_file_that_is_no_page_of_ours_is_left_alone(
    tmp_path: Path, made: tuple[ModelBundle, Path, Path]
) -> None:
    bundle = made[0]
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    with pytest.raises(UsageError, match="is no page of"):
        build_site(bundle, tmp_path / "mine.html", single_file=True)
    with pytest.raises(UsageError, match="is a file"):
        build_site(bundle, tmp_path / "mine.html")
    with pytest.raises(UsageError, match=r"is the name of a file.*--single-file"):
        build_site(bundle, tmp_path / "page.html")
    with pytest.raises(UsageError, match="is a folder"):
        build_site(bundle, tmp_path, single_file=True)
    with pytest.raises(UsageError, match=r"does not end with \.html"):
        build_site(bundle, tmp_path / "page", single_file=True)
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"
    for _ in range(2):  # one of ours may be renewed
        build_site(bundle, tmp_path / "sub" / "page.html", single_file=True)


@pytest.mark.slow
def test_a_title_is_only_ever_text(tmp_path: Path) -> None:
    from dataclasses import replace

    title = '</script><script>alert(1)</script> "a" & $title <!-- é'
    folder = write_toy_bundle(tmp_path / "model", judged=True)
    bundle = ModelBundle.load(folder)
    bundle = replace(bundle, manifest=replace(bundle.manifest, title=title, intro=title))
    site = build_site(bundle, tmp_path / "site")
    one = build_site(bundle, tmp_path / "one.html", single_file=True)
    for page in (site.page, one.page):
        tags = Tags(page.read_text("utf-8"))
        assert not [text for _, text in tags.inside if text.strip() == "alert(1)"]
    assert (
        yaml.safe_load((site.path / "README.md").read_text("utf-8").split("\n---\n")[0][4:])["title"] == title
    )
    assert language.code == "en"
