"""The advice on installing fits how fastclf was installed."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from fastclf.system import advise_install, installed

from ..conftest import ROOT

CASES = {
    "index": (None, 'pip install "fastclf[train]"'),
    "checkout": (
        {"url": "file:///home/me/my%20fastclf", "dir_info": {"editable": True}},
        'pip install -e "/home/me/my fastclf[train]"',
    ),
    "folder": ({"url": "file:///srv/fastclf", "dir_info": {}}, 'pip install "/srv/fastclf[train]"'),
    "wheel": (
        {"url": "file:///tmp/fastclf-1-py3-none-any.whl", "archive_info": {}},
        'pip install "fastclf[train] @ file:///tmp/fastclf-1-py3-none-any.whl"',
    ),
    "wheel on the web": (
        {"url": "https://example.org/fastclf-1.whl", "archive_info": {}},
        'pip install "fastclf[train] @ https://example.org/fastclf-1.whl"',
    ),
    "repository": (
        {"url": "https://github.com/a/b", "vcs_info": {"vcs": "git", "requested_revision": "v1"}},
        'pip install "fastclf[train] @ git+https://github.com/a/b@v1"',
    ),
    "damaged": ("[]", 'pip install "fastclf[train]"'),
    "cut off": ('{"url": ', 'pip install "fastclf[train]"'),
}


@pytest.mark.parametrize("case", CASES)
def test_the_advice_fits_how_fastclf_was_installed(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    origin, words = CASES[case]
    text = origin if isinstance(origin, str) or origin is None else json.dumps(origin)
    known = type("Installed", (), {"read_text": lambda self, name: text})()
    monkeypatch.setattr(installed, "distribution", lambda name: known)
    assert advise_install("train") == words
    assert advise_install() == words.replace("[train]", "")


def test_a_checkout_that_is_only_on_the_path_is_installed_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed, "distribution", missing)
    assert advise_install("head") == f'pip install -e "{ROOT}[head]"'


def test_no_sentence_has_a_way_to_install_of_its_own() -> None:
    named = [
        path.name
        for path in Path(ROOT, "fastclf").rglob("*.py")
        if "install" in path.read_text() and "fastclf[" in path.read_text() and path.name != "installed.py"
    ]
    assert named in ([], ["unknown.py"])
