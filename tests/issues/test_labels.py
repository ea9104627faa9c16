"""Label issues: planted ones are found, copies cannot confirm each other, what cannot be judged is said."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from fastclf.errors import CheckError, MissingExtraError, UsageError
from fastclf.issues import draw_folds, find_label_issues
from fastclf.issues import labels as module
from fastclf.issues.label_worker import _answer, predict_out_of_sample

NAMES = ("bear", "cat", "dog")


def blobs(rng: np.random.Generator, per_class: int = 40, d: int = 16) -> tuple[np.ndarray, list[str]]:
    y = np.repeat(np.arange(3), per_class)
    return 4 * np.eye(3, d)[y] + rng.normal(size=(len(y), d)) * 0.7, [NAMES[k] for k in y]


def singles(n: int) -> list[str]:
    return [f"photo {i}" for i in range(n)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what the child does, without the seconds that its start takes."""
    monkeypatch.setattr(module, "_run_worker", lambda timeout, **arrays: _answer(**arrays))


@pytest.mark.slow
def test_planted_wrong_labels_come_first_out_of_the_child_process(rng: np.random.Generator) -> None:
    x, labels = blobs(rng)
    labels[3], labels[50], labels[100] = "dog", "bear", "cat"
    found = find_label_issues(x, labels, singles(120))
    assert set(np.flatnonzero(found.is_issue)) == {3, 50, 100}
    assert set(np.argsort(found.label_quality)[:3]) == {3, 50, 100}
    assert found.suggested[[3, 50, 100]].tolist() == ["bear", "cat", "dog"]
    assert found.vocab == NAMES
    assert found.pred_probs.shape == (120, 3)
    np.testing.assert_allclose(found.pred_probs.sum(1), 1)
    assert found.notes == ()


@pytest.mark.usefixtures("quick")
def test_copies_cannot_confirm_each_others_wrong_label(rng: np.random.Generator) -> None:
    x, labels = blobs(rng)
    # six copies of a strange cat, all of them called a dog: only each other speaks for that
    strange = 4 * np.eye(16)[1] + 3 * np.eye(16)[9]
    x = np.vstack([x, np.repeat(strange[None], 6, axis=0)])
    labels += ["dog"] * 6
    grouped = find_label_issues(x, labels, [*singles(120), *["copies"] * 6])
    leaking = find_label_issues(x, labels, singles(126))
    assert grouped.is_issue[120:].all()
    assert not leaking.is_issue[120:].any()


def test_a_group_lies_in_one_fold_and_classes_are_spread_evenly(rng: np.random.Generator) -> None:
    given = np.repeat(np.arange(4), 50)
    groups = [f"g{i // 2}" if i < 100 else f"h{i}" for i in range(200)]
    folds = draw_folds(given, groups, 5, 0)
    assert all(len({f for f, g in zip(folds, groups, strict=True) if g == name}) == 1 for name in groups)
    counts = np.array([np.bincount(folds[given == k], minlength=5) for k in range(4)])
    assert counts.min() >= 8
    assert counts.max() <= 12
    assert (draw_folds(given, groups, 5, 1) != folds).any()


@pytest.mark.usefixtures("quick")
def test_the_order_of_the_photos_changes_nothing(rng: np.random.Generator) -> None:
    x, labels = blobs(rng, 20)
    labels[5] = "dog"
    groups = [f"g{i // 2}" for i in range(60)]
    found = find_label_issues(x, labels, groups)
    turned = rng.permutation(60)
    again = find_label_issues(x[turned], [labels[i] for i in turned], [groups[i] for i in turned])
    np.testing.assert_array_equal(again.pred_probs, found.pred_probs[turned])
    np.testing.assert_array_equal(again.label_quality, found.label_quality[turned])
    assert (find_label_issues(x, labels, groups, seed=1).pred_probs != found.pred_probs).any()


@pytest.mark.usefixtures("quick")
def test_the_models_own_answer_is_used_where_it_is_given(rng: np.random.Generator) -> None:
    x, labels = blobs(rng, 20)
    own = np.full((60, 3), np.nan)
    own[7] = (0.98, 0.01, 0.01)  # in the vocab's order: dog, cat, bear
    found = find_label_issues(x, labels, singles(60), pred_probs=own, vocab=("dog", "cat", "bear"))
    assert found.vocab == ("dog", "cat", "bear")
    assert found.is_issue.tolist() == [i == 7 for i in range(60)]
    assert found.suggested[7] == "dog"
    np.testing.assert_array_equal(found.pred_probs[7], own[7])


@pytest.mark.usefixtures("quick")
def test_a_label_that_the_model_does_not_know_is_judged_by_the_folds(rng: np.random.Generator) -> None:
    x, labels = blobs(rng, 20)
    own = np.tile((0.99, 0.01), (60, 1))
    own[20:40] = (0.01, 0.99)
    found = find_label_issues(x, labels, singles(60), pred_probs=own, vocab=("bear", "cat"))
    assert found.vocab == NAMES
    assert not found.is_issue.any()
    assert (found.suggested[40:] == "dog").all()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("dogs", "words"),
    [
        (["one"], "1 different photo,"),
        (["one", "two"], "2 different photos"),
        (["one"] * 20, "1 different photo,"),
    ],
)
def test_a_class_of_too_few_different_photos_is_said_not_judged(
    dogs: list[str], words: str, rng: np.random.Generator
) -> None:
    x, labels = blobs(rng, 20)
    n = 40 + len(dogs)
    found = find_label_issues(x[:n], labels[:n], [*singles(40), *dogs])
    assert np.isnan(found.label_quality[40:]).all()
    assert np.isfinite(found.label_quality[:40]).all()
    assert not found.is_issue.any()
    [note] = found.notes
    assert "'dog'" in note
    assert words in note


@pytest.mark.usefixtures("quick")
def test_two_classes_of_three_photos_work(rng: np.random.Generator) -> None:
    x = np.repeat(np.eye(2) * 5, 3, axis=0) + 0.1 * rng.normal(size=(6, 2))
    found = find_label_issues(x, ["a"] * 3 + ["b"] * 3, singles(6))
    assert not found.is_issue.any()
    assert (found.suggested == np.array(list("aaabbb"))).all()


@pytest.mark.parametrize(
    ("x", "labels", "reason"),
    [
        (np.eye(30), ["a"] * 30, "only one class"),
        (np.ones((30, 3)), ["a"] * 15 + ["b"] * 15, "same features"),
        (np.ones((0, 3)), [], "no photos"),
        (np.eye(2), ["a", "b"], "at least 3 are needed"),
    ],
)
def test_where_nothing_can_be_judged_it_says_why(x: np.ndarray, labels: list[str], reason: str) -> None:
    found = find_label_issues(x, labels, singles(len(labels)))
    assert not found.is_issue.any()
    assert np.isnan(found.label_quality).all()
    assert reason in found.notes[0]


def test_wrong_calls_get_a_sentence() -> None:
    right = {"features": np.eye(4), "labels": list("aabb"), "groups": singles(4)}
    for words, wrong in {
        "first in row 0": {"features": np.full((4, 4), np.nan)},
        "do not fit": {"labels": list("abb")},
        "vocab 0 names": {"pred_probs": np.full((4, 2), 0.5)},
        "add up to 1": {"pred_probs": np.ones((4, 2)), "vocab": ["a", "b"]},
    }.items():
        with pytest.raises(UsageError, match=words):
            find_label_issues(**right | wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="stands a shell script in for the interpreter")
@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (f"kill -{signal.SIGKILL.value} $$", CheckError, "killed or ran out of memory"),
        ("exit 5", CheckError, "out of memory"),
        ("echo Traceback >&2; echo 'ValueError: no' >&2; exit 1", CheckError, "status 1: ValueError: no"),
        ("echo scipy >&2; exit 3", MissingExtraError, r"package scipy, .*pip install .*\[head\]"),
        ("exec sleep 30", CheckError, "longer than 1 s"),
        ("exit 0", CheckError, "without an answer"),
    ],
)
def test_a_child_that_fails_gives_a_sentence(
    body: str, error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = blobs(np.random.default_rng(0), 10)
    # started in the interpreter's place
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(error, match=words):
        find_label_issues(x, labels, singles(30), timeout=1)


def test_the_child_says_which_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scipy.py").write_text("raise ModuleNotFoundError('gone', name='scipy')")
    monkeypatch.syspath_prepend(tmp_path)
    x, labels = blobs(np.random.default_rng(0), 10)
    with pytest.raises(MissingExtraError, match=r"scipy, .*pip install .*\[head\]"):
        find_label_issues(x, labels, singles(30))


def test_no_prediction_sees_the_photos_own_label(rng: np.random.Generator) -> None:
    x, labels = blobs(rng, 20)
    y = np.array([NAMES.index(label) for label in labels])
    folds = np.arange(60)[None] % 5
    noise = rng.permutation(y)
    probs = predict_out_of_sample(rng.normal(size=(60, 400)), noise, folds, 3)
    assert (probs.argmax(1) == noise).mean() < 0.6
    assert (predict_out_of_sample(x, y, folds, 3).argmax(1) == y).mean() > 0.95


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_our_quality_is_cleanlabs_own(rng: np.random.Generator) -> None:
    from cleanlab.rank import get_label_quality_scores

    x, labels = blobs(rng, 20)
    found = find_label_issues(x, labels, singles(60))
    targets = np.array([found.vocab.index(label) for label in labels])
    np.testing.assert_allclose(found.label_quality, get_label_quality_scores(targets, found.pred_probs))


def test_features_of_very_different_lengths_are_judged(rng: np.random.Generator) -> None:
    x, labels = blobs(rng, 40)
    x = x - x.min() + 1
    stretched = (x * rng.lognormal(0, 2, (len(x), 1))).astype(np.float32) * 300
    y = np.array([NAMES.index(label) for label in labels])
    folds = np.arange(len(y))[None] % 5
    assert (predict_out_of_sample(stretched, y, folds, 3).argmax(1) == y).mean() > 0.9
    one = np.abs(rng.normal(size=512)).astype(np.float32) * 300
    nearly = (one * rng.lognormal(0, 2, (120, 1)) + rng.normal(0, 0.01, (120, 512))).astype(np.float32)
    probs = predict_out_of_sample(nearly, np.arange(120) % 3, folds, 3)
    assert np.isfinite(probs).all()
