"""What a file is, is told by what it holds: of a Learner nothing is opened, and what is nothing is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.errors import ProjectError
from fastclf.received import LEARNER, PROJECT, REPORT, TEACHABLE, find_file_kind

from .taught import pack_zip


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"project.json": b"", "photos/0/1.jpg": b""}, PROJECT),
        ({"project.json": b"", "manifest.json": b""}, PROJECT),
        ({"photo.jpg": b"", "report.json": b""}, REPORT),
        ({"a-!-0.jpg": b"", "manifest.json": b""}, TEACHABLE),
        ({"export/data.pkl": b"", "export/.data/serialization_id": b""}, LEARNER),
    ],
)  # fmt: skip
def test_a_zip_file_is_told_by_its_names_whatever_it_is_called(
    members: dict[str, bytes], kind: str, tmp_path: Path
) -> None:
    for name in ("a.zip", "a.pkl", "a"):
        (tmp_path / name).write_bytes(pack_zip(members))
        assert find_file_kind(tmp_path / name) == kind


def test_what_is_no_zip_file_may_be_a_pickle_and_is_not_opened(tmp_path: Path) -> None:
    for data in (b"\x80\x04N.", b"", b"PK"):
        (tmp_path / "a").write_bytes(data)
        assert find_file_kind(tmp_path / "a") == LEARNER
    (tmp_path / "cut.pkl").write_bytes(pack_zip({"export/data.pkl": bytes(999)})[:500])
    assert find_file_kind(tmp_path / "cut.pkl") == LEARNER


def test_another_zip_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(pack_zip({"cat/1.jpg": b""}))
    with pytest.raises(ProjectError, match="fastclf recipes new"):
        find_file_kind(tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes(pack_zip({"project.json": bytes(999)})[:500])
    with pytest.raises(ProjectError, match="damaged or cut off"):
        find_file_kind(tmp_path / "a.zip")
