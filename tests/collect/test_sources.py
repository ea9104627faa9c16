"""Reading a folder, an archive of one's own or a cloud address."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fastclf.collect.archives import Member, ReadLimits, clouds, is_photo_name, read_source
from fastclf.errors import ArchiveError, MissingExtraError, PhotosError, UsageError

from .conftest import as_dict, write_files, write_tar, write_zip

# thorough rather than quick
pytestmark = pytest.mark.slow

FILES = {
    "readme.txt": b"hello",
    "cat/1.jpg": b"one",
    "cat/2.PNG": b"two",
    "cat/deep/3.webp": b"three",
    "dog/4.jpg": b"",
    "dog/.hidden.jpg": b"no",
    ".git/5.jpg": b"no",
}
SEEN = {name: data for name, data in FILES.items() if is_photo_name(name) and data != b"no"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_files(tmp_path / "photos", FILES)


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    files = fsspec.filesystem("memory")
    assert not files.store
    for name, data in FILES.items():
        files.pipe_file(f"/bucket/photos/{name}", data)
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def many(memory: MemoryFileSystem) -> str:
    """A folder of forty small photos in the cloud."""
    for i in range(40):
        memory.pipe_file(f"/bucket/many/{i:02d}.jpg", b"%02d" % i * 500)
    return "memory://bucket/many"


def read(
    place: str, base: Path = Path(), wanted: Callable[[str], bool] = is_photo_name, **options
) -> dict[str, bytes | str]:
    return as_dict(read_source(place, base, wanted, **options))


def write_archives(folder: Path) -> list[Path]:
    return [write_zip(folder / "a.zip", FILES), write_tar(folder / "a.tar.gz", FILES, "w:gz")]


@pytest.fixture
def on_open(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], object]], None]:
    """Call a function with the path of each file of the cloud before it is opened."""
    true_open = MemoryFileSystem.open

    def on_open(look: Callable[[str], object]) -> None:
        def opened(self: MemoryFileSystem, path: str, *args, **options):
            look(path)
            return true_open(self, path, *args, **options)

        monkeypatch.setattr(MemoryFileSystem, "open", opened)

    return on_open


OnOpen = Callable[[Callable[[str], object]], None]


def test_a_folder_is_read_in_order(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("photos", tmp_path) == SEEN
    assert list(read("photos", tmp_path)) == sorted(SEEN)
    assert read(str(photos), Path("/nowhere")) == SEEN
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/photos", Path("/nowhere")) == SEEN


def test_only_what_is_wanted_is_read(photos: Path, tmp_path: Path) -> None:
    asked: list[str] = []
    assert read("photos", tmp_path, lambda name: asked.append(name) or name == "cat/1.jpg") == {
        "cat/1.jpg": b"one"
    }
    assert asked == ["cat/1.jpg", "cat/2.PNG", "cat/deep/3.webp", "dog/4.jpg", "readme.txt"]


def test_links_are_followed_but_never_in_circles(photos: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "6.jpg").write_bytes(b"six")
    links = {"linked": outside, "twice": outside, "cat/circle": photos, "file.jpg": outside / "6.jpg"}
    for name, target in {**links, "dangling.jpg": "nothing", "itself.jpg": "itself.jpg"}.items():
        (photos / name).symlink_to(target)
    found = read("photos", tmp_path)
    assert str(found.pop("dangling.jpg")).startswith("cannot be read (No such file")
    assert str(found.pop("itself.jpg")).startswith("cannot be read (")
    assert found == {**SEEN, "linked/6.jpg": b"six", "file.jpg": b"six"}


def test_a_pipe_a_device_or_what_is_too_large_is_refused_without_a_wait(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    (photos / "zero.jpg").symlink_to("/dev/zero")
    with (photos / "large.jpg").open("wb") as f:
        f.truncate(2**40)
    (photos / "just.jpg").write_bytes(bytes(2**20))
    refused = dict.fromkeys(("pipe.jpg", "zero.jpg"), "is a pipe or a device, not a photo")
    found = read("photos", tmp_path, limits=ReadLimits(member_bytes=2**20))
    assert found == {**SEEN, **refused, "large.jpg": "is larger than 1 MB", "just.jpg": bytes(2**20)}


def test_a_name_is_fit_to_be_shown(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J").mkdir()
    (tmp_path / "a\x1b[2J" / "1.jpg").write_bytes(b"1")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"2")
    assert read(".", tmp_path) == {"a\ufffd[2J/1.jpg": b"1", "caf\ufffd.jpg": b"2"}


def test_folders_in_folders_end_at_no_depth(tmp_path: Path) -> None:
    deep = str(tmp_path)
    for _ in range(1050):
        deep += "/d"
        os.mkdir(deep)  # noqa: PTH102 - a Path of such a depth takes long
    Path(deep, "1.jpg").write_bytes(b"1")
    try:
        assert read(".", tmp_path) == {"d/" * 1050 + "1.jpg": b"1"}
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)


def test_what_may_not_be_read_is_said(photos: Path, tmp_path: Path) -> None:
    """Run as another user where this one may read everything."""
    (photos / "cat" / "1.jpg").chmod(0)
    (photos / "dog").chmod(0)
    code = (
        "import os, sys, pathlib\n"
        "from fastclf.collect.archives import is_photo_name, read_source\n"
        "os.chdir(sys.argv[1])\n"
        "os.geteuid() or os.setuid(65534)\n"
        "for m in read_source('.', pathlib.Path(), is_photo_name): print(m.name, m.reason)\n"
        "try: list(read_source('dog', pathlib.Path(), is_photo_name))\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, photos], capture_output=True, text=True, check=False)
    (photos / "dog").chmod(0o755)
    assert done.returncode == 0, done.stderr
    for words in (
        "cat/1.jpg cannot be read (Permission denied)",
        "dog is a folder that cannot be read (Permission denied)",
        "cat/2.PNG",
        "PhotosError The folder dog cannot be read (Permission denied).",
    ):
        assert words in done.stdout


def test_an_archive_of_ones_own_is_read_by_its_content(tmp_path: Path) -> None:
    for path in write_archives(tmp_path):
        assert read(path.name, tmp_path) == SEEN
        path.rename(tmp_path / "download")
        assert read("download", tmp_path) == SEEN
    (tmp_path / "readme.txt").write_bytes(b"hello")
    with pytest.raises(ArchiveError, match=r"readme.txt is no zip"):
        read("readme.txt", tmp_path)


def test_a_cloud_folder_is_read_like_a_folder(memory: MemoryFileSystem) -> None:
    for place in ("memory://bucket/photos", "memory://bucket/photos/", "memory:///bucket/photos"):
        assert list(read(place).items()) == sorted(SEEN.items())
    # though it is named like an archive
    memory.pipe_file("/bucket/old.zip/cat/1.jpg", b"1")
    assert read("memory://bucket/old.zip") == {"cat/1.jpg": b"1"}


def test_a_cloud_may_remember_and_say_no_sizes(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: dict[str, list] = {}
    true_ls = MemoryFileSystem.ls

    def list_once(self: MemoryFileSystem, path: str, **options):
        found = [{**entry, "size": None} for entry in true_ls(self, path, **options)]
        return listed.setdefault(path, found)

    monkeypatch.setattr(MemoryFileSystem, "ls", list_once)
    monkeypatch.setattr(MemoryFileSystem, "invalidate_cache", lambda self: listed.clear())
    assert read("memory://bucket/photos") == SEEN
    memory.pipe_file("/bucket/photos/cat/7.jpg", b"seven")
    assert read("memory://bucket/photos")["cat/7.jpg"] == b"seven"


def test_order_is_kept_though_files_arrive_in_another(many: str, on_open: OnOpen) -> None:
    threads = set()

    def dawdle(path: str) -> None:
        threads.add(threading.get_ident())
        time.sleep(0.02 if int(path[-6:-4]) % 4 == 0 else 0)

    on_open(dawdle)
    assert list(read(many).items()) == [(f"{i:02d}.jpg", b"%02d" % i * 500) for i in range(40)]
    assert 2 <= len(threads) <= 4


@pytest.mark.parametrize(("ahead", "most"), [(64 * 2**20, 16), (1500, 3)])
def test_no_more_is_read_ahead_than_a_few(
    ahead: int, most: int, many: str, on_open: OnOpen, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    on_open(opened.append)
    monkeypatch.setattr(clouds, "_AHEAD_BYTES", ahead)
    members = read_source(many, Path(), is_photo_name)
    next(members)
    time.sleep(0.05)
    assert len(opened) <= most
    members.close()


def test_what_is_unwanted_or_too_large_in_a_cloud_is_not_opened(
    memory: MemoryFileSystem, on_open: OnOpen
) -> None:
    memory.pipe_file("/bucket/photos/cat/large.jpg", bytes(2**20 + 1))
    memory.pipe_file("/bucket/photos/cat/just.jpg", bytes(2**20))
    opened: list[str] = []
    on_open(opened.append)
    limits = ReadLimits(member_bytes=2**20)
    found = read(
        "memory://bucket/photos", wanted=lambda name: name.endswith(("large.jpg", "just.jpg")), limits=limits
    )
    assert found == {"cat/large.jpg": "is larger than 1 MB", "cat/just.jpg": bytes(2**20)}
    assert opened == ["/bucket/photos/cat/just.jpg"]


class Endless(io.RawIOBase):
    """A file of a cloud that never ends."""

    given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= 8 * 2**20
        self.given += size
        assert self.given < 40 * 2**20
        return bytes(size)


def test_an_endless_cloud_file_is_bounded(memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/bucket/a.zip", b"small")
    monkeypatch.setattr(MemoryFileSystem, "open", lambda *args, **options: Endless())
    found = read("memory://bucket/photos", limits=ReadLimits(member_bytes=2**20))
    assert set(found.values()) == {"is larger than 1 MB"}
    with pytest.raises(ArchiveError, match=r"a\.zip is larger than 20 MB"):
        read("memory://bucket/a.zip", limits=ReadLimits(total_bytes=20 * 2**20))


def test_keys_that_are_no_paths_do_no_harm(memory: MemoryFileSystem) -> None:
    for key in ("/bucket/odd/../up.jpg", "/bucket/odd//double.jpg", "/bucket/odd/a\nb.jpg", "/bucket/odd/"):
        memory.store[key] = memory.store["/bucket/photos/cat/1.jpg"]
    assert read("memory://bucket/odd") == {"a\ufffdb.jpg": b"one"}


def test_a_file_that_fails_is_refused_and_ten_in_a_row_end_it(many: str, on_open: OnOpen) -> None:
    broken = {*range(9), *range(10, 19)}

    def fail(path: str) -> None:
        if int(path[-6:-4]) in broken:
            raise TimeoutError("no answer from https://host/key?X-Amz-Signature=abc within 5 s.\nlast line")

    on_open(fail)
    found = read(many)
    reason = "cannot be read (TimeoutError: no answer from https://host/key?… within 5 s. last line)"
    assert (len(found), found["00.jpg"], found["09.jpg"][:2]) == (40, reason, b"09")
    broken.add(9)
    members: list[Member] = []
    with pytest.raises(PhotosError, match=rf"{many} does not answer any more \(TimeoutError"):
        members.extend(read_source(many, Path(), is_photo_name))
    assert len(members) == 9


def test_an_archive_in_a_cloud_is_read_and_leaves_nothing_behind(
    memory: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for path in write_archives(tmp_path):
        memory.pipe_file(f"/bucket/{path.name}", path.read_bytes())
        assert read(f"memory://bucket/{path.name}") == SEEN
        members = read_source(f"memory://bucket/{path.name}", Path(), is_photo_name)
        next(members)
        assert list((tmp_path / "tmp").iterdir())
        members.close()
        assert not list((tmp_path / "tmp").iterdir())
    memory.pipe_file("/bucket/cut.zip", path.read_bytes()[:100])
    with pytest.raises(ArchiveError, match=r"^memory://bucket/cut.zip is damaged or cut off"):
        read("memory://bucket/cut.zip")


NOWHERE = ["nothing", "nothing/photos", "readme.txt/photos", "~nobody-such/photos", "a\0b", "x" * 5000]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("memory://bucket/photos/cat/1.jpg", "is a single file"),
        ("memory://bucket/other", "There is nothing at memory://bucket/other"),
        *((place, f"There is no folder or archive {place[:20]!r}"[:-1]) for place in NOWHERE),
    ],
)  # fmt: skip
def test_a_place_of_none_is_named(place: str, words: str, photos: Path, memory: MemoryFileSystem) -> None:
    with pytest.raises(PhotosError) as e:
        read(place, photos)
    assert words in str(e.value)


@pytest.mark.parametrize("method", ["info", "ls"])
def test_whatever_a_cloud_raises_becomes_one_sentence(
    method: str, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoCredentialsError(Exception):
        pass

    def fail(*args, **options):
        raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr(MemoryFileSystem, method, fail)
    with pytest.raises(PhotosError, match=r"read \(NoCredentialsError: Unable to locate.*logged in"):
        read("memory://bucket/photos")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("https://example.org/photos.zip", ["web address", "[archive]"]),
        ("HTTP://example.org/photos", ["web address", "[archive]"]),
        ("ftp://example.org/photos", ["begins with ftp://", "s3, s3a, gs"]),
        ("file:///etc", ["begins with file://", "by its path alone"]),
        ("local:///etc", ["begins with local://"]),
        ("reference://x", ["begins with reference://"]),
        ("S3://bucket", ["begins with S3://"]),
        ("://bucket", ["begins with ://"]),
        ("s3://", ["Name a bucket"]),
        ("gdrive:///", ["Name a bucket or a folder"]),
        ("zip://a.jpg::https://example.org/a.zip", ["chains addresses"]),
        ("simplecache::s3://bucket/photos", ["chains addresses"]),
        ("s3://bucket/a::file:///etc", ["chains addresses"]),
        ("memory://bucket/photos::file", ["chains addresses"]),
        ("s3://key:secret@bucket/photos", ["holds a password"]),
        ("simplecache::s3://key:secret@bucket", ["holds a password"]),
        ("", ["is empty"]),
        ("  ", ["is empty"]),
    ],
)  # fmt: skip
def test_such_an_address_is_refused_with_a_sentence(place: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as e:
        read_source(place, Path(), is_photo_name)
    assert all(word in str(e.value) for word in words), str(e.value)
    assert (place.strip() in str(e.value)) == ("secret" not in place)


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("fsspec.core", r"needs fsspec, which is not installed. Run `pip install .*\[search\]"),
        ("s3fs", r"needs a package that is not installed: Install s3fs to access S3\.$"),
    ],
)
def test_a_missing_package_is_named_and_a_folder_on_disk_needs_none(
    package: str, said: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"^s3://bucket/photos {said}"):
        read("s3://bucket/photos")
    assert read(str(photos)) == SEEN
