"""Reading archives: honest ones wholly, damaged ones as far as they go, hostile ones without harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from fastclf.collect.archives import Member, ReadLimits, is_photo_name, read_archive, zips
from fastclf.collect.archives.members import DEVICE, LINK, tidy_name
from fastclf.errors import ArchiveError

from .conftest import as_dict, write_tar, write_zip

# thorough rather than quick
pytestmark = pytest.mark.slow

MB = 2**20
PHOTOS = {f"images/Cat_{i}.jpg": bytes([i]) * 1000 + os.urandom(500) for i in range(5)}
OUT = "has a path that leads out of the archive"
LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"  # the records of a zip file
DAMAGED = "{} is damaged or cut off; delete it and fetch it again."
SMALL = ReadLimits(member_bytes=2 * MB, slack_bytes=MB, ratio=10)


def read(path: Path, wanted: Callable[[str], bool] = is_photo_name, **options) -> dict[str, bytes | str]:
    return as_dict(read_archive(path, wanted, **options))


def read_until_error(path: Path, **options) -> tuple[list[Member], str]:
    members: list[Member] = []
    with pytest.raises(ArchiveError) as e:
        members.extend(read_archive(path, is_photo_name, **options))
    return members, str(e.value)


@contextmanager
def no_more_memory_than(megabytes: int) -> Iterator[None]:
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < megabytes * MB


KINDS = {
    "zip": write_zip,
    "stored zip": lambda path, files: write_zip(path, files, zipfile.ZIP_STORED),
    "tar": write_tar,
    "tar.gz": lambda path, files: write_tar(path, files, "w:gz"),
    "tar.bz2": lambda path, files: write_tar(path, files, "w:bz2", compresslevel=1),
    "tar.xz": lambda path, files: write_tar(path, files, "w:xz", preset=0),
}
TARS = [kind for kind in KINDS if "tar" in kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_whatever_it_is_called_as_far_as_it_is_wanted(kind: str, tmp_path: Path) -> None:
    files = {"readme.txt": b"hello", **PHOTOS, "empty.png": b""}
    path = KINDS[kind](tmp_path / "download", files)
    assert list(read(path).items()) == [*PHOTOS.items(), ("empty.png", b"")]
    assert list(read(path, lambda name: name.endswith("3.jpg"))) == ["images/Cat_3.jpg"]


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_come_through_every_layout_of_tar(layout: int, tmp_path: Path) -> None:
    names = ["a" * 90 + "/" + "b" * 90 + ".jpg"]
    if layout != tarfile.USTAR_FORMAT:
        names += ["Zürich/猫.jpg", "c/" * 100 + "d" * 150 + ".jpg"]
    with tarfile.open(tmp_path / "a.tar", "w", format=layout, pax_headers={"comment": "x"}) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 3, 1.5 if layout == tarfile.PAX_FORMAT else 1
            archive.addfile(info, io.BytesIO(b"abc"))
    assert read(tmp_path / "a.tar") == dict.fromkeys(names, b"abc")


def test_what_the_systems_own_tar_packs_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / ("long" * 40)
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(b"one")
    (folder / "2.jpg").symlink_to("1.jpg")
    os.link(folder / "1.jpg", folder / "3.jpg")
    subprocess.run(["tar", "-czf", tmp_path / "a.tgz", "-C", tmp_path, "photos"], check=True)
    assert sorted(map(str, read(tmp_path / "a.tgz").values())) == ["b'one'", LINK, LINK]


def sign(block: bytearray, at: int = 0) -> None:
    """Give a header of a tar file its checksum."""
    block[at + 148 : at + 156] = b" " * 8
    block[at + 148 : at + 156] = b"%06o\0 " % sum(block[at : at + 512])


def test_a_tar_file_of_another_age_is_known_by_its_checksum(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", PHOTOS)
    block = bytearray(path.read_bytes())
    for start in [i for i in range(0, len(block), 512) if block[i + 257 : i + 262] == b"ustar"]:
        block[start + 257 : start + 265] = bytes(8)
        sign(block, start)
    path.write_bytes(block)
    assert read(path) == PHOTOS


def test_archives_one_after_the_other_in_xz_are_read(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", PHOTOS).read_bytes()
    parts = [lzma.compress(part, preset=0) for part in (whole[:2000], whole[2000:])]
    (tmp_path / "a.tar.xz").write_bytes(bytes(8).join(parts))
    assert read(tmp_path / "a.tar.xz") == PHOTOS


def test_names_are_read_as_they_were_meant_and_what_hides_is_passed_over(tmp_path: Path) -> None:
    names = ("cat/1.jpg", "cat/._1.jpg", "__MACOSX/cat/1.jpg", ".git/2.jpg", "./dog/3.jpg")
    files = {name: name.encode() for name in names}
    for write in (write_zip, write_tar):
        assert list(read(write(tmp_path / "a", files))) == ["cat/1.jpg", "dog/3.jpg"]
    path = write_zip(tmp_path / "a.zip", {"cat/1.jpg": b"1", "xxxxxx/2.jpg": b"2"})
    data = path.read_bytes().replace(b"xxxxxx/2", "Zürch\\2".encode()).replace(b"cat/1", b"cat\\1")
    path.write_bytes(data)
    assert read(path) == {"cat/1.jpg": b"1", "Zürch/2.jpg": b"2"}
    # bytes that are no UTF-8 are read where one encoding is clearly meant
    assert read(write_tar(tmp_path / "a.tar", {"caf\udce9/1.jpg": b"1"})) == {"café/1.jpg": b"1"}


ESCAPES = ["../../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "C:\\evil.jpg", "\\\\host\\evil.jpg", "..\\evil.jpg",
           "c:evil.jpg", "a\nb/evil.jpg", "a\x1b[2Jevil.jpg", "a\x9bevil.jpg"]  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leads_out_is_refused_and_said(name: str, tmp_path: Path) -> None:
    for write in (write_zip, write_tar):
        found = read(write(tmp_path / "a", {name: b"evil", "good.jpg": b"good"}))
        [(shown, reason)] = [item for item in found.items() if item[0] != "good.jpg"]
        assert (reason, found["good.jpg"]) == (OUT, b"good")
        assert shown.isprintable()
        assert not shown.startswith("/")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("name", "shown"), [("evil.jpgX.jpg", "evil.jpg\ufffd.jpg"), ("X1.jpg", "\ufffd1.jpg")]
)
def test_a_nul_in_a_zip_name_hides_nothing(name: str, shown: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {name: b"1", "2.jpg": b"2"})
    path.write_bytes(path.read_bytes().replace(name.encode(), name.replace("X", "\0").encode()))
    assert read(path) == {shown: OUT, "2.jpg": b"2"}


def test_a_refused_name_is_cut_before_it_is_handed_on(tmp_path: Path) -> None:
    [(name, reason)] = read(write_tar(tmp_path / "a", {"a/" * 5000 + "x.jpg": b"1"})).items()
    assert (len(name), "more than 1,000 characters" in str(reason)) == (1001, True)


def test_names_are_judged_without_an_archive_too() -> None:
    assert tidy_name("a//./b.jpg") == ("a/b.jpg", "")
    assert tidy_name("..") == ("..", OUT)
    assert tidy_name("a..b/c...jpg") == ("a..b/c...jpg", "")
    assert all(map(is_photo_name, ("a/B.JPG", "a.webp")))
    assert not any(map(is_photo_name, ("a.jpg/readme", "a.mat")))


def test_a_tar_gives_only_files(tmp_path: Path) -> None:
    kinds: dict[str, tuple[bytes, str | bytes | None]] = {
        "link.jpg": (tarfile.SYMTYPE, LINK),
        "hard.jpg": (tarfile.LNKTYPE, LINK),
        "char.jpg": (tarfile.CHRTYPE, DEVICE),
        "block.jpg": (tarfile.BLKTYPE, DEVICE),
        "pipe.jpg": (tarfile.FIFOTYPE, DEVICE),
        "folder.jpg": (tarfile.DIRTYPE, None),
        "contiguous.jpg": (tarfile.CONTTYPE, b"abc"),
        "other.jpg": (b"Z", "is of a kind that is not read here"),
        "good.jpg": (tarfile.REGTYPE, b"abc"),
    }
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, (kind, _) in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            info.size = 3 if kind in (tarfile.CONTTYPE, b"Z", tarfile.REGTYPE) else 0
            archive.addfile(info, io.BytesIO(b"abc"))
    assert read(tmp_path / "a.tar.gz") == {
        name: told for name, (_, told) in kinds.items() if told is not None
    }


def test_a_zip_gives_only_files(tmp_path: Path) -> None:
    modes = {"link.jpg": stat.S_IFLNK, "pipe.jpg": stat.S_IFIFO, "file.jpg": stat.S_IFREG, "plain.jpg": 0}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, mode in modes.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (mode | 0o777) << 16
            archive.writestr(info, b"abc")
        archive.mkdir("folder.jpg")
    found = {"link.jpg": LINK, "pipe.jpg": DEVICE, "file.jpg": b"abc", "plain.jpg": b"abc"}
    assert read(tmp_path / "a.zip") == found


def test_a_sparse_file_is_refused_and_the_next_one_found(tmp_path: Path) -> None:
    with (tmp_path / "1.jpg").open("wb") as f:
        for i in range(30):  # more pieces than fit into one header
            f.seek(i * 200_000)
            f.write(b"x")
    (tmp_path / "2.jpg").write_bytes(b"two")
    for layout in ("gnu", "posix"):
        command = ["tar", "-cSf", "a.tar", f"--format={layout}", "1.jpg", "2.jpg"]
        subprocess.run(command, cwd=tmp_path, check=True)
        assert (tmp_path / "a.tar").stat().st_size < 2 * MB
        found = read(tmp_path / "a.tar")
        assert found.pop("2.jpg") == b"two"
        assert "stored with holes" in str(found.popitem()[1])


def change(data: bytearray, record: bytes, offset: int, new: bytes) -> None:
    """Change the first record of that kind in a zip file."""
    at = data.find(record) + offset
    data[at : at + len(new)] = new


@pytest.mark.parametrize(
    ("changes", "method", "words"),
    [
        ([(LOCAL, 6, b"\1"), (CENTRAL, 8, b"\1")], zipfile.ZIP_DEFLATED, "is encrypted; pack it again without"),
        # one that points outside of the file
        ([(CENTRAL, 42, struct.pack("<I", 2**31))], zipfile.ZIP_DEFLATED, "is damaged in the archive"),
        ([(LOCAL, 33, b"9")], zipfile.ZIP_STORED, "is damaged in the archive; fetch the archive again"),
        ([(LOCAL, 35, b"9")], zipfile.ZIP_STORED, "is damaged in the archive; fetch the archive again"),
        ([(CENTRAL, 10, b"\x0c")], zipfile.ZIP_STORED, "packed in a way that is not read here"),
        ([(CENTRAL, 10, b"\x0e")], zipfile.ZIP_STORED, "packed in a way that is not read here"),
    ],
)  # fmt: skip
def test_a_member_of_a_zip_that_cannot_be_read_is_refused_and_the_others_are_read(
    changes: list[tuple[bytes, int, bytes]], method: int, words: str, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "a.zip", {"1.jpg": b"1", "2.jpg": b"2"}, method)
    data = bytearray(path.read_bytes())
    for record, offset, new in changes:
        change(data, record, offset, new)
    path.write_bytes(data)
    found = read(path)
    assert (words in str(found.pop("1.jpg")), found) == (True, {"2.jpg": b"2"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_too_large_is_refused_and_the_others_are_read(kind: str, tmp_path: Path) -> None:
    sizes = {"1.jpg": 1, "large.jpg": 600_001, "just.jpg": 600_000, "3.jpg": 3}
    files = {name: os.urandom(size) for name, size in sizes.items()}
    found = read(KINDS[kind](tmp_path / "a", files), limits=ReadLimits(member_bytes=600_000))
    assert found == {**files, "large.jpg": "is larger than 1 MB"}


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"bomb.jpg": bytes(50 * MB), "good.jpg": b"good"})
    data = bytearray(path.read_bytes())
    for record, offset in ((LOCAL, 22), (CENTRAL, 24)):
        change(data, record, offset, struct.pack("<I", 1000))
    path.write_bytes(data)
    with no_more_memory_than(10):
        found = read(path, limits=ReadLimits(member_bytes=2 * MB))
    assert found == {"bomb.jpg": "is damaged in the archive; fetch the archive again", "good.jpg": b"good"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("limits", [ReadLimits(), ReadLimits(member_bytes=2**41)])
def test_a_tar_header_that_promises_gigabytes_is_found_out(
    limits: ReadLimits, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    info = tarfile.TarInfo("1.jpg")
    info.size = 2**40
    (tmp_path / "a").write_bytes(pack(info.tobuf() + b"abc"))
    assert read_until_error(tmp_path / "a", limits=limits) == ([], DAMAGED.format(tmp_path / "a"))


@pytest.mark.parametrize("where", ["bomb.jpg", "bomb.bin", "behind"])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, partial(lzma.compress, preset=0)])
def test_a_bomb_in_a_tar_ends_the_reading_wanted_or_not_or_behind_the_last_member(
    pack: Callable[[bytes], bytes], where: str, tmp_path: Path
) -> None:
    bomb = bytes(20 * MB)
    files = {"1.jpg": b"1"} if where == "behind" else {"1.jpg": b"1", where: bomb, "2.jpg": b"2"}
    path = tmp_path / "a"
    path.write_bytes(pack(write_tar(tmp_path / "t", files).read_bytes() + bomb * (where == "behind")))
    with no_more_memory_than(12):
        members, said = read_until_error(path, limits=SMALL)
    assert members == [Member("1.jpg", b"1")]
    assert all(words in said for words in ("a has", "unpacks to more than", "unpack it yourself"))
    # the usual limits allow 64 MB and more
    assert list(read(path, limits=ReadLimits(member_bytes=MB))) == [n for n in files if n != "bomb.bin"]


def test_members_that_overlap_are_bounded_by_their_sum(tmp_path: Path) -> None:
    """A directory that names the same packed megabyte five hundred times, as the quoted bombs do."""
    path = write_zip(tmp_path / "a.zip", {"0.jpg": bytes(MB)})
    data = path.read_bytes()
    start, end = data.find(b"PK\1\2"), data.find(b"PK\5\6")
    entry = data[start:end]
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 500, 500, 500 * len(entry), start, 0)
    path.write_bytes(data[:start] + entry * 500 + tail)
    members, said = read_until_error(path, limits=SMALL)
    assert len(members) == 1
    assert "unpacks to more than" in said


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_is_limited_whatever_the_ratio(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path / "a", {f"{i}.jpg": os.urandom(300_000) for i in range(4)})
    limits = ReadLimits(total_bytes=800_000)
    if kind == "tar":  # what is not packed is as large as it is
        assert len(read(path)) == 4
    else:
        members, said = read_until_error(path, limits=limits)
        assert (len(members), "more than 1 MB" in said) == (2, True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_members_is_limited(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path / "a", {f"{i}.txt": b"" for i in range(20)})
    assert read(path, limits=ReadLimits(members=20)) == {}
    _, said = read_until_error(path, limits=ReadLimits(members=19))
    assert "more than 19 files" in said


def test_a_giant_table_of_contents_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{i:0200d}.jpg": b"" for i in range(30)})
    assert len(read(path)) == 30
    monkeypatch.setattr(zips, "_MAX_DIRECTORY", 6000)
    assert "a table of contents of" in read_until_error(path)[1]


def _with_note(kind: bytes, size: int, note: bytes, tmp_path: Path) -> Path:
    """A tar.gz of one photo, and one behind an extended header."""
    info = tarfile.TarInfo("note")
    info.type, info.size = kind, size
    good = write_tar(tmp_path / "t", {"1.jpg": b"1"}).read_bytes()[:1024]
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(good + info.tobuf() + note + bytes(-len(note) % 512) + good + bytes(1024)))
    return path


@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
def test_a_giant_extended_header_is_not_taken_into_memory(kind: bytes, tmp_path: Path) -> None:
    path = _with_note(kind, 7 * 2**30, bytes(30 * MB), tmp_path)
    with no_more_memory_than(4):
        members, said = read_until_error(path)
    assert members == [Member("1.jpg", b"1")]
    assert "a header of 7,168 MB" in said


@pytest.mark.parametrize(
    "note",
    [b"x" * 100, b"0 path=a\n", b"999 path=a.jpg\n", b"-5 path=a\n", b"16 size=-100000\n", b"5 abc", b" =", b"7 size=",
     b"33 size=1000000000000000000000\n\n", "٣ a=b".encode(), b"1" * (MB - 512)],
    ids=lambda note: str(note[:20]),
)  # fmt: skip
def test_a_broken_extended_header_is_damage_and_takes_no_time(note: bytes, tmp_path: Path) -> None:
    """Python's own tarfile needs quadratic time for a megabyte of digits up to 3.11.9."""
    start = time.perf_counter()
    members, said = read_until_error(_with_note(tarfile.XHDTYPE, len(note), note, tmp_path))
    assert time.perf_counter() - start < 2
    assert members == [Member("1.jpg", b"1")]
    assert "damaged or cut off" in said


@pytest.mark.parametrize("what", ["chain of headers", "negative size"])
def test_headers_that_make_no_sense_are_damage(what: str, tmp_path: Path) -> None:
    note, photo = tarfile.TarInfo("note"), bytearray(tarfile.TarInfo("1.jpg").tobuf())
    note.type = tarfile.XHDTYPE
    if what == "negative size":
        photo[124:136] = b"\xff" * 11 + b"\0"
        sign(photo)
    else:
        photo[:0] = note.tobuf() * 20_000
    (tmp_path / "a.tar").write_bytes(photo + bytes(1024))
    assert read_until_error(tmp_path / "a.tar") == ([], DAMAGED.format(tmp_path / "a.tar"))


def test_an_xz_file_may_not_ask_for_gigabytes_of_memory(tmp_path: Path) -> None:
    packed = bytearray(lzma.compress(write_tar(tmp_path / "t", PHOTOS).read_bytes()))
    length = (packed[12] + 1) * 4
    assert packed[14:16] == b"\x21\x01"
    packed[16] = 38  # a dictionary of 2 GB
    packed[12 + length - 4 : 12 + length] = struct.pack("<I", zlib.crc32(packed[12 : 12 + length - 4]))
    (tmp_path / "a.tar.xz").write_bytes(packed)
    members, said = read_until_error(tmp_path / "a.tar.xz")
    assert not members
    assert "too much memory" in said


@pytest.mark.parametrize("kind", TARS)
def test_a_cut_archive_gives_what_stands_before_the_cut(kind: str, tmp_path: Path) -> None:
    files = {f"{i}.jpg": os.urandom(200_000) for i in range(3)}
    path = KINDS[kind](tmp_path / "photos", {**files, "last.bin": os.urandom(400_000)})
    whole = path.read_bytes()
    for share, given in ((0.35, ["0.jpg"]), (0.8, list(files))):  # in a photo, and in what is not wanted
        path.write_bytes(whole[: int(len(whole) * share)])
        members, said = read_until_error(path)
        assert {m.name: m.data for m in members} == {name: files[name] for name in given}
        assert said == DAMAGED.format(path)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_flipped_bit_is_noticed(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path / "a", {f"{i}.jpg": os.urandom(200_000) for i in range(2)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert "damaged" in read_until_error(path)[1]


def test_a_cut_header_behind_an_extended_one_is_noticed(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", {"1.jpg": b"1", "x" * 200 + ".jpg": b"2"}, "w").read_bytes()
    second = whole.find(b"././@LongLink")
    second = second if second > 0 else whole.find(b"././@PaxHeader")
    assert second == 1024
    for end in (second + 300, second + 512, second + 1024, second + 1100):
        (tmp_path / "a.tar").write_bytes(whole[:end])
        members, said = read_until_error(tmp_path / "a.tar")
        assert members == [Member("1.jpg", b"1")]
        assert "cut off" in said


@pytest.mark.parametrize("end", [0.3, 0.9, 0.99])
def test_a_cut_zip_is_said_to_be_cut(end: float, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", PHOTOS)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * end)])
    assert read_until_error(path) == ([], DAMAGED.format(path))


@pytest.mark.parametrize("step", [41, pytest.param(3, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("kind", KINDS)
def test_any_flipped_byte_ends_in_a_sentence_or_in_photos(kind: str, step: int, tmp_path: Path) -> None:
    """A small fuzz: whatever the damage, nothing but ArchiveError comes out."""
    whole = KINDS[kind](tmp_path / "a", {f"{i}.jpg": b"%d" % i * 30 for i in range(3)}).read_bytes()
    raised = 0
    for at in range(0, min(len(whole), 2200), step):
        data = bytearray(whole)
        data[at] ^= 0xFF
        (tmp_path / "a").write_bytes(data)
        try:
            list(read_archive(tmp_path / "a", lambda name: True, limits=SMALL))
        except ArchiveError:
            raised += 1
    assert raised


NO_ARCHIVE = "page is no zip, tar, tar.gz, tar.bz2 or tar.xz file"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>", f"{NO_ARCHIVE}. It is a web page"),
        *((content, f"{NO_ARCHIVE}. Unpack it") for content in (bytes(20_000), b"", b"hello" * 999)),
        (gzip.compress(b"\xff\xd8\xff" * 1000), "packed, but holds no tar file"),
    ],
    ids=range(5),
)
def test_what_is_no_archive_is_told_what_is_one(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(content)
    assert words in read_until_error(tmp_path / "page")[1]


def test_a_tar_that_ends_with_a_zip_is_a_tar_and_a_zip_behind_a_program_a_zip(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "b.zip", {"inner.jpg": b"1"})
    path = write_tar(tmp_path / "a", {"outer.jpg": b"2", "b.zip": inner.read_bytes()})
    assert zipfile.is_zipfile(path)
    assert read(path) == {"outer.jpg": b"2"}
    inner.write_bytes(b"#!/bin/sh\nexit\n" + inner.read_bytes())
    assert read(inner) == {"inner.jpg": b"1"}


def test_a_missing_file_is_named_and_another_name_is_used_where_given(tmp_path: Path) -> None:
    assert str(tmp_path / "a.zip") in read_until_error(tmp_path / "a.zip")[1]
    assert "There is no file s3://b/a.zip" in read_until_error(tmp_path, called="s3://b/a.zip")[1]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_caller_is_not_called_damage(kind: str, tmp_path: Path) -> None:
    def ask(name: str) -> bool:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        list(read_archive(KINDS[kind](tmp_path / "a", PHOTOS), ask))


def test_an_archive_that_is_left_early_is_closed(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from fastclf.collect.archives import read_archive\n"
        "for p in sys.argv[1:]:\n"
        "    members = read_archive(pathlib.Path(p), lambda name: True)\n"
        "    next(members); members.close()\n"
    )
    paths = [KINDS[kind](tmp_path / kind, PHOTOS) for kind in KINDS]
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
