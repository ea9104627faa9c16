"""The lines for another site: the same in About, in a page's README and in the guide, and what is said beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf import ModelBundle
from fastclf.dashboard import build_app
from fastclf.dashboard.share import EmbedSnippet
from fastclf.dashboard.widgets import write_snippet

from ..conftest import ROOT


def test_a_title_and_an_address_are_only_ever_text() -> None:
    lines = write_snippet('"><script>', "https://a.example/?x&y\"'")
    assert lines.count("<script>") == 1
    assert 'title="&quot;&gt;&lt;script&gt;"' in lines
    assert 'src="https://a.example/?x&amp;y&quot;&#x27;?embed"' in lines


def test_the_guide_has_the_very_lines() -> None:
    text = (ROOT / "docs" / "how-to" / "embed.md").read_text(encoding="utf-8")
    assert f"```html\n{write_snippet('Bears', 'https://bears.example.org/')}```" in text


@pytest.mark.parametrize(
    ("said", "sites"),
    [("", []), ("https://School.example/", ["https://school.example"]), ("nonsense", [])],
)
def test_about_knows_which_sites_the_host_has_named(
    said: str, sites: list[str], toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_EMBED", said)
    found = EmbedSnippet(ModelBundle.load(toy_model))
    assert found.sites == sites
    assert (found.are_all_owners, found.asks) == (True, False)
    monkeypatch.setenv("FASTCLF_OWNER_PASSWORD_FILE", "x")
    monkeypatch.setenv("FASTCLF_PASSWORD_FILE", "x")
    found = EmbedSnippet(ModelBundle.load(toy_model))
    assert (found.are_all_owners, found.asks) == (False, True)


def test_an_owner_alone_finds_them_in_about(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in ("0", "1"):
        monkeypatch.setenv("FASTCLF_OWNER", owner)
        app = build_app(toy_model)
        app.strip.selected = "about"
        assert (app.about.embed is not None) == (owner == "1")
    assert app.about.embed.snippet == write_snippet("Toy colours")
