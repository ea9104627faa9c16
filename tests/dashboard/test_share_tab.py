"""An owner makes a page without a server: what comes of it, what is said, and that nothing of it stays."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fastclf.dashboard import build_app
from fastclf.dashboard.share import SharePanel
from fastclf.dashboard.share.file_saver import PART
from fastclf.dashboard.share.model import FILES, STEPS, ShareModel
from fastclf.dashboard.texts import language
from fastclf.dashboard.widgets import BadMessageError, Status
from fastclf.errors import MissingExtraError

from ..conftest import ROOT
from ..toy import write_toy_bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_toy_bundle(tmp_path / "model", judged=True)


def make(share: ShareModel, kind: str) -> Path:
    share.start(kind)
    share.wait(120)
    assert share.status is Status.DONE, share.message
    assert share.file
    return share.file


def test_one_file_or_a_folder_comes_of_it_step_by_step(model: Path, tmp_path: Path) -> None:
    share, said = ShareModel(model), []
    share.observe(lambda change: said.append(change["new"]), "message")
    file = make(share, "file")
    assert b'content="fastclf share"' in file.read_bytes()
    # a step of a moment may be over before anybody looks
    assert len(set(said) & set(STEPS.values())) >= 2
    assert said[-1].startswith("The page is ready: ")
    parts = [share.read(at, PART) for at in range(0, file.stat().st_size, PART)]
    assert len(parts) > 1
    assert b"".join(parts) == file.read_bytes()
    archive = make(share, "folder")
    # the one before is gone
    assert not file.exists()
    with zipfile.ZipFile(archive) as found:
        assert {"page/index.html", "page/README.md", "page/parts/head.js"} <= set(found.namelist())
    share.forget()
    assert not archive.parent.exists()
    assert share.read(0, PART) == b""


def test_it_can_be_cancelled_and_a_second_click_starts_nothing(model: Path) -> None:
    share = ShareModel(model)
    share.start("file")
    first = share._thread
    share.start("file")
    assert share._thread is first
    share.cancel()
    share.wait(60)
    assert (share.status, share.file) == (Status.READY, None)
    assert share.message == "The page was not made: you cancelled it."
    # and another time it is made
    make(share, "file")


def test_what_keeps_it_from_being_made_is_a_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = ShareModel(model)
    (model / "head.npz").write_bytes((model / "head.npz").read_bytes()[:-1])
    share.start("file")
    share.wait(60)
    assert (share.status, share.file) == (Status.ERROR, None)
    assert "head.npz" in share.message

    def lack(*args: object, **options: object) -> None:
        raise MissingExtraError(
            "{what} needs the package {name}, which is not installed.", what="a", name="onnx"
        )

    monkeypatch.setattr("fastclf.dashboard.share.model.run_child", lack)
    share.start("file")
    share.wait(60)
    assert share.message == "a needs the package onnx, which is not installed."


def test_where_onnx_is_not_installed_the_command_that_helps_is_named(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from fastclf.dashboard.site import child\n"
        "child.main(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, str(model), str(tmp_path / "page.html"), str(tmp_path / "told")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (
        "Writing a page without a server needs the package onnx, which is not installed. Run `"
        in ended.stderr
    )


def test_a_page_of_a_model_that_was_replaced_is_not_handed_out(model: Path, tmp_path: Path) -> None:
    panel = SharePanel(model)
    make(panel.model, "file")
    assert panel.saver.size > 0
    panel.start()
    assert panel.saver.size > 0
    shutil.copytree(model, tmp_path / "other")
    manifest = (tmp_path / "other" / "bundle.json").read_text()
    (model / "bundle.json").write_text(manifest.replace("Toy colours", "Other colours"))
    panel.start()
    assert panel.saver.size == 0
    assert "has changed since" in panel.status.value


def test_it_says_everything_in_the_pages_language(model: Path) -> None:
    panel = SharePanel(model)
    panel.kind.value = "folder"
    language.code = "ar"
    assert "إنشاء صفحة بلا خادم" in panel.head.value
    assert (panel.button.description, panel.kind.value) == ("إنشاء الصفحة", "folder")
    assert [value for _, value in panel.kind.options] == [*FILES]
    language.code = "es"
    assert panel.kind.options[0][0] == "Un archivo HTML"
    panel.close()


@pytest.mark.parametrize("offset", [-1, True, "0", 10**9, None])
def test_a_part_that_no_page_asks_for_is_not_read(model: Path, offset: object) -> None:
    panel = SharePanel(model)
    panel.saver.size = 5
    with pytest.raises(BadMessageError):
        panel.saver.handle({"type": "part", "offset": offset}, [])


def test_only_an_owner_makes_pages(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in ("", "0", "1"):
        monkeypatch.setenv("FASTCLF_OWNER", owner)
        app = build_app(model)
        app.strip.selected = "about"
        assert (app.about.share is not None) == (owner == "1")
