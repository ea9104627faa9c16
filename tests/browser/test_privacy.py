"""A session leaves nothing on the disk but what its visitor reports: every file is looked through, and the log."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from fastclf.inbox import Inbox

from ..drawing import draw_photo, encode
from .conftest import Launch, Visit, choose
from .servers import Server, stop, wait_until

pytestmark = pytest.mark.slow

NAMES = ("anna-at-home.jpg", "ben-reported.jpg")
PLACE = b"48 degrees north of nowhere"


def take_photos() -> dict[str, bytes]:
    """Two photos as cameras write them, with a place in their EXIF."""
    exif = Image.Exif()
    exif[0x010E] = PLACE.decode()
    return {
        name: encode(draw_photo("red", n, (320, 240)), "JPEG", exif=exif.tobytes())
        for n, name in enumerate(NAMES)
    }


class Disk:
    """All that a server and its kernels can write to: its folder, its home, its temporary files."""

    def __init__(self, folder: Path) -> None:
        # sockets lie among the temporary files, and their paths have to be short
        self.home, self.temporary = folder / "home", Path(tempfile.mkdtemp())
        self.home.mkdir()
        self.folders = [self.home, self.temporary]
        names = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR",
                 "JUPYTER_RUNTIME_DIR")  # fmt: skip
        temporary = {name: str(self.temporary) for name in ("TMPDIR", "TEMP", "TMP", "SQLITE_TMPDIR")}
        self.env = {**{name: str(self.home) for name in names}, **temporary}

    def list_files(self) -> set[Path]:
        return {path for folder in self.folders for path in folder.rglob("*") if path.is_file()}

    def find(self, what: bytes) -> set[str]:
        """Names of the files that hold something, in their bytes or in their name."""
        found = set()
        for path in self.list_files():
            try:
                held = what in path.read_bytes()
            except FileNotFoundError:  # a socket's or SQLite's own, gone meanwhile
                continue
            if held or what.decode("latin-1") in path.name:
                found.add(path.name)
        return found


def list_written(server: Server) -> set[Path]:
    """Which files of the disk the server's processes have open to be written."""
    family = [server.process, *server.process.children(recursive=True)]
    files = [file for process in family for file in process.open_files() if file.mode != "r"]
    return {Path(file.path) for file in files}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    shutil.rmtree(disk.temporary, ignore_errors=True)


@pytest.fixture
def session(disk: Disk, launch: Launch, toy_model: Path, visit: Visit) -> tuple[Server, Page]:
    """A server with an inbox, and a visitor's page."""
    server = launch("serve", model=toy_model, options=["--inbox=inbox.sqlite"], env=disk.env)
    disk.folders.append(server.folder)
    return server, visit(server.url)


def test_nothing_of_a_visitor_stays_but_what_was_reported(disk: Disk, session: tuple[Server, Page]) -> None:
    server, page = session
    page.locator(".fastclf-example img").first.wait_for()
    before, photos = disk.list_files(), take_photos()
    card = ask(page, NAMES[0], photos[NAMES[0]])
    card.get_by_role("button", name="Why?").click()
    expect(card.locator(".fastclf-heat")).to_be_visible()
    # what goes wrong is not written down with its name either
    ask(page, f"broken-{NAMES[0]}", b"\xff\xd8\xff" + PLACE)
    # while the session lives: no byte of the photo, of its name or of what it says
    cores = {name: find_core(data) for name, data in photos.items()}
    for what in (cores[NAMES[0]], NAMES[0].encode(), PLACE):
        assert disk.find(what) == set()
    # Jupyter notes there that it trusts the dashboard's notebook
    assert {path.name for path in list_written(server)} <= {"server.log", "nbsignatures.db"}
    report(page, NAMES[1], photos[NAMES[1]])
    kept = leave(server, page)
    # the same look finds what was reported, which is a picture without what it said
    assert disk.find(find_core(kept)) == {"inbox.sqlite"}
    assert disk.find(NAMES[1].encode()) == {"inbox.sqlite"}
    for what in (*cores.values(), NAMES[0].encode(), PLACE):
        assert disk.find(what) == set()
    assert {path.name for path in disk.list_files() - before} == {"inbox.sqlite"}
    check_log((server.folder / "server.log").read_text())


def leave(server: Server, page: Page) -> bytes:
    """End visit and server; return the one photo that was reported."""
    inbox = Inbox(server.folder / "inbox.sqlite")
    wait_until(inbox.reports)
    page.context.close()
    stop(server.process)
    return inbox.read_photo(1)


def find_core(data: bytes) -> bytes:
    """A piece of a file that no other one has."""
    return data[len(data) // 2 :][:40]


def check_log(log: str) -> None:
    for word in (*NAMES, "127.0.0.1", "::1", "Mozilla", "Chrome"):
        assert word not in log


def ask(page: Page, name: str, data: bytes) -> Locator:
    choose(page, {"name": name, "mimeType": "image/jpeg", "buffer": data})
    card = page.locator(".fastclf-card").first
    expect(card).to_contain_text(name)
    return card


def report(page: Page, name: str, data: bytes) -> None:
    """Say that a photo's answer is wrong."""
    card = ask(page, name, data)
    card.get_by_role("button", name="That's wrong").click()
    page.get_by_label("What is it really?").select_option("blue")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").filter(has_text="Thank you")).to_be_visible()
