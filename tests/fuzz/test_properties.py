"""Whatever a stranger sends is answered or refused in a sentence: drawn anew from what good inputs look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import ROOT
from .target import FindingError, Target
from .targets import TARGETS

# Pillow warns of a damaged description, and reads on
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
# About a second each; `make fuzz` takes as long as it is given.
EXAMPLES = {"photo": 150, "manifest": 60, "model-file": 120, "catalog-file": 50, "catalog-rows": 50, "kept-check": 120, "visitor-message": 40,
            "owner-message": 40, "project": 100, "project-file": 80, "report-file": 60, "teachable-file": 80}  # fmt: skip
# of a tape: a message takes some ten of its bytes
LONGEST = {"visitor-message": 240, "owner-message": 240}
_CHANGES = ("set", "insert", "word", "delete", "cut", "repeat")


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes], words: tuple[bytes, ...]) -> bytes:
    """A good input with some changes, most of them near its start, where headers are."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        reach = draw(st.sampled_from((40, 400, len(data))))
        at, kind = draw(st.integers(0, min(reach, len(data)))), draw(st.sampled_from(_CHANGES))
        if kind == "set":
            few = draw(st.binary(min_size=1, max_size=4))
            data[at : at + len(few)] = few
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "word" and words:
            data[at:at] = draw(st.sampled_from(words))
        elif kind == "delete":
            del data[at : at + draw(st.sampled_from((1, 2, 8, 64)))]
        elif kind == "cut":
            del data[at:]
        else:
            data[at:at] = data[at : at + draw(st.sampled_from((1, 4, 64)))] * 3
    return bytes(data)


def draw_inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Inputs of a target: changed seeds where bytes are a format, any bytes where they are a tape's choices."""
    if target.words:
        return changed(target.seeds(), target.words)
    return st.binary(min_size=4, max_size=LONGEST.get(target.name, 60))


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_any_input_is_answered_or_refused_in_a_sentence(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.judge(seed)

    @settings(
        max_examples=EXAMPLES.get(name, 200), derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(draw_inputs(target))
    def holds(data: bytes) -> None:
        target.judge(data)

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_stays_mended(name: str) -> None:
    for file in sorted((CORPUS / name).glob("*")):
        TARGETS[name].judge(file.read_bytes())


def test_the_corpus_is_small_and_of_known_targets() -> None:
    files = [file for file in CORPUS.rglob("*") if file.is_file()]
    assert {file.parent.name for file in files} <= set(TARGETS)
    assert sum(file.stat().st_size for file in files) < 300_000


@pytest.mark.parametrize(
    ("take", "words"),
    [(lambda data: data[99], "IndexError"), (lambda data: sum(range(3_000_000)), "took")],
    ids=["raises", "takes long"],
)
def test_what_none_may_do_is_a_finding(
    take: Callable[[bytes], object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.target.MOST_SECONDS", 0.02)
    with pytest.raises(FindingError, match=words):
        Target("some", take).judge(b"x")
