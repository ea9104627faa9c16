"""Small classes: which are, what that costs in true figures, and how many photos would end it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastclf.issues import CheckedPhotos, Copies, Finding, list_kinds
from fastclf.metrics import wilson_interval
from fastclf.photos import Photo

[KIND] = [kind for kind in list_kinds() if kind.key == "balance"]


def find(valid: dict[str, int] | None = None, **sizes: int) -> dict[str, Finding]:
    """Return the findings by class; `valid` says how many photos of a class are for validation on record."""
    photos = [
        Photo(
            path=Path(f"{label}/{i}"), name=f"{label}/{i}", label=label, sha256=f"{label}{i}",
            pixel_hash=f"{label}{i}", width=9, height=9, plain=True,
            split="" if valid is None else "valid" if i < valid.get(label, 0) else "train",
        )
        for label, n in sizes.items() for i in range(n)
    ]  # fmt: skip
    n = len(photos)
    checked = CheckedPhotos(
        photos, (), sizes, Copies(("",) * n), is_open=np.ones(n, bool), features=np.zeros((n, 0))
    )
    return {finding.labels[0]: finding for finding in KIND.find(checked) or ()}


def test_a_class_under_a_third_of_the_median_is_small_and_one_of_a_third_is_not() -> None:
    found = find(bear=60, cat=60, dog=60, few=19, enough=20)
    assert set(found) == {"few"}
    few = found["few"]
    assert few.files == ()
    assert few.facts == {
        "label": "few", "n": 19, "median": 60, "missing": 1, "valid": 4,
        "recall_from": wilson_interval(4, 4)[0],
    }  # fmt: skip
    assert few.words == (
        "few has 19 photos. That is under a third of the median class (60). With 4 of them for validation, the "
        "95 % interval of its recall reaches down to 51 % even without an error. 1 more would make a third of "
        "the median."
    )


def test_a_tenth_of_the_largest_class_is_small_whatever_the_median_is() -> None:
    found = find(huge=1000, bear=40, cat=101, dog=90)
    assert set(found) == {"bear", "dog"}
    words = found["bear"].words
    assert words.startswith("bear has 40 photos. The largest class has 25 times as many. With 8")
    assert words.endswith("60 more would make a tenth of the largest class.")
    # just a third of the median
    assert set(find(huge=1000, bear=120, cat=120, third=40)) == {"third"}
    both = find(a=500, b=500, c=500, d=20)["d"].words
    assert "a third of the median class (500). The largest class has 25 times as many." in both
    assert both.endswith("147 more would make a third of the median.")


def test_the_validation_photos_on_record_are_counted() -> None:
    sizes = {"bear": 90, "cat": 90, "few": 20}
    assert find({"bear": 20, "few": 9}, **sizes)["few"].facts["valid"] == 9
    none = find({"bear": 20}, **sizes)["few"]
    assert none.facts["recall_from"] is None
    assert "None of them is for validation, so its recall is not measured." in none.words


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "few has no usable photo left: its folder is empty, unreadable, or all was taken out."),
        (1, "few has 1 photo; some dozens a class make a model."),
        (9, "few has 9 photos; some dozens a class make a model."),
    ],
)
def test_a_class_with_hardly_a_photo_is_small_beside_small_ones(n: int, words: str) -> None:
    assert find(few=n, cat=10, dog=10)["few"].words.startswith(words)
    assert find(few=9, cat=9)["few"].words == "few has 9 photos; some dozens a class make a model."


def test_the_smallest_class_comes_first_and_balanced_classes_have_no_finding() -> None:
    assert list(find(bear=90, cat=90, dog=90, few=25, fewer=12, none=0)) == ["none", "fewer", "few"]
    assert find(bear=30, cat=10) == {}
    assert find() == {}
