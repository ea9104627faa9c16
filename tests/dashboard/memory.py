"""A store of the Clean tab in memory, and photos for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from fastclf.dashboard.clean.review import Decision, Reason, ReviewItem, ReviewStore, Waiting
from fastclf.photos import encode_jpeg

from ..drawing import draw_photo

VOCAB = ["blue", "green", "red"]
JPEG = encode_jpeg(draw_photo("red", 1))


class MemoryStore(ReviewStore):
    """A store in memory that obeys the protocol, with a log of what it was asked for."""

    keeps_drafts = True
    finds_similar = True

    def __init__(self, items: Sequence[ReviewItem], vocab: Sequence[str] = VOCAB) -> None:
        self.vocab = list(vocab)
        self.base = {item.key: item for item in items}
        self.steps: list[list[Decision]] = []
        self.undone: list[list[Decision]] = []
        self.reads: list[int] = []
        self.fault: Exception | None = None  # of storing
        self.read_fault: Exception | None = None
        self.no_pictures: dict[int, Exception | None] = {}
        self.drafts: dict[int, Waiting] = {}
        self.draft_fault: Exception | None = None
        self.news = ""
        self.similar_fault: Exception | None = None

    def load_items(self) -> list[ReviewItem]:
        if self.read_fault:
            raise self.read_fault
        items = dict(self.base)
        for decision in (d for step in self.steps for d in step):
            item = items[decision.key]
            if decision.action == "relabel":
                items[decision.key] = replace(item, label=decision.label or "", reasons=())
            else:
                items[decision.key] = replace(item, removed=decision.action == "remove")
        return list(items.values())

    def read_thumbnail(self, key: int) -> bytes | None:
        self.reads.append(key)
        if fault := self.no_pictures.get(key):
            raise fault
        return None if key in self.no_pictures else JPEG

    def find_similar(self, key: int, n: int) -> list[int]:
        """The photos with the nearest keys."""
        if self.similar_fault:
            raise self.similar_fault
        others = [item.key for item in self.load_items() if item.key != key and not item.removed]
        return sorted(others, key=lambda other: abs(other - key))[:n]

    def apply(self, decisions: Sequence[Decision]) -> str:
        if self.fault:
            raise self.fault
        self.steps.append(list(decisions))
        self.undone.clear()
        return f"{len(decisions)} changes are stored."

    def read_drafts(self) -> list[Waiting]:
        return list(self.drafts.values())

    def keep_drafts(self, waiting: Sequence[Waiting], dropped: Collection[int]) -> None:
        if self.draft_fault:
            raise self.draft_fault
        self.drafts = {k: one for k, one in self.drafts.items() if k not in dropped}
        self.drafts.update({one.decision.key: one for one in waiting})

    def find_news(self) -> str:
        news, self.news = self.news, ""
        return news

    def meet(self, key: int, **changes: object) -> None:
        """Change a photo as somebody else does it."""
        self.base[key] = replace(self.base[key], **changes)
        self.news = "Somebody else changed photos."

    def count_steps(self) -> tuple[int, int]:
        return len(self.steps), len(self.undone)

    def undo(self) -> str | None:
        if not self.steps:
            return None
        self.undone.append(self.steps.pop())
        return f"{len(self.undone[-1])} stored changes are undone."

    def redo(self) -> str | None:
        if not self.undone:
            return None
        self.steps.append(self.undone.pop())
        return f"{len(self.steps[-1])} changes are stored again."

    def export_edits(self) -> bytes:
        rows = [f"{d.key},{d.action},{d.label or ''},{d.why}" for step in self.steps for d in step]
        return "\n".join(["key,action,to,why", *rows, ""]).encode()


def build_item(key: int, label: str = "red", doubt: float = 0.0, **more: object) -> ReviewItem:
    reasons = (Reason("label", f"the model says blue ({key})", doubt, "blue"),) if doubt else ()
    options = {"split": "train", "reasons": reasons, **more}
    return ReviewItem(key, Path(f"/photos/{label}/{key:03d}.jpg"), f"{label}/{key:03d}.jpg", label, **options)


def build_group(kind: str, group: int, keys: Sequence[int], best: int | None) -> list[ReviewItem]:
    return [
        build_item(k, reasons=(Reason(kind, f"a copy ({k})", 0.5, group=group, best=k == best),))
        for k in keys
    ]
