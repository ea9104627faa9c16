"""The card's words about limits: classes and photos on which the model fails, and what nobody measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import Message, count_message
from .blocks import (
    Block,
    Confusion,
    Items,
    Section,
    Table,
    Text,
    clean,
    count,
    judged_parts,
    name_list,
    number,
    percent,
    share_of,
)

_WORST = 5
_MOST_COUNTED = 40
_FEW_TRAIN, _FEW_VALID = 20, 10


def describe_failures(manifest: dict[str, Any]) -> Section:
    """Say where the model fails: by class, by pair, on unfamiliar photos; and what was not measured."""
    blocks: list[Block] = []
    for words, m in judged_parts(manifest):
        blocks += _describe_classes(words, m)
        blocks += _describe_pairs(words, m)
    blocks += _describe_few(manifest)
    blocks += _describe_unfamiliar(manifest)
    unknown = list(_find_unmeasured(manifest))
    if unknown:
        blocks += [Text("Not measured:"), Items(unknown)]
    return Section("Where it fails", blocks)


def _describe_classes(words: Message, m: dict[str, Any]) -> list[Block]:
    known = [(name, c) for name, c in m.get("per_class", {}).items() if c.get("recall") is not None]
    worst = sorted(known, key=lambda item: (item[1]["recall"], item[0]))[:_WORST]
    missed = [(name, c) for name, c in worst if c["recall"] < 1]
    if not known:
        return []
    if not missed:
        return [Text(Message("No photo of the {photos} was taken for another class.", photos=words))]
    rows = [
        [clean(name), share_of(c["recall"], c.get("recall_interval"), c["n"]), _write_precision(c)]
        for name, c in missed
    ]
    header = ["class", "recognised (95 % interval)", "right when it says so"]
    return [Table(Message("Worst classes ({photos})", photos=words), header, rows)]


def _write_precision(c: dict[str, Any]) -> str:
    return "–" if c.get("precision") is None else percent(c["precision"])


def _describe_pairs(words: Message, m: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    pairs = m.get("confused_pairs") or []
    if pairs:
        rows = [
            [clean(p["label"]), clean(p["answer"]), Message("{n} of {of}", n=p["n"], of=p["of"])]
            for p in pairs
        ]
        title = Message("Most confused ({photos})", photos=words)
        blocks.append(Table(title, ["photos of", "called", "how many"], rows))
    matrix, vocab = m.get("confusion"), list(m.get("per_class", {}))
    if matrix and pairs and len(matrix) == len(vocab) <= _MOST_COUNTED:
        title = Message("Answers by true class ({photos})", photos=words)
        blocks.append(Confusion(title, [clean(v) for v in vocab], matrix))
    return blocks


def _describe_few(manifest: dict[str, Any]) -> list[Block]:
    found: list[Block] = []
    metrics = manifest.get("metrics") or {}
    for part, words, least in (
        ("train", "Classes with fewer than {least} training photos: {names}.", _FEW_TRAIN),
        ("valid", "Classes with fewer than {least} validation photos: {names}.", _FEW_VALID),
    ):
        counts = {k: c["n"] for k, c in ((metrics.get(part) or {}).get("per_class") or {}).items()}
        few = sorted((n, clean(name)) for name, n in counts.items() if n < least)
        if few:
            listed = name_list([f"{name} ({n})" for n, name in few])
            found.append(Text(Message(words, least=least, names=listed)))
    return found


def _describe_unfamiliar(manifest: dict[str, Any]) -> list[Block]:
    ood = manifest.get("ood")
    if not ood:
        return [
            Text("It does not tell photos that are unlike its training photos; it answers those as well.")
        ]
    blocks: list[Block] = []
    rate, n, test = ood.get("false_alarm_rate"), ood.get("n"), ood.get("test_false_alarms")
    if rate is not None:
        words = "It wrongly calls {share} of the validation photos unfamiliar."
        if n:
            words = "It wrongly calls {share} of the validation photos unfamiliar (n = {n})."
        blocks.append(Text(Message(words, share=percent(rate), n=n)))
    if test:
        share = share_of(test["rate"], test.get("interval"), test["n"])
        blocks.append(Text(Message("On the sealed test photos that is {share}.", share=share)))
    against = ood.get("against") or []
    if against:
        header = ["foreign photos", "n", "called unfamiliar (95 % interval)", "AUROC", "against"]
        rows = [_describe_foreign(entry) for entry in against]
        blocks.append(Table("How well it tells foreign photos", header, rows))
    return blocks


def _describe_foreign(entry: dict[str, Any]) -> list[str]:
    words = "{n!s} test photos" if entry.get("inside") == "test" else "{n!s} validation photos"
    flagged = share_of(entry["flagged"], entry.get("flagged_interval"), entry["n"])
    against = Message(words, n=entry.get("n_inside", "–"))
    return [clean(entry["name"]), count(entry["n"]), flagged, number(entry.get("auroc"), 3), against]


def _find_unmeasured(manifest: dict[str, Any]) -> Iterator[Message]:
    """Say what the manifest holds no figure of."""
    metrics, ood = manifest.get("metrics") or {}, manifest.get("ood") or {}
    valid = metrics.get("valid")
    if not valid:
        yield Message("any figure on photos that it was not trained on")
    elif valid.get("per_class"):
        unseen = [name for name, c in valid["per_class"].items() if not c.get("n")]
        if unseen:
            yield Message("classes without a validation photo: {names}", names=name_list(unseen))
    sealed = manifest.get("sealed_test") or {}
    if sealed.get("n") and not metrics.get("test"):
        yield count_message(
            sealed["n"],
            "the sealed test set of 1 photo, which has not been opened",
            "the sealed test set of {n} photos, which has not been opened",
        )
    if not ood.get("against"):
        yield Message(
            "how many photos of anything else it calls unfamiliar (fastclf evaluate --foreign tells)"
        )
    if valid:
        yield Message(
            "photos from other sources than the training photos: all figures are of the same collection"
        )
