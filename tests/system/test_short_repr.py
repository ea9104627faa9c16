"""What a call returns is one line in a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf import Catalog, ModelBundle, check_folder


@pytest.mark.slow
def test_results_about_many_photos_are_one_short_line(
    photo_folder: Path, toy_model: Path, tmp_path: Path
) -> None:
    with Catalog(photo_folder) as catalog:
        scan = catalog.scan()
        photos = catalog.photos()
        results = [
            scan, photos, check_folder(catalog, labels=False), catalog.find_near_pairs(),
            catalog.assign_splits(photos.photos), catalog.materialize(tmp_path / "clean"),
            catalog.import_edits(catalog.export_edits()), ModelBundle.load(toy_model),
        ]  # fmt: skip
    assert repr(scan) == (
        "ScanResult(files=30, decoded=30, new=<30 entries>, changed=(), moved=(), gone=(), lapsed=(), notes=())"
    )
    for result in results:
        assert len(repr(result)) < 800
        assert "\n" not in repr(result)
        assert repr(result).startswith(type(result).__name__)
