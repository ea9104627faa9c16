"""The registry of kinds: a file of the room is enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastclf import issues
from fastclf.check import check_folder
from fastclf.issues import list_kinds

TABLES = [
    "label_issues", "conflicting_labels", "leaks", "duplicates", "near_duplicates", "low_quality", "odd",
    "unreadable", "small_classes",
]  # fmt: skip

_NEW_KIND = """
from fastclf.errors import Message
from fastclf.issues.form import ABOUT_PHOTO, FindingForm, is_share
from fastclf.issues.kinds import Finding, IssueKind

def _find(checked):
    return [Finding.of_photo(photo, 0.3, Message("too blue"), share=0.9) for photo in checked.photos[:2]]

KINDS = (
    IssueKind(key="tint", table="tints", title=Message("Tinted photos"), order=65, find=_find,
        form=FindingForm(ABOUT_PHOTO, {"share": is_share}), measure="share"),
)
"""


def test_the_kinds_are_shown_in_one_order_and_named_once() -> None:
    kinds = list_kinds()
    assert [kind.table for kind in kinds] == TABLES
    for names in ([kind.key for kind in kinds], [kind.order for kind in kinds]):
        assert len(set(names)) == len(names)


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    list_kinds.cache_clear()
    yield
    list_kinds.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_registry")
def test_one_file_more_is_one_kind_more_in_the_report(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tint.py").write_text(_NEW_KIND)
    monkeypatch.setattr(issues, "__path__", [*issues.__path__, str(tmp_path)])
    report = check_folder(photo_folder, labels=False)
    assert [row["share"] for row in report.to_dict()["tints"]] == [0.9, 0.9]
    text = report.to_text()
    assert "Tinted photos: 2\n  blue/000.png: too blue (share 0.90)" in text
    assert text.index("Poor quality") < text.index("Tinted photos") < text.index("Odd photos")
