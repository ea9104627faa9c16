"""What training all layers adds to a head, and takes, beside fastai's `fine_tune`; one factor at a time.

Of every class so many photos are drawn to learn from, two sevenths as many choose the best epoch, and all
others are judged on. Learners, weights and photos are the same for all ways.
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from .harness import Bench, Table, find_photos, for_each_folder, split_names, tell

DATA = "folders with one sub-folder per class"
SIZE = 224


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--a-class", type=int, default=70, help="training photos a class (default: 70)")
    parser.add_argument("--ways", type=split_names, help="only some of the factors, by their names")


@dataclass(frozen=True)
class Way:
    """How all layers are trained; one thing of it differs from the default at a time."""

    lr: float = 1.0  # times the usual one
    epochs: int = 4
    augment: str = "symmetric"
    resize: str = "published"
    freeze_norm: bool = True
    start: bool = True  # from the fitted head


DEFAULT = Way()
FACTORS = {
    "default": DEFAULT,
    "rate x 1/4": replace(DEFAULT, lr=0.25),
    "rate x 1/2": replace(DEFAULT, lr=0.5),
    "rate x 2": replace(DEFAULT, lr=2.0),
    "rate x 4": replace(DEFAULT, lr=4.0),
    "2 epochs": replace(DEFAULT, epochs=2),
    "8 epochs": replace(DEFAULT, epochs=8),
    "augment none": replace(DEFAULT, augment="none"),
    "augment upright": replace(DEFAULT, augment="upright"),
    "random-crop": replace(DEFAULT, resize="random-crop"),
    "batch norm learns": replace(DEFAULT, freeze_norm=False),
    "from a new head": replace(DEFAULT, start=False),
}


@dataclass(frozen=True)
class Drawn:
    """A draw of photos: the folder to learn from, those that choose, and those to judge on."""

    folder: Path
    valid: list[Path]
    others: list[Path]


def draw(bench: Bench, source: Path, seed: int) -> Drawn:
    """Copy photos of every class into the folders train and valid; name the others."""
    folder, n = bench.new_folder() / source.name, bench.options.a_class
    valid: list[Path] = []
    others: list[Path] = []
    classes: dict[str, list[Path]] = {}
    for path in find_photos(source):
        classes.setdefault(path.parent.name, []).append(path)
    for name, paths in sorted(classes.items()):
        random.Random(seed).shuffle(paths)
        judges = max(5, round(n * 2 / 7))
        for split, some in (("train", paths[:n]), ("valid", paths[n : n + judges])):
            for path in some:
                target = folder / split / name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        valid += paths[n : n + judges]
        others += paths[n + judges :]
    return Drawn(folder, valid, others)


def judge(learn: Any, others: list[Path]) -> tuple[float, float]:
    """Return accuracy and log loss of a Learner's answers about other photos."""
    from fastai.vision.all import CategoryMap

    from fastclf.metrics import compute_log_loss

    dl = learn.dls.test_dl(others)
    with learn.no_bar(), learn.no_logging():
        probs = learn.get_preds(dl=dl)[0].numpy()
    names = CategoryMap(learn.dls.vocab)
    targets = [names.o2i[path.parent.name] for path in others]
    right = probs.argmax(1) == targets
    return float(right.mean()), compute_log_loss(probs, targets)


def train_ours(drawn: Drawn, way: Way, seed: int) -> dict[str, float]:
    """Train as `--mode fine-tune` does; also returned is what the head alone is worth, where it began."""
    from fastclf.catalog import load_dataset
    from fastclf.training import build_dls, build_learner, fit, plan_phases, start_from_head
    from fastclf.training.fitting import scale_lr
    from fastclf.training.plan import choose_batch

    data = load_dataset(drawn.folder)
    batch = choose_batch(len(data.part("train")))
    dls = build_dls(
        data, SIZE, resize=way.resize, augment=way.augment, pretrained=True, batch_size=batch, seed=seed
    )
    learn, found = build_learner(dls, "tf_efficientnet_lite0", seed=seed), {}
    if way.start:
        start_from_head(learn, data, seed=seed)
        found["head"], found["head loss"] = judge(learn, drawn.others)
    lr = way.lr * scale_lr(batch, learned=True)
    phases = plan_phases(way.epochs, lr=lr, head_epochs=int(not way.start))
    started = time.monotonic()
    fitted = fit(learn, phases, seed=seed, start_counts=way.start, freeze_norm=way.freeze_norm, quiet=True)
    found |= {"seconds": time.monotonic() - started, "epoch": float(fitted.best_epoch or 0)}
    found["right"], found["loss"] = judge(learn, drawn.others)
    found["valid"] = judge(learn, drawn.valid)[0]
    return found


def train_theirs(drawn: Drawn, seed: int) -> dict[str, float]:
    """Train as the course does: `vision_learner`, `Resize`, `aug_transforms`, `fine_tune(4)`."""
    from fastai.vision.all import (
        ImageDataLoaders,
        Normalize,
        Resize,
        accuracy,
        aug_transforms,
        set_seed,
        vision_learner,
    )

    from fastclf.training.network import load_packaged

    set_seed(seed, reproducible=True)
    normalise = Normalize.from_stats([0.5] * 3, [0.5] * 3)  # the weights' own
    dls = ImageDataLoaders.from_folder(
        drawn.folder, valid="valid", item_tfms=Resize(SIZE), batch_tfms=[*aug_transforms(), normalise],
        seed=seed, num_workers=0,
    )  # fmt: skip
    learn = vision_learner(dls, "tf_efficientnet_lite0", pretrained=False, normalize=False, metrics=accuracy)
    load_packaged(learn.model[0])
    started = time.monotonic()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(4)
    seconds = time.monotonic() - started
    right, loss = judge(learn, drawn.others)
    return {"right": right, "loss": loss, "seconds": seconds, "valid": judge(learn, drawn.valid)[0]}


def _tabulate(
    bench: Bench, source: Path, ways: dict[str, Callable[[Drawn, int], dict[str, float]]]
) -> list[Any]:
    draws = [draw(bench, source, seed) for seed in range(bench.repeats)]
    numbers: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for seed, drawn in enumerate(draws):
        for name, train in ways.items():
            found = train(drawn, seed)
            tell(f"  {name}, seed {seed}: " + ", ".join(f"{k} {v:.4f}" for k, v in found.items()))
            numbers[name].append(found)
    rows = []
    for name, found in numbers.items():
        values = {key: mean(one[key] for one in found) for key in found[0]}
        head = f"{values['head']:.3f} / {values['head loss']:.3f}" if "head" in values else "-"
        cells = [f"{values['right']:.3f} / {values['loss']:.3f}", f"{values['valid']:.3f}"]
        cells.append(" ".join(f"{one['valid']:.3f}" for one in found))
        rows.append([name, head, *cells, f"{values['seconds']:.0f}"])
    title = f"{source.name}, {bench.options.a_class} photos a class, judged on {len(draws[0].others)} others"
    heads = ["way", "head: accuracy / log loss", "all layers", "validation", "each seed", "seconds"]
    return [Table(title, heads, rows, numbers)]


def compare(bench: Bench, source: Path) -> list[Any]:
    """The default beside the course's way."""
    ways: dict[str, Any] = {
        "fastclf": lambda drawn, seed: train_ours(drawn, DEFAULT, seed),
        "course: fine_tune(4)": train_theirs,
    }
    return _tabulate(bench, source, ways)


def vary(bench: Bench, source: Path) -> list[Any]:
    """One factor at a time."""

    def way(one: Way) -> Callable[[Drawn, int], dict[str, float]]:
        return lambda drawn, seed: train_ours(drawn, one, seed)

    names = bench.options.ways or list(FACTORS)
    return _tabulate(bench, source, {name: way(FACTORS[name]) for name in names})


PARTS = {"compare": for_each_folder(compare), "factors": for_each_folder(vary)}
