"""Labels of other tools on their way to a folder of photos, and today's labels on their way there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fastclf.catalog import Catalog, parse_labels
from fastclf.catalog.label_files import MOST_LABEL_BYTES
from fastclf.errors import UsageError

from ..conftest import call_fastclf
from ..scanned import labels_of, scanned

CVAT = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>blue</name></label></labels></task></meta>
<image id="0" name="red/000.png" width="8" height="8"><tag label="blue" source="manual"></tag></image>
<image id="1" name="red/001.png" width="8" height="8">
  <box label="green" source="manual" occluded="0" xtl="1" ytl="1" xbr="2" ybr="2" z_order="0"></box></image>
<image id="2" name="red/999.png" width="8" height="8"><tag label="blue"></tag></image>
</annotations>"""
DATUMARO = json.dumps({
    "info": {},
    "categories": {"label": {"labels": [{"name": "red"}, {"name": "blue"}], "attributes": []}},
    "items": [
        {"id": "red/000", "annotations": [{"id": 0, "type": "label", "label_id": 1, "group": 0}], "image": {"path": "red/000.png"}},
        {"id": "red/001", "annotations": [{"id": 1, "type": "bbox", "label_id": 1, "bbox": [0, 0, 1, 1]}]},
        {"id": "red/999", "annotations": [{"type": "label", "label_id": 1}]},
    ],
}).encode()  # fmt: skip


def answer(*labels: str) -> dict[str, object]:
    return {"from_name": "choice", "to_name": "image", "type": "choices", "value": {"choices": list(labels)}}


def task(image: str, *annotations: object, **more: object) -> dict[str, object]:
    return {"id": 7, "data": {"image": image}, "annotations": list(annotations), "predictions": [], **more}


LABEL_STUDIO = json.dumps([
    task("/data/local-files/?d=x%2Fred%2F000.png", {"was_cancelled": False, "result": [answer("blue")]}),
    task("red/001.png", {"was_cancelled": True, "result": [answer("green")]}, predictions=[{"result": [answer("green")]}]),
    task("https://x.org/red/999.png", {"result": [answer("blue")]}),
]).encode()  # fmt: skip
SHORT = json.dumps([
    {"image": "red/000.png", "id": 1, "choice": "blue", "annotator": 1},
    {"image": "red/001.png", "id": 2, "annotator": 1},
    {"image": "red/999.png", "id": 3, "choice": "blue"},
]).encode()  # fmt: skip
FILES = {
    "CVAT": CVAT,
    "Datumaro": DATUMARO,
    "Label Studio": LABEL_STUDIO,
    "its short form": SHORT,
    "its table": b"id,image,choice\n1,red/000.png,blue\n2,red/001.png,\n3,red/999.png,blue\n",
    "a table": "\ufeffFile;Class\n.\\red\\000.png;blue\nred/001.png;\nred/999.png;blue\n".encode(),
}


@pytest.mark.parametrize("tool", FILES)
def test_labels_of_every_tool_are_one_step_and_say_what_did_not_match(tool: str, photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        before = labels_of(catalog)
        report = catalog.import_labels(FILES[tool])
        assert [(row.path, row.new) for row in report.applied] == [("red/000.png", "blue")]
        assert (report.matched, report.unlabelled, report.unnamed) == (1, 1, len(before) - 2)
        assert [reason for _, reason in report.missing] == ["is not among these photos"]
        assert (report.conflicts, report.new_classes) == ((), {})
        assert labels_of(catalog) == {**before, "red/000.png": "blue"}
        again = catalog.import_labels(FILES[tool])
        assert (again.applied, again.already) == ((), 1)
        catalog.undo()
        assert labels_of(catalog) == before


def test_what_is_in_doubt_is_left_alone_and_said(photo_folder: Path) -> None:
    table = b"""path,label
red/000.png,blue
/home/ann/photos/red/000.png,green
001.png,blue
red/002.png,Blue
red/003.png,../up
red/004.png,green
red/005.png,new class
"""
    with scanned(photo_folder) as catalog:
        catalog.remove(["red/004.png"])
        before = labels_of(catalog)
        report = catalog.import_labels(table)
        assert labels_of(catalog) == {**before, "red/005.png": "new class"}
        reasons = dict(report.conflicts)
    assert report.new_classes == {"new class": 1}
    words = {
        "/home/ann/photos/red/000.png": "has the labels blue, green",
        "001.png": "could be any of",
        "red/002.png": "differs little",
        "red/003.png": "cannot be a label",
        "red/004.png": "taken out",
    }
    assert reasons.keys() == words.keys()
    assert all(words[name] in reasons[name] for name in words)


def test_a_photo_is_found_by_its_bytes_and_by_the_name_that_an_upload_gave_it(photo_folder: Path) -> None:
    (photo_folder / "red" / "own.png").write_bytes((photo_folder / "red" / "000.png").read_bytes())
    (photo_folder / "red" / "000.png").unlink()
    with scanned(photo_folder) as catalog:
        [sha] = [p.sha256 for p in catalog.photos().photos if p.name == "red/own.png"]
        report = catalog.import_labels(f"path,label,sha256\nelse/x.png,blue,{sha}\n".encode())
        assert [row.path for row in report.applied] == ["red/own.png"]
        report = catalog.import_labels(b"image,choice\n/data/upload/3/0a1b2c3d-own.png,green\n")
        assert [row.new for row in report.applied] == ["green"]


@pytest.mark.parametrize("target", ["csv", "label-studio"])
def test_todays_labels_go_out_and_come_back_to_another_copy(
    target: str, photo_folder: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(photo_folder, tmp_path / "other"))
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.remove(["red/001.png"])
        data, expected = catalog.export_labels(target), labels_of(catalog)
    with scanned(other) as catalog:
        report = catalog.import_labels(data)
        assert (len(report.applied), report.unnamed, report.missing, report.conflicts) == (1, 1, (), ())
        assert expected.items() <= labels_of(catalog).items()


HOSTILE = {
    "a document type": b'<!DOCTYPE a [<!ENTITY b "bbbb">]><annotations><image name="&b;"/></annotations>',
    "no XML": b"<annotations><image name='a'>",
    "no photo": b"<annotations></annotations>",
    "another encoding": b"<?xml version='1.0' encoding='x-none'?><a/>",
    "no JSON": b"[",
    "depth": b"[" * 100_000,
    "numbers": b"[1, 2]",
    "texts": b'["a"]',
    "no names": b'[{"data": {"image": 7}}]',
    "another number": b'{"categories": {"label": {"labels": []}}, "items": [{"id": "a", "annotations": '
    b'[{"type": "label", "label_id": -1}]}]}',
    "no label": b"path,size\na,1\n",
    "a zip file": b"PK\3\4",
    "too much": b"[" + b" " * MOST_LABEL_BYTES,
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_stranger_put_into_a_file_of_labels_is_refused_in_one_sentence(
    what: str, catalog: Catalog
) -> None:
    before = labels_of(catalog)
    with pytest.raises(UsageError) as caught:
        catalog.import_labels(HOSTILE[what])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    if what == "a document type":
        assert "declares a document type" in str(caught.value)
    if what == "too much":
        assert "at most" in str(caught.value)
    assert labels_of(catalog) == before


def test_names_lead_nowhere_and_many_answers_stay_one_step(catalog: Catalog) -> None:
    report = catalog.import_labels(b"path,label\n../../etc/passwd,red\n//host/a,red\nhttp://[x,red\n")
    assert (len(report.missing), report.applied) == (3, ())
    assert parse_labels(b"path,label\n").labels == {}


def test_the_command_tells_whose_file_it_is_and_writes_for_other_tools(
    photo_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "annotations.xml").write_bytes(CVAT)
    done = call_fastclf("edits", "import", photo_folder, "annotations.xml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["matched"] == 1
    assert "Skipped: red/999.png is not among these photos." in done.stderr
    assert "The file is CVAT's. It names a label of 1 of these photos: 1 relabelled" in done.stderr
    done = call_fastclf("edits", "export", photo_folder, "tasks.json", "--to", "label-studio", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first = json.loads((tmp_path / "tasks.json").read_text())[0]
    assert first["annotations"][0]["result"][0]["type"] == "choices"
    for bad in (("--to", "excel"), ("--to", "csv", "--log")):
        done = call_fastclf("edits", "export", photo_folder, "-", *bad, cwd=tmp_path)
        assert done.returncode == 2
        assert "it can be edits, csv, label-studio" in done.stderr
