"""A catalog whose rows somebody else wrote is refused in a sentence, and its pictures are decoded like any photo."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastclf.catalog import Catalog
from fastclf.errors import CatalogError, UnreadablePhotoError, UsageError

from ..drawing import png_with_size

CALLS: dict[str, tuple[str, Callable[[Catalog], object]]] = {
    "steps": ("UPDATE steps SET kind = 'undo', target = 99", Catalog.count_steps),
    "measures": ("UPDATE contents SET quality = '[1'", Catalog.measures),
    "fields": ("UPDATE contents SET quality = '{\"x\": 1}'", Catalog.measures),
}


@pytest.mark.parametrize("name", CALLS)
def test_rows_that_fastclf_cannot_have_written_are_told(name: str, catalog: Catalog) -> None:
    statement, call = CALLS[name]
    catalog.remove(["red/000.png"])
    with catalog._store.transaction():
        catalog._store.write(statement)
    with pytest.raises(
        CatalogError, match=r"catalog\.sqlite holds what fastclf did not write \(.+\)\. Put a copy"
    ):
        call(catalog)


def test_what_a_caller_does_wrong_is_no_damage(catalog: Catalog) -> None:
    with pytest.raises(UsageError):
        catalog.import_edits(b"no,table\n")


def test_a_picture_in_a_catalog_is_bounded_like_any_photo(catalog: Catalog) -> None:
    """It is not opened beside the decoder, where few bytes could become a gigabyte."""
    [photo, *_] = catalog.photos().photos
    with catalog._store.transaction():
        catalog._store.write("UPDATE thumbnails SET jpeg = ?", (png_with_size(60_000, 60_000),))
    with pytest.raises(UnreadablePhotoError, match="pixels"):
        catalog.thumbnail(photo.sha256)
