"""The card's facts: what the model is for, its data, its training, its licences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
)
from .charts import draw_lines

_MOST_CLASSES = 100


@dataclass(frozen=True)
class Limit:
    """Something that the model is not for, so that it can be said in other languages as well.

    Attributes
    ----------
    text
        English words with fields like ``{n}``.
    values
        What stands in the fields.
    """

    text: str
    values: dict[str, Any]

    def write(self) -> str:
        """Return it in English."""
        return self.text.format(**self.values)


def describe_purpose(manifest: dict[str, Any]) -> Section:
    """Say what the model is good for, and for what not, by its classes and its measurements."""
    vocab = manifest["vocab"]
    train = ((manifest.get("metrics") or {}).get("train") or {}).get("n")
    like = f"like the {train} that it learned from" if train else "like those that it learned from"
    return Section(
        "What it is for",
        [
            Text(f"It tells {count(len(vocab), 'class', 'classes')} apart: {name_list(vocab)}."),
            Text(f"Good for: telling these apart in photos {like}."),
            Text("Not for:"),
            Items([limit.write() for limit in find_limits(manifest)]),
        ],
    )


def find_limits(manifest: dict[str, Any]) -> Iterator[Limit]:
    """Yield what the model is not for, the widest limit first."""
    yield _find_foreign_limit(manifest)
    parts = judged_parts(manifest)
    if not parts:
        yield Limit("anything that matters, before it has been judged: nothing is known of its errors", {})
        return
    words, m = parts[-1]
    high = error_interval(m)[1]
    yield Limit(
        "uses in which one wrong answer in {n} is too many: the error rate may be up to {share}, going by "
        "the {part}",
        {"n": max(1, round(1 / high)), "share": percent(high), "part": words},
    )
    often = [p for p in m.get("confused_pairs") or [] if p["n"] >= 2 and p["n"] / p["of"] >= 0.1]
    for p in often[:3]:
        yield Limit(
            "telling {label} from {answer}: {n} of {of} photos of {label} were called {answer}",
            {"label": clean(p["label"]), "answer": clean(p["answer"]), "n": p["n"], "of": p["of"]},
        )


def _find_foreign_limit(manifest: dict[str, Any]) -> Limit:
    """Say what is known of its sense for unfamiliar photos."""
    always = "photos of anything else: its answer is always one of the {n} classes"
    classes, ood = {"n": len(manifest["vocab"])}, manifest.get("ood")
    if not ood:
        return Limit(f"{always}, and nothing warns of such photos", classes)
    against = ood.get("against") or []
    if not against:
        return Limit(f"{always}; how many of them it calls unfamiliar was not measured", classes)
    worst = min(against, key=lambda entry: float(entry["flagged"]))
    values = {"photos": worst["n"], "name": clean(worst["name"]), "share": percent(worst["flagged"])}
    return Limit(
        f"{always}; of {{photos}} photos in {{name}}, it called {{share}} unfamiliar", classes | values
    )


def describe_data(manifest: dict[str, Any]) -> Section:
    """Say how many photos of which class stood in which split, and how these were drawn."""
    metrics, sealed = manifest.get("metrics") or {}, manifest.get("sealed_test") or {}
    split = manifest.get("split") or {}
    sizes = {
        "train": split.get("train") or (metrics.get("train") or {}).get("n"),
        "valid": split.get("valid") or (metrics.get("valid") or {}).get("n"),
        "test": split.get("test") or sealed.get("n"),
    }
    blocks: list[Block] = []
    if any(sizes.values()):
        words = {"train": "training", "valid": "validation", "test": "sealed test"}
        blocks.append(Text(", ".join(f"{sizes[k] or 0} {words[k]} photos" for k in words) + "."))
    else:
        blocks.append(Text("Which photos it was trained on is not recorded."))
    if split:
        blocks.append(Items(list(_describe_split(split))))
    blocks += _tabulate_classes(manifest["vocab"], metrics)
    return Section("Data and split", blocks)


def _describe_split(split: dict[str, Any]) -> Iterator[str]:
    hows = {
        "drawn": "drawn by the photos' contents; near-duplicates stay together",
        "folder": "drawn by folder: photos of one folder stay together",
        "named folders": "as the folders train, valid and test say",
        "recorded": "as recorded in an earlier training",
    }
    how = str(split.get("how", "not recorded"))
    seed = split.get("seed")
    drawn = "" if seed is None else f" (seed {seed})"
    yield f"Split: {hows.get(how, clean(how))}{drawn}."
    named = (
        ("near_duplicates_across", "nearly equal pairs that stand in different splits"),
        ("left_out_leaks", "photos left out because they nearly agree with another split's"),
        ("left_out_conflicts", "photos left out because equal pixels carry two labels"),
    )
    for key, words in named:
        if split.get(key) is not None:
            yield f"{split[key]} {words}."


def _tabulate_classes(vocab: list[str], metrics: dict[str, Any]) -> list[Block]:
    parts = {
        part: metrics[part]["per_class"]
        for part in ("train", "valid", "test")
        if (metrics.get(part) or {}).get("per_class")
    }
    if not parts:
        return []
    header = ["class", *({"train": "training", "valid": "validation", "test": "test"}[p] for p in parts)]
    rows = [
        [clean(name), *(str(classes.get(name, {}).get("n", 0)) for classes in parts.values())]
        for name in vocab[:_MOST_CLASSES]
    ]
    title = "Photos by class" + (f" (the first {_MOST_CLASSES})" if len(vocab) > _MOST_CLASSES else "")
    return [Table(title, header, rows)]


# What a training record may hold, and how the card calls it.
_TRAINING = {
    "mode": "mode", "size": "photo size (px)", "resize": "resize", "augment": "augmentation",
    "batch_size": "photos a step", "lr": "learning rate", "seed": "seed", "best_epoch": "kept epoch",
    "time_limit": "time limit (s)", "seconds": "seconds", "device": "device", "weights": "weights",
    "from": "from",
}  # fmt: skip


def describe_training(manifest: dict[str, Any]) -> Section:
    """Give the record of the training: settings, every epoch, versions."""
    training = manifest.get("training") or {}
    recipe = manifest.get("recipe")
    rows = [["architecture", clean(manifest.get("arch", "not recorded"))]]
    rows += [["recipe", clean(recipe)]] if recipe else []
    if "pretrained" in training:
        rows.append(["pretrained", "yes" if training["pretrained"] else "no, from random weights"])
    rows += [
        [words, clean(training[key])] for key, words in _TRAINING.items() if training.get(key) is not None
    ]
    for name, values in (("head", training.get("head")), ("versions", training.get("versions"))):
        if isinstance(values, dict) and values:
            rows.append([name, ", ".join(f"{clean(k)} {clean(v)}" for k, v in values.items())])
    rows.append(["fastclf", clean(manifest.get("fastclf", "not recorded"))])
    blocks: list[Block] = [Table("Settings", ["what", "value"], rows)]
    if not training:
        blocks.append(Text("How it was trained is not recorded."))
    blocks += _describe_epochs(training.get("epochs"))
    return Section("Training", blocks)


def _describe_epochs(epochs: Any) -> list[Block]:
    if not isinstance(epochs, list) or not epochs or not all(isinstance(row, dict) for row in epochs):
        return []
    columns = ("phase", "train_loss", "valid_loss", "accuracy", "seconds")
    shown = [c for c in columns if any(row.get(c) is not None for row in epochs)]
    rows = [
        [str(row.get("epoch", i)), *(_write_cell(row.get(c), c) for c in shown)]
        for i, row in enumerate(epochs, 1)
    ]
    blocks: list[Block] = []
    losses = {"training": _line(epochs, "train_loss"), "validation": _line(epochs, "valid_loss")}
    if len(epochs) > 1 and any(losses.values()):
        title = "Loss by epoch"
        drawn = {k: v for k, v in losses.items() if v}
        blocks.append(Chart(title, draw_lines(title, drawn, y_label="loss (nats)")))
    accuracy = _line(epochs, "accuracy")
    if len(accuracy) > 1:
        title = "Validation accuracy by epoch"
        lines = {"validation": accuracy}
        blocks.append(Chart(title, draw_lines(title, lines, y_label="accuracy", percent=True)))
    header = ["epoch", *(c.replace("_", " ") for c in shown)]
    return [*blocks, Table("Every epoch", header, rows)]


def _line(epochs: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(i, float(row[key])) for i, row in enumerate(epochs, 1) if isinstance(row.get(key), int | float)]


def _write_cell(value: Any, column: str) -> str:
    if not isinstance(value, int | float):
        return "–" if value is None else clean(value)
    return percent(value) if column == "accuracy" else number(value, 1 if column == "seconds" else 4)


def describe_licences(manifest: dict[str, Any]) -> Section:
    """Give the licences of weights and photos, as they are on record."""
    licences = manifest.get("licences") or {}
    rows = [[kind, clean(licences.get(kind) or "not recorded")] for kind in ("weights", "photos")]
    return Section("Licences", [Table("On record", ["of", "licence"], rows)])


def describe_refits(manifest: dict[str, Any]) -> list[Section]:
    """Say how often the head was fitted anew; nothing where it never was."""
    refits = manifest.get("refits") or []
    if not refits:
        return []
    rows = [
        [moment(r.get("time", "–")), clean(r.get("n_train", "–")), clean(r.get("edits", "–"))] for r in refits
    ]
    words = (
        "After its training, the last layer was fitted anew on corrected labels; all figures are of today."
    )
    table = Table("Refits", ["when", "training photos", "corrections by then"], rows)
    return [Section("Refits", [Text(words), table])]
