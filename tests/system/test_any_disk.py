"""Writing on disks that lack something, and into folders that have to keep their place."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastclf.system import (
    copy_folder,
    find_file_error,
    find_write_error,
    link_or_copy,
    recover_folder,
    replaced_folder,
    wait_for_folder,
    write_atomic,
)
from fastclf.system.swap import exchange_content

OLD = {"bundle.json": b"old", "photos.csv": b"old", "examples/a.jpg": b"old", "gone.bin": b"old"}
NEW = {"bundle.json": b"new", "photos.csv": b"new", "examples/b.jpg": b"new", "body.bin": b"new"}


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refuse(code: int) -> Callable[..., Any]:
    def call(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.fixture(params=["chmod", "fchmod", "utime", "link", "fsync"])
def lame(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system call that the disk refuses."""
    for code in (errno.EPERM,) if request.param != "fsync" else (errno.EINVAL,):
        monkeypatch.setattr(os, request.param, refuse(code))
    return str(request.param)


def test_what_a_disk_cannot_do_is_left_out(tmp_path: Path, lame: str) -> None:
    write_atomic(tmp_path / "a.txt", b"1")
    write_atomic(tmp_path / "a.txt", b"2")
    assert (tmp_path / "a.txt").read_bytes() == b"2"
    for files in (OLD, NEW):
        with replaced_folder(tmp_path / "model", "bundle.json") as staging:
            fill(staging, files)
        assert read(tmp_path / "model") == files
    copy_folder(tmp_path / "model", tmp_path / "copy")
    assert read(tmp_path / "copy") == NEW
    assert link_or_copy(tmp_path / "a.txt", tmp_path / "b.txt") == (lame != "link")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "b.txt", "copy", "model"]


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o027, 0o077])
def test_every_file_has_the_mode_that_the_umask_gives(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "a.txt", b"1")
        with replaced_folder(tmp_path / "model") as staging:
            fill(staging, OLD)
            # as some libraries write weights
            os.close(os.open(staging / "body.safetensors", os.O_CREAT | os.O_WRONLY, 0o600))
            (tmp_path / "photo.jpg").write_bytes(b"x")
            (tmp_path / "photo.jpg").chmod(0o640)
            link_or_copy(tmp_path / "photo.jpg", staging / "photo.jpg")
    finally:
        os.umask(before)
    for path in (tmp_path / "a.txt", *(tmp_path / "model").rglob("*")):
        whole = 0o777 if path.is_dir() else 0o666
        expected = 0o640 if path.name == "photo.jpg" else whole & ~mask
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert stat.S_IMODE((tmp_path / "photo.jpg").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["x" * 250 + ".html", "ü" * 120 + ".html", "猫" * 80 + ".html"])
def test_a_name_as_long_as_a_disk_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write_atomic(tmp_path / name, b"1")
    with replaced_folder(tmp_path / f"d{name[1:]}") as staging:
        fill(staging, OLD)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, f"d{name[1:]}"])


def test_a_file_that_cannot_be_renamed_over_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"1")
    monkeypatch.setattr(Path, "replace", refuse(errno.EBUSY))
    write_atomic(tmp_path / "a.txt", b"22")
    assert read(tmp_path) == {"a.txt": b"22"}


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An old model in a folder that cannot be renamed, with what a system left there."""
    target = fill(tmp_path / "model", OLD)
    fill(target, {"lost+found/1": b"theirs", ".DS_Store": b"theirs"})
    monkeypatch.chdir(target)
    return target


def own(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in read(folder).items() if data != b"theirs"}


def test_a_folder_that_has_to_keep_its_place_gets_new_content(stuck: Path) -> None:
    number = stuck.stat().st_ino
    with replaced_folder(stuck, "bundle.json") as staging:
        fill(staging, NEW)
    assert own(stuck) == NEW
    assert stuck.stat().st_ino == number
    assert {".DS_Store", "lost+found/1"} <= set(read(stuck))
    assert [p.name for p in stuck.parent.iterdir()] == ["model"]


class _KilledError(BaseException):
    pass


def _kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End everything at the so many-th rename, clean-up included, as a kill does."""
    done, rename = [0], Path.rename

    def count(path: Path, to: Path) -> Path:
        done[0] += 1
        if done[0] >= step:
            raise _KilledError
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", count)


def leave_alone(target: Path, seconds: float = 60) -> None:
    """Make all of it so old that nobody is at work there; what lies ahead was written before the clock went back."""
    when = time.time() - seconds
    for path in (target, *target.iterdir()):
        os.utime(path, (when, when))


@pytest.mark.parametrize("again", range(1, 9))
@pytest.mark.parametrize("step", range(4, 9))
def test_a_kill_while_the_old_content_comes_back_loses_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, again: int
) -> None:
    target, staging = fill(tmp_path / "model", OLD), fill(tmp_path / "model" / ".fastclf-new", NEW)
    for n, work in ((step, lambda: exchange_content(staging, target, "bundle.json")), (again, None)):
        with monkeypatch.context() as patch, contextlib.suppress(_KilledError):
            _kill_at(n, patch)
            (work or (lambda: recover_folder(target)))()
        leave_alone(target)
    recover_folder(target)
    assert {n: d for n, d in read(target).items() if not n.startswith(".fastclf-new")} in (OLD, NEW)


@pytest.mark.parametrize("seconds", [60, -86_400])
def test_what_a_kill_left_comes_back_although_the_clock_was_set_back(tmp_path: Path, seconds: float) -> None:
    target = fill(tmp_path / "model", NEW)
    fill(target / ".fastclf-old", OLD)
    leave_alone(target, seconds)
    recover_folder(target)
    assert read(target) == OLD


@pytest.mark.parametrize("step", range(1, 13))
def test_a_kill_while_content_is_exchanged_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    target, staging = fill(tmp_path / "model", OLD), fill(tmp_path / "model" / ".fastclf-new", NEW)
    with monkeypatch.context() as patch:
        _kill_at(step, patch)
        with contextlib.suppress(_KilledError):
            exchange_content(staging, target, "bundle.json")
        # nothing that is half there may look like a model
        seen = own(target)
        if "bundle.json" in seen:
            whole = OLD if seen["bundle.json"] == b"old" else NEW
            assert {n: d for n, d in seen.items() if not n.startswith(".fastclf")} == whole
    recover_folder(target)  # somebody may still be at work
    leave_alone(target)
    recover_folder(target)
    found = {n: d for n, d in read(target).items() if not n.startswith(".fastclf-new")}
    assert found in (OLD, NEW)
    exchange_content(fill(tmp_path / "next", NEW), target, "bundle.json")
    assert {n: d for n, d in read(target).items() if not n.startswith(".fastclf-new")} == NEW


def test_a_full_disk_in_the_middle_brings_the_old_content_back(
    stuck: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def full(path: Path, to: Path) -> Path:
        if ".fastclf-new" in path.parts and path.name != "body.bin":
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", full)
    monkeypatch.setattr("fastclf.system.swap.copy_file", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="space"), replaced_folder(stuck, "bundle.json") as staging:
        fill(staging, NEW)
    assert own(stuck) == OLD


def test_a_reader_waits_while_content_is_exchanged(stuck: Path) -> None:
    (stuck / ".fastclf-moving").mkdir()
    started = time.monotonic()
    wait_for_folder(stuck, 0.2)
    assert 0.2 <= time.monotonic() - started < 2


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"x")
    return tmp_path / "file" / "below" / "model"


def test_what_cannot_be_written_is_known_before(nowhere: Path, tmp_path: Path) -> None:
    assert "is a file" in find_write_error(nowhere)
    assert "is a file" in find_file_error(nowhere)
    assert "directory" in find_file_error(tmp_path)
    assert find_file_error(tmp_path / "missing" / "a.csv")
    assert find_write_error(Path("/proc/fastclf"))
    assert "are needed" in find_write_error(tmp_path / "model", room=2**60)
    assert find_write_error(tmp_path / "a" / "model") == ""
    assert find_file_error(tmp_path / "file") == find_file_error(tmp_path / "new.csv") == ""
    assert read(tmp_path) == {"file": b"x"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_full_disk_and_a_folder_that_cannot_be_written_are_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(Path, "open", refuse(code))
    for found in (
        find_write_error(tmp_path / "there"),
        find_write_error(tmp_path / "new"),
        find_file_error(tmp_path / "a.csv"),
    ):
        assert found == os.strerror(code)


# every chmod is refused by the system itself, in this process and its children
_NO_CHMOD = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
calls = (90, 91, 268, 452)
code = struct.pack("HBBI", 0x20, 0, 0, 0)
for i, call in enumerate(calls):
    code += struct.pack("HBBI", 0x15, len(calls) - i, 0, call)
code += struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000) + struct.pack("HBBI", 0x06, 0, 0, 0x00050001)
held = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(held)))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.addressof(program), 0, 0):
    sys.exit(77)
try:
    os.chmod(".", 0o700)
    sys.exit(77)
except PermissionError:
    pass
from fastclf.cli import main
for call in {calls!r}:
    sys.argv = ["fastclf", *call.split()]
    try:
        main()
    except SystemExit as e:
        if e.code:
            sys.exit(f"{{call}}: {{e.code}}")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="needs seccomp")
def test_every_command_works_where_chmod_is_refused(photo_folder: Path, toy_model: Path) -> None:
    calls = [
        "check photos --no-labels --html r.html", "edits export photos e.csv", "edits import photos e.csv",
        "materialize photos clean", "recipes new mine.toml", "evaluate model photos",
        "train photos --out trained", "predict trained photos/red/000.png",
    ]  # fmt: skip
    code = _NO_CHMOD.replace("{calls!r}", repr(calls)).replace("{{", "{").replace("}}", "}")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=toy_model.parent, capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("this machine does not let calls be refused")
    assert done.returncode == 0, done.stderr
    assert "not permitted" not in done.stderr
