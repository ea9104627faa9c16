"""What the page for teaching computes, held beside Python's: folds, heads, splits; and project files, read strictly."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from fastclf.head import fit_head, fit_head_by_cross_validation
from fastclf.issues import draw_folds
from fastclf.metrics import compute_log_loss, compute_softmax, wilson_interval
from fastclf.system import hash_bytes

from ..drawing import draw_photo, encode
from ..node import run_node

Array = np.ndarray


def draw_features(
    n: int, classes: int, width: int, seed: int = 0, apart: float = 0.5
) -> tuple[Array, Array, list[str]]:
    """Return features as a network gives them, not negative and of very different size, targets and groups."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    size = rng.lognormal(0, 1, width)
    middles = rng.normal(0, apart, (classes, width))
    groups = [f"burst {i // (3 * classes)} {k}" for i, k in enumerate(targets)]
    shared = {name: rng.normal(0, 0.7, width) for name in sorted(set(groups))}
    x = np.stack([middles[k] + shared[g] for k, g in zip(targets, groups, strict=True)]) + rng.normal(
        0, 1, (n, width)
    )
    return np.maximum(size * (x + 0.3), 0).astype(np.float32), targets, groups


def give(x: Array, targets: Array, groups: list[str]) -> dict[str, Any]:
    return {
        "rows": x.tolist(),
        "targets": targets.tolist(),
        "classes": int(targets.max()) + 1,
        "groups": groups,
    }


def judge_exactly(x: Array, targets: Array, groups: list[str], strength: float) -> float:
    """Return the log loss out of fold of heads that are fitted to the end."""
    fold = draw_folds(targets, groups, 5, 0)
    probs = np.full((len(x), int(targets.max()) + 1), np.nan)
    for held in (fold == n for n in range(5)):
        head = fit_head(x[~held], targets[~held], strength)
        probs[held] = compute_softmax(head.compute_logits(x[held].astype(float)))
    return compute_log_loss(probs, targets)


FIT = """
import { fitByCrossValidation, fitHead, predictOutOfFold } from "./teach/linear.js";
const { targets, classes, groups } = given;
const rows = given.rows.map((row) => Float32Array.from(row));
const started = performance.now();
"""


@pytest.mark.parametrize("seed", [0, 7])
def test_folds_are_drawn_as_python_draws_them(seed: int) -> None:
    _, targets, groups = draw_features(90, 3, 4)
    groups[5] = groups[3]  # a group over two classes
    script = """import { drawFolds } from "./teach/folds.js";
        console.log(JSON.stringify(drawFolds(given.targets, 3, given.groups, 5, given.seed)));"""
    found = run_node(script, {"targets": targets.tolist(), "groups": groups, "seed": seed})
    assert found == draw_folds(targets, groups, 5, seed).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "classes", "width"), [(60, 3, 160), (160, 2, 40), (210, 7, 90), (40, 2, 3)], ids=str
)
def test_a_head_is_that_of_python(n: int, classes: int, width: int) -> None:
    x, targets, groups = draw_features(n, classes, width)
    fresh, truth, _ = draw_features(300, classes, width, seed=0)
    script = f"""{FIT}
        const head = await fitByCrossValidation(rows, targets, classes, groups);
        const one = await fitHead(rows, targets, classes, 0.1);
        console.log(JSON.stringify({{ ...head, weight: [...head.weight], bias: [...head.bias], one: [[...one.weight], [...one.bias]] }}));"""
    found, known = (
        run_node(script, give(x, targets, groups)),
        fit_head_by_cross_validation(x, targets, groups),
    )
    assert found["folds"] == known.folds
    exact = {row["C"]: judge_exactly(x, targets, groups, row["C"]) for row in known.table}
    for row in found["tried"]:
        if row["C"] in exact:
            assert abs(row["loss"] - exact[row["C"]]) < 2e-3
    # the same strength, or one that is as good
    assert exact[found["C"]] - exact[known.C] < 1e-3
    weight, bias = (np.array(part) for part in found["one"])
    logits = x @ weight.reshape(classes, width).T + bias, fit_head(x, targets, 0.1).compute_logits(x)
    assert np.abs(compute_softmax(logits[0]) - compute_softmax(logits[1])).max() < 2e-3
    if found["C"] == known.C:
        weight = np.array(found["weight"]).reshape(classes, width)
        ours, theirs = fresh @ weight.T + np.array(found["bias"]), known.compute_logits(fresh)
        assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.995
        losses = [compute_log_loss(compute_softmax(logits), truth) for logits in (ours, theirs)]
        assert abs(losses[0] - losses[1]) < 1e-3 * max(1, *losses)


def test_features_that_never_move_say_nothing_as_in_python() -> None:
    x, targets, groups = draw_features(60, 3, 20)
    x[:, 3] = 5
    x[:, 4] = 0
    script = f"""{FIT}
        const head = await fitHead(rows, targets, classes, 0.3);
        console.log(JSON.stringify([...head.weight]));"""
    weight = np.array(run_node(script, give(x, targets, groups))).reshape(3, 20)
    assert not weight[:, 3:5].any()
    assert np.abs(weight - fit_head(x, targets, 0.3).weight).max() < 2e-3 * np.abs(weight).max()


def test_without_two_groups_of_a_class_there_is_no_cross_validation() -> None:
    x, targets, _ = draw_features(20, 2, 10)
    script = f"""{FIT}
        const head = await fitByCrossValidation(rows, targets, classes, groups);
        const probs = await predictOutOfFold(rows, targets, classes, groups, 1);
        console.log(JSON.stringify({{ C: head.C, folds: head.folds, probs }}));"""
    found = run_node(script, give(x, targets, [f"burst {k}" for k in targets]))
    assert found == {"C": 0.02, "folds": 0, "probs": [None] * 20}


def test_frames_of_a_burst_are_never_on_both_sides() -> None:
    """Frames that are all but copies: a fold that held some and learned others would be right about all of them."""
    rng = np.random.default_rng(3)
    bursts = rng.normal(0, 1, (12, 30))
    x = np.repeat(bursts, 10, axis=0) + rng.normal(0, 0.01, (120, 30))
    targets = np.repeat(np.arange(12) % 2, 10)
    script = """
        import { fitProject } from "./teach/fitting.js";
        const photos = given.rows.map((row, i) => ({ features: Float32Array.from(row), label: given.targets[i], group: given.groups[i] }));
        const { judged, groups, valid } = await fitProject(photos, 2);
        console.log(JSON.stringify({ judged, groups, valid }));"""
    told = {}
    for name, groups in {
        "bursts": [f"b{i // 10}" for i in range(120)],
        "files": [f"f{i}" for i in range(120)],
    }.items():
        told[name] = run_node(script, give(x, targets, groups))
    assert told["files"]["judged"]["right"] == 120
    assert told["bursts"]["judged"]["right"] < 100
    assert told["bursts"]["judged"]["groups"] == 12
    low, high = told["bursts"]["judged"]["interval"]
    share = told["bursts"]["judged"]["right"] / 120
    assert [low, high] == pytest.approx(wilson_interval(share * 12, 12), abs=1e-6)
    sides = {(g, v) for g, v in zip(told["bursts"]["groups"], told["bursts"]["valid"], strict=True)}
    assert len(sides) == 12


SPLIT = """import { splitPhotos } from "./teach/splits.js";
console.log(JSON.stringify(splitPhotos(given, 3)));"""


@pytest.mark.slow
def test_about_one_group_in_five_of_each_class_is_kept_back_and_the_same_ones_again() -> None:
    photos = [{"label": i % 3, "group": f"file {i}"} for i in range(90)]
    first = run_node(SPLIT, photos)
    assert first == run_node(SPLIT, photos)
    for k in range(3):
        held = [v for v, photo in zip(first["valid"], photos, strict=True) if photo["label"] == k]
        assert sum(held) == 6


def test_of_a_class_with_one_burst_the_last_fifth_in_time_is_kept_back() -> None:
    photos = [{"label": 0, "group": "b"}] * 10 + [{"label": 1, "group": f"f{i}"} for i in range(5)]
    photos += [{"label": 2, "group": "only"}]
    found = run_node(SPLIT, photos)
    assert len(set(found["groups"][:8])) == 1
    assert len(set(found["groups"][:10])) == 2
    assert {*zip(found["groups"][:10], found["valid"][:10], strict=True)} in (
        {("b", False), ("b end", True)},
        {("b", True), ("b end", False)},
    )
    assert sum(found["valid"][10:15]) == 1
    assert found["valid"][15] is False


def test_a_class_always_has_something_to_learn_from() -> None:
    # the only photo of a class lies in another one, too
    photos = [
        {"label": 0, "group": "twin"},
        {"label": 1, "group": "twin"},
        *({"label": 0, "group": f"f{i}"} for i in range(9)),
    ]
    photos += [{"label": 2, "group": "a"}, {"label": 2, "group": "b"}]
    found = run_node(SPLIT, photos)
    for k in range(3):
        assert not all(v for v, photo in zip(found["valid"], photos, strict=True) if photo["label"] == k)


# ---- project files


def write_zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


JPEGS = [
    encode(draw_photo(label, i, (64, 48)), "JPEG") for i, label in enumerate(("red", "green", "blue", "red"))
]


def build_project(**changes: Any) -> dict[str, bytes]:
    photos = [
        {"file": f"photos/{i % 2}/{i:05}.jpg", "name": f"a{i}.jpg", "label": i % 2, "group": f"g{i} end", "split": "train", "sha256": hash_bytes(data)}
        for i, data in enumerate(JPEGS)
    ]  # fmt: skip
    table = {"fastclf_project": 1, "title": "T", "vocab": ["قطة", "b"], "photos": photos, **changes}
    return {
        "project.json": json.dumps(table).encode(),
        **{p["file"]: data for p, data in zip(photos, JPEGS, strict=True)},
    }


OPEN = """
import { Zip } from "./unzip.js";
import { isProject, readProject } from "./teach/archive.js";
import { readSamples } from "./teach/samples.js";
let told;
try {
    const zip = await Zip.open(new Blob([Uint8Array.from(atob(given), (c) => c.charCodeAt(0))]), "p.zip");
    const { photos, ...rest } = await (isProject(zip) ? readProject(zip) : readSamples(zip));
    const read = async ({ blob, ...photo }) => ({ ...photo, size: blob.size });
    told = { ...rest, photos: await Promise.all(photos.map(read)) };
} catch (fault) {
    if (!fault.fields) throw fault;
    told = { text: fault.message, ...fault.fields };
}
console.log(JSON.stringify(told));"""


def open_zip(data: bytes) -> Any:
    return run_node(OPEN, base64.b64encode(data).decode())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_project_is_opened_as_it_was_saved(method: int) -> None:
    found = open_zip(write_zip(build_project(), method))
    assert (found["title"], found["classes"]) == ("T", ["قطة", "b"])
    assert [photo["size"] for photo in found["photos"]] == [len(data) for data in JPEGS]
    assert found["photos"][1] == {"label": 1, "name": "a1.jpg", "group": "g1", "size": len(JPEGS[1])}


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def swap(data: bytes) -> bytes:
    middle = data.index(JPEGS[2]) + 200
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def lock(data: bytes) -> bytes:
    at = data.index(b"PK\x01\x02")
    return data[: at + 8] + bytes([data[at + 8] | 1]) + data[at + 9 :]


def lie(data: bytes) -> bytes:
    """Say that a member is larger than it is."""
    at = data.index(b"PK\x01\x02")
    return data[: at + 24] + (10**6).to_bytes(4, "little") + data[at + 28 :]


BROKEN = {
    "text": (b"no zip at all", "is no zip file"),
    "empty": (b"", "is no zip file"),
    "cut": (cut(write_zip(build_project())), "is no zip file"),
    "a byte": (swap(write_zip(build_project())), "is damaged ({member})"),
    "locked": (lock(write_zip(build_project())), "is locked with a password"),
    "a wrong size": (lie(write_zip(build_project())), "is damaged ({member})"),
    "no json": (write_zip({"project.json": b"{"}), "is no project of this page ({member} cannot be read)"),
    "another version": (write_zip(build_project(fastclf_project=2)), "was saved by another version of this page, whose projects are not known here"),
    "no photos": (write_zip(build_project(photos=None)), "is no project of this page ({member} cannot be read)"),
    "a photo outside": (write_zip(build_project(photos=[{"file": "../a.jpg", "name": "", "label": 0, "group": "", "sha256": ""}])), "is no project of this page ({member} cannot be read)"),
    "a class too many": (write_zip(build_project(vocab=["a"])), "is no project of this page ({member} cannot be read)"),
    "two of one name": (write_zip(build_project(vocab=["a", "a"])), "is no project of this page ({member} cannot be read)"),
    "a name of nothing": (write_zip(build_project(vocab=["a", " \n"])), "is no project of this page ({member} cannot be read)"),
    "nothing": (write_zip({"notes.txt": b"hello"}), "holds no photos in classes; a project of this page, an image project of Teachable Machine or a zip of folders does"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_project_gets_a_sentence(name: str) -> None:
    data, reason = BROKEN[name]
    found = open_zip(data)
    assert (found["text"], found["name"], found["reason"]["text"]) == ("{name} {reason}.", "p.zip", reason)


@pytest.mark.slow
def test_a_bomb_is_not_unpacked() -> None:
    bomb = write_zip({"project.json": b"[" + b" " * (65 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert open_zip(bomb)["reason"]["text"] == "holds a file that is too large ({member})"


@pytest.mark.slow
def test_more_members_than_a_project_has_are_not_read() -> None:
    many = write_zip({f"{i}": b"" for i in range(20_001)})
    assert open_zip(many)["reason"]["text"] == "holds {n} files; at most {most} are read"


def test_a_project_of_teachable_machine_is_opened_and_neighbours_count_as_one() -> None:
    samples = {f"Class 1-!-{i}.jpg": JPEGS[i % 4] for i in range(25)} | {
        f"قطة-!-{i}": JPEGS[1] for i in range(3)
    }
    found = open_zip(write_zip({"manifest.json": b"{}", **samples, "Class 1-!-25.txt": b"none"}))
    assert found["classes"] == ["Class 1", "قطة"]
    groups = [photo["group"] for photo in found["photos"] if photo["label"] == 0]
    assert len(groups) == 25
    # three that follow each other are one
    assert [groups.index(name) for name in dict.fromkeys(groups)] == [*range(0, 25, 3)]
    assert len({photo["group"] for photo in found["photos"] if photo["label"] == 1}) == 3


def test_a_zip_of_folders_is_a_folder_a_class() -> None:
    found = open_zip(
        write_zip(
            {
                "set/cats/1.jpg": JPEGS[0],
                "set/dogs/1.jpg": JPEGS[1],
                "__MACOSX/set/cats/1.jpg": b"",
                "read.me": b"x",
            }
        )
    )
    assert found["classes"] == ["cats", "dogs"]
    assert [photo["label"] for photo in found["photos"]] == [0, 1]


def test_what_is_saved_is_what_python_reads() -> None:
    """The zip of a taught project: its table, photos, head, and what the head says of some photos."""
    x, targets, _ = draw_features(12, 3, 16)
    script = """
        import { fitProject } from "./teach/fitting.js";
        import { writeProject } from "./teach/archive.js";
        import { hashBytes } from "./sha256.js";
        const jpeg = Uint8Array.from(atob(given.jpeg), (c) => c.charCodeAt(0));
        const photos = given.rows.map((row, i) => ({ id: String(i), name: `p${i}.jpg`, sha256: hashBytes(jpeg), features: Float32Array.from(row) }));
        const labels = given.targets;
        const fitted = await fitProject(photos.map(({ features }, i) => ({ features, label: labels[i], group: `file ${i}` })), 3);
        const classes = ["a", "ب", "c"].map((name) => ({ id: name, name }));
        const taught = { ...fitted, photos, classes, labels };
        const backbone = { name: "toy", features_id: "0", precision: "float32" };
        const blob = await writeProject({ taught, title: "T", fastclf: "1", backbone, read: async () => jpeg });
        console.log(JSON.stringify(Buffer.from(await blob.arrayBuffer()).toString("base64")));"""
    data = run_node(script, {**give(x, targets, []), "jpeg": base64.b64encode(JPEGS[0]).decode()})
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(data))) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "project.json"
        table = json.loads(archive.read("project.json"))
        assert {*archive.namelist()} == {"project.json", "README.txt", *(p["file"] for p in table["photos"])}
        assert all(hash_bytes(archive.read(p["file"])) == p["sha256"] for p in table["photos"])
    assert (table["vocab"], table["title"], table["backbone"]["name"]) == (["a", "ب", "c"], "T", "toy")
    weight, bias = (
        np.frombuffer(base64.b64decode(table["head"][name]), "<f4") for name in ("weight", "bias")
    )
    weight = weight.reshape(table["head"]["shape"])
    rows = {p["file"]: i for i, p in enumerate(table["photos"])}
    assert len(table["parity"]) == 8
    for known in table["parity"]:
        logits = x[rows[known["file"]]] @ weight.T + bias
        assert known["logits"] == pytest.approx(logits, abs=1e-4)
        assert known["probabilities"] == pytest.approx(compute_softmax(logits[None])[0], abs=1e-5)
    assert {p["split"] for p in table["photos"]} == {"train", "valid"}
    assert table["judged"]["by"] == "cross-validation"
