"""What `build_teach_site` writes: a page that is whole, names nobody else and may send nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from fastclf import ModelBundle
from fastclf.backbone import Backbone
from fastclf.dashboard.site import build_teach_site
from fastclf.errors import UsageError

from ..conftest import Once
from ..toy import write_toy_bundle
from .test_site import NAMESPACE, Tags


def make(folder: Path) -> list[str]:
    body = Backbone.of_model(ModelBundle.load(write_toy_bundle(folder / "model")))
    build_teach_site(body, folder / "site")
    build_teach_site(body, folder / "one.html", single_file=True)
    return [str(folder / "model"), str(folder / "site"), str(folder / "one.html")]


@pytest.fixture
def made(once: Once) -> tuple[Path, Path, Path]:
    model, site, one = map(Path, once("built-teach-site", make))
    return model, site, one


def test_no_file_names_a_foreign_address(made: tuple[Path, Path, Path]) -> None:
    _, site, one = made
    files = [p for p in [one, *site.rglob("*")] if p.is_file() and p.name != "licences.txt"]
    texts = {p.name: p.read_text("utf-8").replace(NAMESPACE, "") for p in files if p.suffix != ".png"}
    found = {name: re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+", text) for name, text in texts.items()}
    assert len(files) > 15
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_the_rules_of_the_page_allow_nothing_to_be_sent(made: tuple[Path, Path, Path]) -> None:
    for file in (made[1] / "index.html", made[2]):
        rules = Tags(file.read_text("utf-8")).rules
        assert {rules[name][0] for name in ("default-src", "form-action", "base-uri")} == {"'none'"}
        assert "connect-src" not in rules
        allowed = {word for words in rules.values() for word in words if not word.startswith("'sha256-")}
        assert allowed <= {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:"}


def test_the_one_file_runs_its_own_scripts_alone(made: tuple[Path, Path, Path]) -> None:
    tags = Tags(made[2].read_text("utf-8"))
    assert len(tags.inside) > 8
    for kind, text in tags.inside:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in tags.rules[f"{kind}-src"]


def test_the_folder_is_whole_and_says_what_the_network_is(made: tuple[Path, Path, Path]) -> None:
    site = made[1]
    tags = Tags((site / "index.html").read_text("utf-8"))
    named = {
        (a.get("src") or a.get("href") or "").split("?")[0]
        for tag, a in tags.tags
        if tag in ("script", "link")
    }
    local = {name for name in named if name and not name.startswith("data:")}
    assert "parts/teach.js" in local
    assert all((site / name).is_file() for name in local)
    kept = json.loads(
        re.search(r"^const KEPT = (.*);$", (site / "service-worker.js").read_text("utf-8"), re.M)[1]
    )
    assert local | {"./", "manifest.webmanifest"} <= set(kept["files"])
    readme = (site / "README.md").read_text("utf-8")
    assert yaml.safe_load(readme.split("---")[1])["title"] == "Teach a photo classifier"
    assert "the network is toy, its licence:" in readme
    assert "$" not in readme
    assert not (site / "card.html").exists()


@pytest.mark.slow
def test_an_earlier_page_is_renewed_and_other_things_are_left_alone(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    body = Backbone.of_model(ModelBundle.load(made[0]))
    for _ in range(2):
        build_teach_site(body, tmp_path / "site")
    (tmp_path / "site" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things"):
        build_teach_site(body, tmp_path / "site")
    with pytest.raises(UsageError, match="int8 or float32"):
        build_teach_site(body, tmp_path / "other", precision="int4")
