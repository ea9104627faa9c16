"""What folders are taken for: classes, splits, data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from fastclf.errors import PhotosError, UnreadablePhotoError
from fastclf.photos import (
    build_tree,
    decode_photo,
    find_class_folder,
    find_layout,
    read_split_name,
    walk_photos,
)

PHOTO = b"\xff\xd8\xff\xe0 begins like a photo"


def fill(folder: Path, *names: str) -> Path:
    """Write photos; a name that ends with a slash is an empty folder, one with a suffix of its own a file."""
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        files = [path] if "." in path.name else [path / f"{i}.jpg" for i in range(2)]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(PHOTO if file.suffix == ".jpg" else b"no photo")
    return folder


def tell(folder: Path) -> tuple[set[str], set[str]]:
    """Return the classes and the splits that photos have."""
    files = walk_photos(folder).files
    return {file.label for file in files}, {file.split for file in files}


CLASSES = {"cat", "dog"}
LAYOUTS = {
    "plain": (["cat", "dog"], {""}),
    "below": (["cat/2023/may", "dog/2024"], {""}),
    "train and valid": (["train/cat", "train/dog", "valid/cat", "valid/dog"], {"train", "valid"}),
    "with fastai's models": (["train/cat", "train/dog", "valid/cat", "models/"], {"train", "valid"}),
    "with weights": (["train/cat", "train/dog", "valid/cat", "models/best.pth"], {"train", "valid"}),
    "from a Mac": (["train/cat", "train/dog", "val/cat", "__MACOSX/train/cat/._0.jpg"], {"train", "valid"}),
    "with documents": (["train/cat", "train/dog", "test/dog", "docs/a.md", "figures"], {"train", "test"}),
    "brain tumours": (["Training/cat", "Training/dog", "Testing/cat"], {"train", "test"}),
    "sets": (["training_set/cat", "training_set/dog", "test_set/dog"], {"train", "test"}),
    "Keras": (["training_set/training_set/cat", "training_set/training_set/dog", "test_set/test_set/cat"],
              {"train", "test"}),
    "Intel scenes": (["seg_train/seg_train/cat", "seg_test/seg_test/dog", "seg_pred/seg_pred"],
                     {"train", "test"}),
    "dev": (["TRAIN/cat", "TRAIN/dog", "dev/dog"], {"train", "valid"}),
    "three with eval": (["train/cat", "valid/dog", "eval/dog"], {"train", "valid", "test"}),
    "holdout": (["train/cat", "train/dog", "hold-out/dog"], {"train", "valid"}),
    "Roboflow": (["train/cat", "train/dog", "valid/cat", "test/dog", "README.roboflow.txt"],
                 {"train", "valid", "test"}),
    "images below": (["train_images/cat", "train_images/dog", "test_images/cat"], {"train", "test"}),
    "folder for images": (["train/images/cat", "train/images/dog", "val/images/dog"], {"train", "valid"}),
    "years": (["train2017/cat", "val2017/dog"], {"train", "valid"}),
    "archive": (["archive/dataset/train/cat", "archive/dataset/train/dog", "archive/dataset/test/dog"],
                {"train", "test"}),
    "archive of classes": (["flower_photos/cat", "flower_photos/dog", "LICENSE.txt"], {""}),
    "doubled": (["pets/pets/cat", "pets/pets/dog"], {""}),
    "flat test": (["train/cat", "train/dog", "test"], {"train"}),
    "flat test1": (["train/cat", "train/dog", "test1"], {"train"}),
    "training alone": (["train/cat", "train/dog"], {"train"}),
    "class first": (["cat/train", "cat/test", "dog/train", "dog/test"], {"train", "test"}),
    "class first, three": (["cat/Training", "cat/val", "dog/Training", "dog/test"], {"train", "valid", "test"}),
    "Dutch": (["trainen/cat", "trainen/dog", "testen/cat"], {"train", "test"}),
    "a class called as its split": (["train/cat", "train/dog", "test/cat", "train/dog/test"], {"train", "test"}),
    "another language": (["entrenamiento/cat", "entrenamiento/dog", "validación/dog"], {"train", "valid"}),
    "Chinese": (["训练集/cat", "训练集/dog", "测试集/cat"], {"train", "test"}),
    "one more split": (["train/cat", "train/dog", "valid/cat", "extra/cat", "extra/dog"], {"train", "valid"}),
    "American signs": (["asl_train/asl_train/cat", "asl_train/asl_train/dog", "asl_test/asl_test"], {"train"}),
    "test alone": (["test/cat", "test/dog"], {""}),
    "some with splits": (["cat/train", "cat/test", "dog"], {"train", "test", ""}),
    "German": (["Trainingsdaten/cat", "Trainingsdaten/dog", "Testdaten/dog"], {"train", "test"}),
    "beside code": (["data/train/cat", "data/val/dog", "src/main.py", "figures/plot.jpg"], {"train", "valid"}),
    "packed twice": (["cat", "dog", "pets/cat", "pets/dog"], {""}),
    "loose beside": (["pets/cat", "pets/dog", "me.jpg"], {""}),
    "public and private": (["train/cat", "train/dog", "public_test/cat", "private_test/dog"], {"train", "test"}),
    "NAS": (["cat", "dog", "@eaDir/cat/0.jpg", "#recycle/dog/0.jpg", "cat/@eaDir/0.jpg/SYNO.jpg"], {""}),
    "Windows": (["cat", "dog", "$RECYCLE.BIN/S-1/0.jpg", "System Volume Information/x.jpg"], {""}),
    "notebook": (["cat", "dog", ".ipynb_checkpoints/0.jpg", "cat/.ipynb_checkpoints/0.jpg"], {""}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_classes_are_the_classes(tmp_path: Path, name: str) -> None:
    folders, splits = LAYOUTS[name]
    assert tell(fill(tmp_path, *folders)) == (CLASSES, splits)


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["train", "car", "bus"], {"train", "car", "bus"}),
        (["train", "plane"], {"train", "plane"}),
        (["train/2019", "train/2020", "car", "bus"], {"train", "car", "bus"}),
        (["pictures/2023", "pictures/2024", "drawings"], {"pictures", "drawings"}),
        (["test", "exam", "quiz"], {"test", "exam", "quiz"}),
        (["train", "test", "car", "bus"], {"train", "test", "car", "bus"}),
        (["cat/indoor", "cat/outdoor", "dog/indoor", "dog/outdoor"], {"cat", "dog"}),
        (["bear/camera1", "bear/camera2", "wolf/camera3", "wolf/camera4"], {"bear", "wolf"}),
    ],
)
def test_classes_that_look_like_something_else_are_classes(
    tmp_path: Path, folders: list[str], classes: set[str]
) -> None:
    assert tell(fill(tmp_path, *folders)) == (classes, {""})


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["train", "test"], "named like splits and hold no class folders"),
        (["train", "test1", "labels.csv"], "labels.csv may say"),
        (["train/images", "train/labels/0.txt", "valid/images"], "named like splits"),
        (["train"], "named like splits"),
        (
            ["clothing/hat", "clothing/coat", "signs/stop", "signs/yield"],
            "a folder of data sets: clothing \\(coat, hat\\)",
        ),
        (["bears/train/black", "bears/test/black", "cars/train/bus", "cars/test/bus"], "folder of data sets"),
        (["digits/0", "digits/1", "pets/cat", "pets/dog"], "folder of data sets"),
        (
            ["train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "train/dog.1.jpg", "test1"],
            "class \\(cat, dog",
        ),
        (["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"], "Each of the folders fold1, fold2"),
        (["labeled/cat", "labeled/dog", "unlabeled"], "the folder labeled with classes of its own"),
        (["cat", "dog", "old/train/cat", "old/test/cat"], "the folder old with classes of its own"),
        (["cat_0.jpg", "cat_1.jpg", "dog_0.jpg", "dog_1.jpg"], "the class \\(cat, dog\\)"),
        (["0a.jpg", "0b.jpg", "train.csv"], "train.csv may say which"),
        (["images/0a.jpg", "images/0b.jpg"], "no class folders"),
        (["cat/0.txt", "dog/0.txt"], "none of the 2 files in it is one \\(cat/0.txt"),
        (["cat/", "dog/"], "holds no photos. Make one sub-folder per class"),
        (["v1/train/cat", "v1/train/dog", "v2/train/cat"], "folder of data sets: v1 .train., v2 .train."),
        (["a/train/cat", "a/test/cat", "b/train/cat"], "folder of data sets: a .test, train., b .train."),
        (
            ["train/cat", "train/dog", "train/validation/cat"],
            "validation is named like a split, holds classes",
        ),
        (
            ["train/fold1/cat", "train/fold1/dog", "train/fold2/cat", "train/fold2/dog"],
            "Each of the folders fold1",
        ),
    ],
)
def test_what_would_be_misunderstood_is_refused_in_words(
    tmp_path: Path, folders: list[str], words: str
) -> None:
    with pytest.raises(PhotosError, match=words):
        walk_photos(fill(tmp_path, *folders))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        {name.split("/")[0] for name in folders}
    )


def test_a_class_folder_names_the_folder_above(tmp_path: Path) -> None:
    fill(tmp_path, "hats/hat", "hats/coat")
    with pytest.raises(PhotosError, match=r"hat holds 2 photos.*one of the classes of .*hats. Name that"):
        walk_photos(tmp_path / "hats" / "hat")


@pytest.mark.parametrize(
    ("name", "split"),
    [("Train Set", "train"), ("trn", "train"), ("x-val", ""), ("VALIDATION", "valid"), ("tests", "test"),
     ("test_01", "test"), ("train-test", ""), ("trains", ""), ("developers", ""), ("TestData", "test"),
     ("validation-images", "valid"), ("evaluation", "valid"), ("bullet train", ""), ("latest", "")],
)  # fmt: skip
def test_names_say_splits_in_any_usual_spelling(name: str, split: str) -> None:
    assert read_split_name(name) == split


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("cat/notes.txt", "1 file that is no photo read here was passed over: cat/notes.txt"),
        ("loose.jpg", "1 photo lies beside the class folders.*: loose.jpg"),
        ("models/best.pth", "The folder models holds no photos"),
        ("cat/.secret.jpg", "1 hidden file or folder was passed over: cat/.secret.jpg"),
        ("train/cat", "The folders name splits: train, valid"),
        ("cat/x.dcm", "1 file that is no photo"),
        ("Train/cat", "The folders name splits: Train .train., valid"),
        ("training/labels/0.txt", "The folder training holds no photos"),
    ],
)
def test_what_is_concluded_and_passed_over_is_said(tmp_path: Path, extra: str, words: str) -> None:
    notes = walk_photos(
        fill(tmp_path, *(["valid/cat"] if extra.lower().startswith("train/") else CLASSES), extra)
    ).notes
    assert any(__import__("re").search(words, note) for note in notes), notes


@pytest.mark.parametrize(
    ("folders", "notes"),
    [
        (["train/cat", "train/dog"], ["The folders name splits: train.",
         "No folder holds validation photos, so they are drawn from those in train."]),
        (["cat", "dog", "valid/cat", "valid/dog"],
         ["The folder valid is no split and no class, so its photos were passed over."]),
        (["train", "val", "cat", "dog"],
         [f"{name} is taken for a class, not for a split: it holds photos as the folders beside it do."
          for name in ("train", "val")]),
        (["one/cat", "one/dog", "two/cat", "two/dog"],
         ["The classes are one, two; each holds the folders cat, dog, whose photos are of that class."]),
        (["train/images/cat", "train/labels/0.txt", "val/images/cat"],
         ["The folders name splits: train, val (valid).",
          "The folder train/labels holds no photos and was passed over."]),
    ],
)  # fmt: skip
def test_what_is_concluded_contradicts_itself_in_nothing(
    tmp_path: Path, folders: list[str], notes: list[str]
) -> None:
    assert list(walk_photos(fill(tmp_path, *folders)).notes) == notes


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("scan", bytes(128) + b"DICM" + bytes(9)), ("a.pcx", b"\x0a\5\1\x08" + bytes(90)),
        ("b.ras", b"\x59\xa6\x6a\x95" + bytes(90)), ("c.sgi", b"\x01\xda\1\1" + bytes(90)),
        ("d.pam", b"P7\nWIDTH 2\n"), ("e.eps", b"%!PS-Adobe"), ("f.psd", b"8BPS\0\1" + bytes(9)),
        ("g.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(9)), ("h", b"\0\0\0\x18ftypheic" + bytes(20)),
    ],
)  # fmt: skip
def test_a_picture_that_is_not_read_is_a_named_failure_with_its_format(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (fill(tmp_path, *CLASSES) / "cat" / name).write_bytes(data)
    assert f"cat/{name}" in {file.name for file in walk_photos(tmp_path).files}
    with pytest.raises(UnreadablePhotoError, match=r"(picture|HEIC photo), which is not read"):
        decode_photo(data, name)


def test_system_files_are_not_worth_a_word(tmp_path: Path) -> None:
    fill(tmp_path, *CLASSES, "cat/Thumbs.db", "dog/.DS_Store", "cat/._0.jpg", "desktop.ini", ".git/a.jpg")
    assert walk_photos(tmp_path).notes == ()


@pytest.mark.parametrize(
    "name", ["0", "0.jpg_large", "0.jpg!d", "0.jpg?w=640", "0.JPG ", "0.pjpeg", "0.jpg.1", "0.data", "0.txt"]
)
@pytest.mark.parametrize(("kind", "start"), [("JPEG", None), ("PNG", None), ("PPM", b"P6"), ("WEBP", None)])
def test_bytes_decide_what_a_photo_is(tmp_path: Path, name: str, kind: str, start: bytes | None) -> None:
    fill(tmp_path, *CLASSES)
    Image.new("RGB", (3, 3)).save(tmp_path / "cat" / name, kind)
    assert name in {file.path.name for file in walk_photos(tmp_path).files}


def test_links_are_walked_once_and_told(tmp_path: Path) -> None:
    fill(tmp_path, "photos/cat", "photos/dog", "store/bird")
    (tmp_path / "photos" / "bird").symlink_to(tmp_path / "store" / "bird")
    (tmp_path / "photos" / "cat" / "up").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "cat" / "again").symlink_to(tmp_path / "photos" / "dog")
    (tmp_path / "photos" / "dog" / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "photos" / "dog" / "loop").symlink_to("loop")
    found = walk_photos(tmp_path / "photos")
    assert [file.name for file in found.files if file.size < 0] == ["dog/lost.jpg"]
    assert len(found.files) == 7
    assert any("cat/again" in note for note in found.notes)


@pytest.mark.slow
def test_a_folder_of_any_depth_is_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *CLASSES)
    monkeypatch.chdir(tmp_path / "cat")
    for _ in range(1100):
        os.mkdir("d")  # noqa: PTH102 - a path of a thousand parts is slow to write down
        os.chdir("d")
    Path("0.jpg").write_bytes(PHOTO)
    try:
        assert len(walk_photos(tmp_path).files) == 5
    finally:  # what clears up behind the tests calls itself for each level
        Path("0.jpg").unlink()
        for _ in range(1100):
            os.chdir("..")
            os.rmdir("d")  # noqa: PTH106


@pytest.mark.parametrize("where", ["lost", "cat/private", "dog/a/b"])
def test_what_may_not_be_entered_is_named_and_left_out(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, *CLASSES, f"{where}/")
    scan, closed = os.scandir, tmp_path / where

    def refuse(path: Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walk_photos(tmp_path)
    assert len(found.files) == 4
    assert any(where in note and "cannot be read" in note for note in found.notes)


@pytest.mark.parametrize(
    ("folders", "label", "place"),
    [
        (["cat", "dog"], "cat", "cat"), (["cat", "dog"], "bird", "bird"),
        (["train/cat", "valid/cat"], "dog", "train/dog"), (["train/cat", "valid/cat"], "cat", "train/cat"),
        (["cat/train", "cat/test", "dog/train"], "bird", "bird/train"),
        (["pets/cat", "pets/dog"], "bird", "pets/bird"),
    ],
)  # fmt: skip
def test_a_new_photo_goes_where_its_class_lies(
    tmp_path: Path, folders: list[str], label: str, place: str
) -> None:
    assert find_class_folder(fill(tmp_path, *folders), label) == tmp_path / place


def test_the_names_of_an_archive_are_told_apart_in_the_same_way() -> None:
    layout = find_layout(
        build_tree(["set/train/cat/1.jpg", "set/train/dog/2.jpg", "set/val/cat/3.jpg", "a.txt"])
    )
    assert {(one.label, one.split) for one in layout.classes} == {
        ("cat", "train"), ("dog", "train"), ("cat", "valid"),
    }  # fmt: skip
