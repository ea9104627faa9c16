"""The card's facts: what the model is for, its data, its training, its licences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ..errors import Message, count_message
from ..model import NOT_RECORDED
from .blocks import (
    Block,
    Chart,
    Items,
    Section,
    Table,
    Text,
    clean,
    count,
    error_interval,
    judged_parts,
    moment,
    name_list,
    number,
    percent,
    share_of,
)
from .charts import draw_lines

_MOST_CLASSES = 100
_MOST_PAIRS = 3
# above that error rate a model is wrong as often as right
_HALF = 0.5
# What a manifest holds of ours where others have a name or a licence.
_OURS = (NOT_RECORDED, "trained here from scratch; no foreign weights")


def describe_purpose(manifest: dict[str, Any]) -> Section:
    """Say what the model is good for, and for what not, by its classes and its measurements."""
    return Section(
        "What it is for",
        [
            Text(describe_classes(manifest)),
            Text(Message("Good for: {use}.", use=describe_use(manifest))),
            Text("Not for:"),
            Items(list(find_limits(manifest))),
        ],
    )


def describe_classes(manifest: dict[str, Any]) -> Message:
    """Say what the model tells apart."""
    vocab = manifest["vocab"]
    return Message("It tells {n} classes apart: {names}.", n=len(vocab), names=name_list(vocab))


def is_useful(manifest: dict[str, Any]) -> bool:
    """Return whether it is measured that the model is right more often than wrong."""
    parts = judged_parts(manifest)
    return bool(parts) and error_interval(parts[-1][1])[1] < _HALF


def describe_use(manifest: dict[str, Any]) -> Message:
    """Say what the model is good for, as a clause."""
    if not is_useful(manifest):
        parts = judged_parts(manifest)
        if not parts:
            return Message("trying it out: how often it is right was not measured")
        return Message(
            "trying it out: going by the {photos}, it may be wrong as often as right", photos=parts[-1][0]
        )
    n = ((manifest.get("metrics") or {}).get("train") or {}).get("n")
    if n:
        return Message("telling these apart in photos like the {n} that it learned from", n=n)
    return Message("telling these apart in photos like those that it learned from")


def find_limits(manifest: dict[str, Any]) -> Iterator[Message]:
    """Yield what the model is not for, as clauses, the widest limit first."""
    yield _find_foreign_limit(manifest)
    yield from _find_near_limit(manifest)
    parts = judged_parts(manifest)
    if not parts:
        yield Message("anything that matters, before it has been judged: nothing is known of its errors")
        return
    words, m = parts[-1]
    yield _find_error_limit(words, error_interval(m)[1])
    often = [p for p in m.get("confused_pairs") or [] if p["n"] >= 2 and p["n"] / p["of"] >= 0.1]
    for p in often[:_MOST_PAIRS]:
        yield Message(
            "telling {label} from {answer}: {n} of {of} photos of {label} were called {answer}",
            label=clean(p["label"]),
            answer=clean(p["answer"]),
            n=p["n"],
            of=p["of"],
        )
    if len(often) > _MOST_PAIRS:
        n = len(often) - _MOST_PAIRS
        yield count_message(
            n, "1 more pair of classes that it mixes up as often", "{n} more pairs like these"
        )


def _find_error_limit(words: Message, high: float) -> Message:
    """Say for what the model errs too often, by the upper end of its error rate."""
    if high >= _HALF:
        said = "anything that matters: up to {share} of its answers may be wrong, going by the {photos}"
        return Message(said, share=percent(high), photos=words)
    return Message(
        "uses in which one wrong answer in {n} is too many: the error rate may be up to {share}, going by "
        "the {photos}",
        n=round(1 / high),
        share=percent(high),
        photos=words,
    )


def _find_foreign_limit(manifest: dict[str, Any]) -> Message:
    """Say what is known of its sense for unfamiliar photos."""
    n, ood = len(manifest["vocab"]), manifest.get("ood")
    if not ood:
        return Message(
            "photos of anything else: its answer is always one of the {n} classes, and nothing warns of "
            "such photos",
            n=n,
        )
    against = ood.get("against") or []
    if not against:
        return Message(
            "photos of anything else: its answer is always one of the {n} classes; how many of them it "
            "calls unfamiliar was not measured",
            n=n,
        )
    worst = min(against, key=lambda entry: float(entry["flagged"]))
    return Message(
        "photos of anything else: its answer is always one of the {n} classes; of {photos} photos in "
        "{name}, it called {share} unfamiliar",
        n=n,
        photos=worst["n"],
        name=clean(worst["name"]),
        share=percent(worst["flagged"]),
    )


def _find_near_limit(manifest: dict[str, Any]) -> Iterator[Message]:
    """Yield what is known of photos of classes that it did not learn."""
    left_out = (manifest.get("ood") or {}).get("left_out")
    if left_out:
        yield Message(
            "photos of other classes of the same kind: when a third of the classes was left out of training, "
            "{share} of their photos were called unfamiliar (AUROC {auroc:.2f})",
            share=share_of(left_out["flagged"], left_out.get("flagged_interval"), left_out["n"]),
            auroc=left_out["auroc"],
        )


def describe_data(manifest: dict[str, Any]) -> Section:
    """Say how many photos of which class stood in which split, and how these were drawn."""
    metrics, sealed = manifest.get("metrics") or {}, manifest.get("sealed_test") or {}
    split = manifest.get("split") or {}
    sizes = {
        "train": split.get("train") or (metrics.get("train") or {}).get("n") or 0,
        "valid": split.get("valid") or (metrics.get("valid") or {}).get("n") or 0,
        "test": split.get("test") or sealed.get("n") or 0,
    }
    counts = Message(
        "{train} training photos, {valid} validation photos, {test} sealed test photos.", **sizes
    )
    known = any(sizes.values())
    blocks: list[Block] = [Text(counts if known else "Which photos it was trained on is not recorded.")]
    if split:
        blocks.append(Items(list(_describe_split(split))))
    blocks += _tabulate_classes(manifest["vocab"], metrics)
    return Section("Data and split", blocks)


def _describe_split(split: dict[str, Any]) -> Iterator[Message]:
    hows = {
        "drawn": Message("drawn by the photos' contents; near-duplicates stay together"),
        "folder": Message("drawn by folder: photos of one folder stay together"),
        "named folders": Message("as the folders train, valid and test say"),
        "learner": Message("as the imported Learner's own DataLoaders had it"),
        "recorded": Message("as recorded in an earlier training"),
    }
    noted = split.get("how")
    how = _write_record(noted) if noted is None else hows.get(str(noted), clean(noted))
    if split.get("seed") is None:
        yield Message("Split: {how}.", how=how)
    else:
        yield Message("Split: {how} (seed {seed!s}).", how=how, seed=split["seed"])
    named = {
        "near_duplicates_across": "{n} nearly equal pairs that stand in different splits.",
        "left_out_leaks": "{n} photos left out because they nearly agree with another split's.",
        "left_out_conflicts": "{n} photos left out because equal pixels carry two labels.",
    }
    yield from (Message(words, n=split[key]) for key, words in named.items() if split.get(key) is not None)


def _tabulate_classes(vocab: list[str], metrics: dict[str, Any]) -> list[Block]:
    words = {"train": "training", "valid": "validation", "test": "test"}
    parts = {part: metrics[part]["per_class"] for part in words if (metrics.get(part) or {}).get("per_class")}
    if not parts:
        return []
    rows = [
        [clean(name), *(count(classes.get(name, {}).get("n", 0)) for classes in parts.values())]
        for name in vocab[:_MOST_CLASSES]
    ]
    title = Message("Photos by class")
    if len(vocab) > _MOST_CLASSES:
        title = Message("Photos by class (the first {n})", n=_MOST_CLASSES)
    return [Table(title, ["class", *(words[part] for part in parts)], rows)]


# What a training record may hold, and how the card calls it.
_TRAINING = {
    "mode": "mode", "size": "photo size (px)", "resize": "resize", "augment": "augmentation",
    "balance": "even out rare classes",
    "batch_size": "photos a step", "lr": "learning rate", "seed": "seed", "best_epoch": "kept epoch",
    "time_limit": "time limit (s)", "seconds": "seconds", "device": "device", "weights": "weights",
    "from": "from",
}  # fmt: skip


def describe_training(manifest: dict[str, Any]) -> Section:
    """Give the record of the training: settings, every epoch, versions."""
    training = manifest.get("training") or {}
    recipe = manifest.get("recipe")
    rows = [[Message("architecture"), _write_record(manifest.get("arch"))]]
    rows += [[Message("recipe"), clean(recipe)]] if recipe else []
    if "pretrained" in training:
        known = Message("yes") if training["pretrained"] else Message("no, from random weights")
        rows.append([Message("pretrained"), known])
    rows += [
        [Message(words), _write_value(training[key])]
        for key, words in _TRAINING.items()
        if training.get(key) is not None
    ]
    more = {Message("head"): training.get("head"), Message("versions"): training.get("versions")}
    for name, values in more.items():
        if isinstance(values, dict) and values:
            rows.append([name, _write_value(values)])
    rows.append(["fastclf", _write_record(manifest.get("fastclf"))])
    blocks: list[Block] = [Table("Settings", ["what", "value"], rows)]
    if not training:
        blocks.append(Text("How it was trained is not recorded."))
    blocks += _describe_epochs(training.get("epochs"))
    return Section("Training", blocks)


def _write_value(value: object) -> str:
    """Write a setting; of several, those that are one figure or word each."""
    if isinstance(value, bool):
        return Message("yes") if value else Message("no")
    if isinstance(value, dict):
        plain = {
            k: v for k, v in value.items() if isinstance(v, str | int | float) and not isinstance(v, bool)
        }
        return ", ".join(f"{clean(k)} {clean(v)}" for k, v in plain.items())
    if isinstance(value, list | tuple):
        return ", ".join(clean(v) for v in value if isinstance(v, str | int | float))
    return clean(value)


def _write_record(value: object) -> str:
    text = NOT_RECORDED if value is None else clean(value)
    return Message(text) if text in _OURS else text


_COLUMNS = {
    "phase": "phase", "train_loss": "train loss", "valid_loss": "valid loss", "accuracy": "accuracy",
    "seconds": "seconds",
}  # fmt: skip


def _describe_epochs(epochs: Any) -> list[Block]:
    if not isinstance(epochs, list) or not epochs or not all(isinstance(row, dict) for row in epochs):
        return []
    shown = [c for c in _COLUMNS if any(row.get(c) is not None for row in epochs)]
    rows = [
        [str(row.get("epoch", i)), *(_write_cell(row.get(c), c) for c in shown)]
        for i, row in enumerate(epochs, 1)
    ]
    blocks: list[Block] = []
    losses = {"training": _line(epochs, "train_loss"), "validation": _line(epochs, "valid_loss")}
    if len(epochs) > 1 and any(losses.values()):
        title, lines = "Loss by epoch", {k: v for k, v in losses.items() if v}
        blocks.append(Chart(title, partial(draw_lines, title, lines, y_label="loss (nats)")))
    accuracy = _line(epochs, "accuracy")
    if len(accuracy) > 1:
        title, lines = "Validation accuracy by epoch", {"validation": accuracy}
        blocks.append(Chart(title, partial(draw_lines, title, lines, y_label="accuracy", percent=True)))
    return [*blocks, Table("Every epoch", ["epoch", *(_COLUMNS[c] for c in shown)], rows)]


def _line(epochs: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(i, float(row[key])) for i, row in enumerate(epochs, 1) if isinstance(row.get(key), int | float)]


def _write_cell(value: Any, column: str) -> str:
    if not isinstance(value, int | float):
        return "–" if value is None else clean(value)
    return percent(value) if column == "accuracy" else number(value, 1 if column == "seconds" else 4)


def describe_licences(manifest: dict[str, Any]) -> Section:
    """Give the licences of weights and photos, as they are on record."""
    licences = manifest.get("licences") or {}
    rows = [
        [words, _write_record(licences.get(words) or None)]
        for words in (Message("weights"), Message("photos"))
    ]
    return Section("Licences", [Table("On record", ["of", "licence"], rows)])


def describe_refits(manifest: dict[str, Any]) -> list[Section]:
    """Say how often the head was fitted anew; nothing where it never was."""
    refits = manifest.get("refits") or []
    if not refits:
        return []
    rows = [
        [moment(r.get("time", "–")), clean(r.get("n_train", "–")), clean(r.get("edits", "–"))] for r in refits
    ]
    words = "After training, the last layer was refitted on corrected labels; all figures are current."
    table = Table("Refits", ["when", "training photos", "corrections by then"], rows)
    return [Section("Refits", [Text(words), table])]
