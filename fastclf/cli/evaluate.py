"""The command that judges a model: `fastclf evaluate`, and how its findings are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..system import find_write_error
from .console import Folder, Json, Model, print_json, say, show_progress
from .places import check_model, check_photos

if TYPE_CHECKING:
    from ..evaluation import Evaluation
    from ..metrics import Metrics, SetMetrics, Sure

_PARTS = {"valid": "validation", "new": "new", "test": "test"}
_SHOWN = 5
_NAME_WIDTH = 44


def evaluate(
    model: Model,
    photos: Folder,
    open_test_set: Annotated[
        bool, typer.Option("--open-test-set", help="Open the sealed test set, once.")
    ] = False,
    foreign: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR2",
            help="Photos of other things: measures how many are called unfamiliar; by default none.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a model on labelled photos. The test photos stay sealed unless --open-test-set is given."""
    call = "evaluate MODEL DIR"
    check_model(model, call, photos)
    check_photos(photos, call, model)
    from ..card import repair_bundle
    from ..evaluation import evaluate as judge
    from ..model import ModelBundle

    if open_test_set or foreign is not None:  # what is found is written into the model
        repair_bundle(model)
        _check_writable(model)
    bundle, progress = ModelBundle.load(model), show_progress("reading photos")
    result = judge(bundle, photos, open_test_set=open_test_set, foreign=foreign, progress=progress)
    if as_json:
        print_json(result.to_dict())
    for line in _tell(result, model):
        say(line)


def _check_writable(model: Path) -> None:
    """Refuse before the photos are read where what is found cannot be written into the model."""
    if model.is_dir() and (reason := find_write_error(model)):
        raise UsageError(
            "What is found is written into the model, and {model} cannot be written ({reason}). Copy it to "
            "another place.",
            model=model,
            reason=reason,
        )


def _tell(result: Evaluation, model: Path) -> Iterator[str]:
    """Say what was found, from the whole to the single photo."""
    yield from result.notes
    for file, reason in result.failures:
        yield f"Skipped: {file} {reason}."
    yield "Error rates, with 95 % intervals:"
    for part, m in result.metrics.items():
        yield f"  {_PARTS[part]:<11}{_write_errors(m)}"
    for part, m in result.metrics.items():
        if m["sure"]:
            yield _write_sure(m["sure"], part)
    for part, m in result.metrics.items():
        if m["sets"]:
            yield _write_sets(m["sets"], part)
    for part, m in result.metrics.items():
        yield from _tell_classes(part, m)
        yield from _tell_losses(part, result.top_losses[part])
    yield from _tell_across(result.near_duplicates_across)
    if result.foreign:
        yield _write_foreign(result.foreign)
    if result.sealed:
        yield (
            f"{result.sealed} test photos stay sealed; --open-test-set opens them, and the model records it."
        )
    if result.foreign or "test" in result.metrics:
        yield f"Recorded in the model and its card: {model / 'card.html'}"


def _write_errors(m: Metrics) -> str:
    raw = "" if m["ece_raw"] is None else f" ({m['ece_raw']:.4f} before temperature scaling)"
    share = f"{_share(m['error_rate'], m['error_interval'])}   n = {m['n']:<6}"
    balanced = f"balanced accuracy {100 * m['balanced_accuracy']:.1f} %"
    return f"{share}{balanced}   log loss {m['loss']:.4f}   calibration error {m['ece']:.4f}{raw}"


def _share(share: float, interval: Sequence[float]) -> str:
    low, high = interval
    return f"{100 * share:5.1f} %  ({100 * low:.1f} to {100 * high:.1f} %)"


def _in_words(share: float, interval: Sequence[float]) -> str:
    return " ".join(_share(share, interval).split())


def _write_sure(sure: Sure, part: str) -> str:
    return (
        f"Sure ({100 * sure['threshold']:.0f} % and more) on {100 * sure['coverage']:.1f} % of the "
        f"{_PARTS[part]} photos, right on {_in_words(sure['accuracy'], sure['interval'])} of those "
        f"(n = {sure['n']})."
    )


def _write_sets(sets: SetMetrics, part: str) -> str:
    return (
        f"Named classes hold the right one on {_in_words(sets['covered'], sets['interval'])} of the "
        f"{_PARTS[part]} photos (meant: {100 * sets['stated']:.0f} %), {sets['size']:.2f} classes on average."
    )


def _tell_classes(part: str, m: Metrics) -> Iterator[str]:
    known = [(name, c) for name, c in m["per_class"].items() if c["recall"] is not None]
    worst = [(name, c) for name, c in sorted(known, key=lambda item: item[1]["recall"]) if c["recall"] < 1]
    if worst:
        yield f"Worst classes ({_PARTS[part]}):"
        width = max(len(_cut(name)) for name, _ in worst[:_SHOWN])
    for name, c in worst[:_SHOWN]:
        yield f"  {_cut(name):<{width}}  {_share(c['recall'], c['recall_interval'])}   n = {c['n']}"
    pairs = m["confused_pairs"][:_SHOWN]
    if pairs:
        yield f"Most confused ({_PARTS[part]}):"
    for p in pairs:
        yield f"  {_cut(p['label'])} taken for {_cut(p['answer'])}: {p['n']} of {p['of']} photos"


def _tell_losses(part: str, losses: Sequence[dict[str, Any]]) -> Iterator[str]:
    wrong = [row for row in losses if row["label"] != row["answer"]][:_SHOWN]
    if not wrong:
        return
    yield f"Largest losses ({_PARTS[part]}):"
    # a name stays whole, since its folders say the label; the longest ones stand out of the column
    width = max(min(len(row["file"]), _NAME_WIDTH) for row in wrong)
    for row in wrong:
        answer = f"called {_cut(row['answer'])} at {100 * row['probability']:.1f} %"
        yield f"  {row['file']:<{width}}  {answer}, loss {row['loss']:.2f}"


def _tell_across(across: dict[str, Any]) -> Iterator[str]:
    if not across["n"]:
        yield "No near-duplicates across splits."
        return
    yield f"Near-duplicates across splits, which flatter the figures: {across['n']} pairs, for example"
    for example in across["examples"][:3]:
        named = zip(example["files"], example["splits"], strict=True)
        yield f"  {' and '.join(f'{file} ({split})' for file, split in named)}"


def _write_foreign(entry: dict[str, Any]) -> str:
    left = f"; {entry['known']} that the model was trained on were skipped" if entry["known"] else ""
    return (
        f"Foreign photos ({entry['name']}, n = {entry['n']}{left}): "
        f"{_in_words(entry['flagged'], entry['flagged_interval'])} called unfamiliar, AUROC "
        f"{entry['auroc']:.3f} against {entry['n_inside']} {_PARTS[entry['inside']]} photos."
    )


def _cut(name: str) -> str:
    """Shorten a class's name at its beginning."""
    return name if len(name) <= _NAME_WIDTH else f"…{name[1 - _NAME_WIDTH :]}"
