"""A project that a stranger made is refused in one sentence, whatever stands in its zip file, and nothing is written."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf.errors import FastclfError
from fastclf.received import import_project, read_project
from fastclf.received.project_zip import read_photos

from ..drawing import bad_files, encode, png_with_size
from .taught import describe_project, draw_members, pack_zip, write_project, write_zip

Change = Callable[[dict[str, Any], dict[str, bytes]], object]
FIRST = "photos/0/00000.jpg"


def put(*place: Any) -> Change:
    """Put the last of the arguments where the others lead."""
    *above, last, value = place

    def change(values: Any, members: object) -> None:
        for key in above:
            values = values[key]
        values[last] = value

    return change


def drop(name: str) -> Change:
    return lambda values, members: values.pop(name)


def swap_photo(data: bytes, *, told: bool = True) -> Change:
    """Another photo in the place of the first one; its hash is told."""

    def change(values: dict[str, Any], members: dict[str, bytes]) -> None:
        members[FIRST] = data
        if told:
            values["photos"][0]["sha256"] = hashlib.sha256(data).hexdigest()

    return change


def lead_out(values: dict[str, Any], members: dict[str, bytes]) -> None:
    values["photos"][0]["file"] = "photos/0/../../x.jpg"
    members["photos/0/../../x.jpg"] = members.pop(FIRST)


def one_group(values: dict[str, Any], members: object) -> None:
    values["photos"][0]["group"] = values["photos"][5]["group"]


def learn_nothing(values: dict[str, Any], members: object) -> None:
    for photo in values["photos"]:
        if photo["label"] == 1:
            photo["split"] = "valid"


def many_photos(values: dict[str, Any], members: object) -> None:
    values["photos"] = values["photos"] * 1200


def not_a_number(values: dict[str, Any], members: object) -> None:
    weight = np.frombuffer(base64.b64decode(values["head"]["weight"]), "<f4").copy()
    weight[7] = np.nan
    values["head"]["weight"] = base64.b64encode(weight.tobytes()).decode()


def other_width(values: dict[str, Any], members: object) -> None:
    values["head"]["shape"] = [3, 1]
    values["head"]["weight"] = base64.b64encode(bytes(12)).decode()


# what is changed in the project, and the words that the sentence has to hold
VALUES: dict[str, tuple[Change, str]] = {
    "a later version": (put("fastclf_project", 2), "version 2"),
    "no version": (drop("fastclf_project"), "fastclf_project is None"),
    "a truth for a number": (put("fastclf_project", True), "fastclf_project is True"),
    "one class": (put("vocab", ["red"]), "vocab is"),
    "a thousand and one classes": (put("vocab", [f"c{n}" for n in range(1001)]), "vocab is"),
    "a class twice": (put("vocab", ["a", "b", "a"]), "there once"),
    "a class twice in two spellings": (put("vocab", ["b\u00e4r", "ba\u0308r", "c"]), "there once"),
    "a class without a name": (put("vocab", ["a", " ", "c"]), "a name of 1 to 60"),
    "an endless class": (put("vocab", ["a", "b" * 61, "c"]), "a name of 1 to 60"),
    "a class with a line end": (put("vocab", ["a", "b\n", "c"]), "a name of 1 to 60"),
    "a class that is no text": (put("vocab", ["a", "\ud800", "c"]), "a name of 1 to 60"),
    "a class that is a list": (put("vocab", ["a", [], "c"]), "a name of 1 to 60"),
    "a title of a page": (put("title", "x" * 201), "title is"),
    "no backbone": (drop("backbone"), "backbone is None"),
    "another precision": (put("backbone", "precision", "int4"), "int8 or float32"),
    "a precision that is a list": (put("backbone", "precision", []), "int8 or float32"),
    "weights that are no numbers": (not_a_number, "finite float32 numbers"),
    "fewer weights than declared": (put("head", "weight", "AAAA"), "finite float32 numbers"),
    "weights that are no base64": (put("head", "bias", "!" * 16), "finite float32 numbers"),
    "weights of another alphabet": (put("head", "bias", "\u00e9" * 16), "finite float32 numbers"),
    "a shape of other classes": (put("head", "shape", [4, 1280]), "head.shape"),
    "a shape of terabytes": (put("head", "shape", [3, 2**40]), "head.shape"),
    "a shape below zero": (put("head", "shape", [3, -1280]), "head.shape"),
    "an endless strength": (put("head", "strength", 1e308), "head.strength"),
    "a strength of any digits": (put("head", "strength", 10**400), "head.strength"),
    "a thousand strengths tried": (put("head", "tried", [{}] * 1000), "head.tried"),
    "more right than there are": (put("judged", "right", 19), "judged.right"),
    "an interval upside down": (put("judged", "interval", [0.9, 0.1]), "judged.interval"),
    "no photos": (put("photos", []), "photos is"),
    "too many photos": (many_photos, "photos is"),
    "a photo twice": (lambda v, m: v["photos"].append(v["photos"][0]), "there once"),
    "a photo that leads out": (lead_out, "file of a photo"),
    "a photo in another class's folder": (put("photos", 0, "label", 1), "file of a photo"),
    "a photo of no class": (put("photos", 0, "label", 3), "0 to 2"),
    "a photo of another kind": (put("photos", 0, "file", "photos/0/00000.svg"), "file of a photo"),
    "a photo of a hidden name": (put("photos", 0, "file", "photos/0/.htaccess.jpg"), "file of a photo"),
    "a photo with figures of another script": (put("photos", 0, "file", "photos/0/\u0661.jpg"), "file of a photo"),
    "a hash of another length": (put("photos", 0, "sha256", "ab"), "64 hexadecimal digits"),
    "a photo of the test set": (put("photos", 0, "split", "test"), "train or valid"),
    "a group on both sides": (one_group, "stands in train and in valid"),
    "a class that nothing was learned of": (learn_nothing, "nothing was learned of green"),
    "no answers": (put("parity", []), "parity is"),
    "an answer about another photo": (put("parity", 0, "file", "photos/0/99999.jpg"), "one of the photos"),
    "probabilities of two": (put("parity", 0, "probabilities", [1, 1, 0]), "sum is 1"),
    "fewer probabilities": (put("parity", 0, "probabilities", [1]), "probabilities is"),
    "probabilities that are none": (put("parity", 0, "probabilities", [1, None, 0]), "finite numbers"),
    "another photo than was taught": (swap_photo(b"\xff\xd8 another", told=False), "its hash differs"),
    "a photo that is none": (swap_photo(bad_files()["page.jpg"][0]), "web page"),
    "a photo of a billion pixels": (swap_photo(png_with_size(60_000, 60_000)), "pixels"),
    "a photo larger than a page keeps": (swap_photo(encode(Image.new("1", (5000, 4000)), "PNG")), "megapixels"),
    "a photo cut off": (swap_photo(bad_files()["cut.jpg"][0]), "cut off"),
    "a photo too few": (lambda v, m: m.pop(FIRST), "lacks 1 of its photos"),
    "a photo too many": (lambda v, m: m.update({"photos/0/99999.jpg": m[FIRST]}), "does not name"),
    "a program": (lambda v, m: m.update({"run.py": b"import os"}), "holds run.py"),
}  # fmt: skip


def read(file: Path) -> None:
    project = read_project(file)
    for _ in read_photos(file, project):
        pass


@pytest.mark.parametrize("name", VALUES)
def test_what_a_stranger_put_into_a_project_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    change, words = VALUES[name]
    file = write_project(tmp_path / "project.zip", change)
    with pytest.raises(FastclfError, match=words) as caught:
        read(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def members(**more: bytes) -> dict[str, bytes]:
    return {"project.json": json.dumps(describe_project()).encode(), **draw_members(), **more}


def raw(text: bytes) -> Callable[[], bytes]:
    return lambda: pack_zip({**members(), "project.json": text})


def twice(name: str) -> Callable[[], bytes]:
    """A member that stands in the zip file twice, which zip files allow."""

    def build() -> bytes:
        # another name of the same length, changed in the bytes
        other = "z" * len(name)
        data = pack_zip({**members(), other: members()[name]})
        return data.replace(other.encode(), name.encode())

    return build


def special(mode: int) -> Callable[[], bytes]:
    """A member that is a link or a device instead of a file."""

    def build() -> bytes:
        data = bytearray(pack_zip(members()))
        at = data.rindex(b"PK\1\2", 0, data.rindex(FIRST.encode()))
        data[at + 5] = 3  # written on Unix, where the upper half are the file's mode
        struct.pack_into("<I", data, at + 38, mode << 16)
        return bytes(data)

    return build


def encrypted() -> bytes:
    data = bytearray(pack_zip(members()))
    at = data.rindex(b"PK\1\2", 0, data.rindex(FIRST.encode()))
    data[at + 8] |= 1
    return bytes(data)


ZIPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip file": (lambda: b"no zip file at all", "no zip"),
    "an empty file": (lambda: b"", "no zip"),
    "cut off": (lambda: pack_zip(members())[:5000], "damaged or cut off"),
    "without project.json": (lambda: pack_zip(dict(draw_members())), "holds no files project.json"),
    "project.json twice": (twice("project.json"), "holds 2 files"),
    "a photo twice in the zip file": (twice(FIRST), "names once"),
    "a link for a photo": (special(stat.S_IFLNK | 0o777), "is a link"),
    "a device for a photo": (special(stat.S_IFCHR | 0o666), "is a device"),
    "encrypted": (encrypted, "is encrypted"),
    "another packing": (lambda: pack_zip(members(), zipfile.ZIP_BZIP2), "packed in a way"),
    "a text of gigabytes": (lambda: pack_zip({"project.json": bytes(70 * 2**20)}, zipfile.ZIP_DEFLATED), "larger than 64 MB"),
    "a photo of many megabytes": (
        lambda: pack_zip(members(**{FIRST: bytes(70 * 2**20)}), zipfile.ZIP_DEFLATED), "larger than 64 MB"),
    "more bytes than photos have": (
        lambda: pack_zip(members(**{f"photos/9/{n}.jpg": bytes(40 * 2**20) for n in range(2)}), zipfile.ZIP_DEFLATED),
        "unpacks to more|does not name"),
    "NaN": (raw(b'{"fastclf_project": NaN}'), "cannot be read"),
    "a name twice": (raw(b'{"fastclf_project": 1, "fastclf_project": 1}'), "cannot be read"),
    "a list": (raw(b"[]"), "an object"),
    "lists in lists": (raw(b"[" * 100_000), "cannot be read"),
    "no UTF-8": (raw(b'{"a": "\xff"}'), "cannot be read"),
    "a number of a million digits": (raw(b'{"fastclf_project": 1' + b"0" * 10**6 + b"}"), "cannot be read"),
    "nothing": (raw(b""), "cannot be read"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_file_that_is_none_of_a_project_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    build, words = ZIPS[name]
    file = tmp_path / "project.zip"
    file.write_bytes(build())
    with pytest.raises(FastclfError, match=words) as caught:
        read(file)
    assert "\n" not in str(caught.value)


def test_a_good_project_is_read_whole_whatever_its_packing(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        write_zip(tmp_path / "project.zip", members(**{"README.txt": b"Hello"}), method)
        project = read_project(tmp_path / "project.zip")
        found = {one.photo.file: one.data for one in read_photos(tmp_path / "project.zip", project)}
        assert found == draw_members()


@pytest.mark.parametrize(
    "change", [other_width, put("backbone", "features_id", "0" * 64), put("backbone", "name", "vit")]
)
def test_a_project_of_another_network_is_refused_before_anything_is_written(
    change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path / "project.zip", change)
    with pytest.raises(FastclfError, match=r"MODEL|features"):
        import_project("project.zip")
    assert not (tmp_path / "model").exists()
    if change is not other_width:  # which shows when the features are there
        assert [path.name for path in tmp_path.iterdir()] == ["project.zip"]


@pytest.mark.parametrize("name", ["a photo too few", "a photo that is none", "another photo than was taught"])
def test_a_fault_in_the_last_photo_leaves_no_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path / "project.zip", VALUES[name][0])
    with pytest.raises(FastclfError, match=VALUES[name][1]):
        import_project("project.zip", photos="p")
    assert [path.name for path in tmp_path.iterdir()] == ["project.zip"]
