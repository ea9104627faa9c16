"""Names in archives of other systems, and the splits that their folders name."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import pytest

from fastclf.collect import collect_photos
from fastclf.collect.archives import is_photo_name, read_archive
from fastclf.collect.labelling import LabelRule
from fastclf.collect.named_splits import NamedSplits
from fastclf.errors import ArchiveError, PhotosError, UsageError
from fastclf.system import hash_file

from .conftest import folder_recipe, jpeg, write_tar, write_zip


def write_old_zip(path: Path, names: list[bytes], extra: bytes = b"") -> Path:
    """Write a zip file whose names are bytes of which it does not say what they mean."""
    with zipfile.ZipFile(path, "w") as archive:
        for i, name in enumerate(names):
            info = zipfile.ZipInfo("x" * len(name))
            info.extra = extra
            archive.writestr(info, str(i))
    data = path.read_bytes()
    for name in names:
        data = data.replace(b"x" * len(name), name, 1)
    head, mark, directory = data.partition(b"PK\x01\x02")
    for name in names:
        directory = directory.replace(b"x" * len(name), name, 1)
    path.write_bytes(head + mark + directory)
    return path


def read(path: Path, encoding: str = "") -> list[str]:
    return [member.name for member in read_archive(path, is_photo_name, encoding=encoding)]


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["Bär/1.jpg", "Hündin/22.jpg"], "utf-8"), (["狗/1.jpg"], "utf-8"), (["Bär/1.jpg", "Hündin/22.jpg"], "cp1252"),
        (["Bär/1.jpg", "Hündin/22.jpg"], "cp850"), (["кот/1.jpg"], "cp866"), (["plain/1.jpg"], "ascii"),
    ],
)  # fmt: skip
def test_a_name_is_read_where_one_encoding_is_meant(tmp_path: Path, names: list[str], encoding: str) -> None:
    path = write_old_zip(tmp_path / "a.zip", [name.encode(encoding) for name in names])
    assert read(path) == names


@pytest.mark.parametrize(
    ("name", "encoding"), [("狗/1.jpg", "gbk"), ("貓/1.jpg", "big5"), ("いぬ/1.jpg", "shift_jis"), ("개/1.jpg", "euc_kr")]
)  # fmt: skip
def test_a_name_that_could_mean_several_things_is_asked_for(tmp_path: Path, name: str, encoding: str) -> None:
    path = write_old_zip(tmp_path / "a.zip", [name.encode(encoding)])
    try:
        assert read(path) == [name]
    except ArchiveError as e:
        assert f"{name} in {encoding}" in str(e)
        assert "--names-encoding" in str(e)
    assert read(path, encoding) == [name]


def test_the_names_in_a_tar_file_are_read_or_asked_for(tmp_path: Path) -> None:
    for name, encoding in (("Bär/1.jpg", "cp1252"), ("狗/1.jpg", "gbk")):
        raw = name.encode(encoding).decode("utf-8", "surrogateescape")
        path = write_tar(tmp_path / "a.tar", {raw: b"1"})
        assert read(path, encoding) == [name]
        if encoding == "cp1252":
            assert read(path) == [name]
        else:
            with pytest.raises(ArchiveError, match=f"{name} in gbk .* --names-encoding"):
                read(path)


def test_the_name_that_an_archive_gives_beside_counts(tmp_path: Path) -> None:
    raw = "狗/1.jpg".encode("gbk")
    body = b"\x01" + zlib.crc32(raw).to_bytes(4, "little") + "狗/1.jpg".encode()
    extra = (0x7075).to_bytes(2, "little") + len(body).to_bytes(2, "little") + body
    assert read(write_old_zip(tmp_path / "a.zip", [raw], extra)) == ["狗/1.jpg"]


def test_an_encoding_that_nobody_knows_is_refused_at_once(tmp_path: Path) -> None:
    recipe = folder_recipe(write_zip(tmp_path / "mine.zip", {}), base=tmp_path)
    with pytest.raises(UsageError, match="no encoding of names"):
        collect_photos(recipe, tmp_path / "photos", bars=False, names_encoding="klingon")
    assert not (tmp_path / "photos").exists()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train/cat/1.jpg", "val/cat/2.jpg", "test/cat/3.jpg"], ["train", "valid", "test"]),
        (["a/Training/cat/1.jpg", "a/Testing/cat/2.jpg"], ["", "test"]),
        (
            ["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg", "dog/test/4.jpg"],
            ["", "test", "", "test"],
        ),
        (["train/1.jpg", "car/2.jpg", "bus/3.jpg"], ["", "", ""]),
        (["test/cat/1.jpg", "test/dog/1.jpg"], ["", ""]),
    ],
)
def test_the_folders_of_an_archive_name_splits(names: list[str], found: list[str]) -> None:
    splits = NamedSplits(names, LabelRule(), "a.zip")
    assert [splits.find(name) for name in names] == found


def test_splits_without_classes_in_an_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="named like splits"):
        NamedSplits(["train/1.jpg", "test/2.jpg"], LabelRule(), "a.zip")
    rule = LabelRule(by="pattern", pattern=r"^(\w+)_")
    assert NamedSplits(["train/a_1.jpg", "test/b_1.jpg"], rule, "a.zip").find("test/b_1.jpg") == "test"


def test_a_photo_of_an_archives_test_folder_stays_sealed(tmp_path: Path) -> None:
    names = [
        f"{split}/{label}/{i}.jpg"
        for split in ("train", "valid", "test")
        for label in ("ant", "bee")
        for i in "12"
    ]
    files = {name: jpeg(name) for name in names} | {
        "train/ant/odd.jpg_large": jpeg("odd"),
        "train/ant/a.x": b"none",
    }
    summary = collect_photos(
        folder_recipe(write_zip(tmp_path / "mine.zip", files), base=tmp_path), tmp_path / "photos", bars=False
    )
    from fastclf import Catalog

    with Catalog(tmp_path / "photos") as catalog:
        catalog.scan()
        photos = catalog.photos().photos
        splits = [photo.split for photo in photos]
    assert (len(photos), splits.count("test"), splits.count("valid")) == (13, 4, 4)
    assert {hash_file(photo.path) for photo in photos} == {photo.sha256 for photo in photos}
    assert any("1 other file" in note for note in summary.notes)
