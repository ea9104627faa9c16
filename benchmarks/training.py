"""Training a head, extracting features and answering against fastai's own ways, from the same weights.

Without `--weights` a body that learned another DATA folder here stands in for published weights.
"""

from __future__ import annotations

import argparse
import random
import shutil
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .harness import (
    Bench,
    Line,
    alternate,
    build_folder,
    find_photos,
    for_each_folder,
    split_names,
    tell,
    time_it,
)

DATA = "folders with one sub-folder per class; they are only read"
STAND_IN_EPOCHS, PREDICTED, WARM_UP, LARGE = 4, 60, 5, 200


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--archs", type=split_names, default=["resnet18", "mobilenetv4_conv_small"])
    parser.add_argument("--size", type=int, default=224, help="the network's input in pixels (default: 224)")
    parser.add_argument("--weights", type=Path, help="file of pretrained weights of the one architecture")


@dataclass(frozen=True)
class Setup:
    """A copy of the photos, and the network that learns them."""

    folder: Path
    arch: str
    size: int
    weights: Path

    @property
    def words(self) -> str:
        """The photos and the network, for the table."""
        return f"{self.folder.name}, {self.arch} at {self.size} px"

    def build(self, data: Any) -> Any:
        """Build a Learner that starts from the weights."""
        from fastclf.training import build_dls, build_learner

        return build_learner(build_dls(data, self.size), self.arch, weights=self.weights)


def for_each_setup(measure: Callable[[Bench, Setup], list[Line]]) -> Callable[[Bench], list[Line]]:
    """Return a part that measures with each folder and architecture; with --quick with the first of them."""

    def measure_all(bench: Bench) -> list[Line]:
        options, last = bench.options, 1 if bench.options.quick else None
        lines = []
        for number, source in enumerate(bench.folders[:last]):
            for arch in options.archs[:last]:
                weights = options.weights or make_stand_in(bench, bench.folders[number - 1], arch)
                setup = Setup(bench.copy(source), arch, options.size, weights)
                tell(setup.words)
                lines += measure(bench, setup)
        return lines

    return measure_all


def make_stand_in(bench: Bench, other: Path, arch: str) -> Path:
    """Return weights of a body that learned other photos here, from scratch."""
    import torch
    import torchvision

    from fastclf.catalog import load_dataset
    from fastclf.training import build_dls, build_learner, fit, plan_phases
    from fastclf.training.network import resolve_arch

    if len(bench.folders) < 2:
        raise SystemExit("Name a file with --weights, or a second folder that a stand-in learns from.")
    path = bench.scratch / f"{other.name}-{arch}.pth"
    if path.exists():
        return path
    tell(f"a stand-in for published weights learns {other.name} ...")
    learn = build_learner(
        build_dls(load_dataset(bench.copy(other)), 64, pretrained=False), arch, pretrained=False
    )
    fit(learn, plan_phases(1 if bench.options.quick else STAND_IN_EPOCHS, pretrained=False), quiet=True)
    if isinstance(resolve_arch(arch), str):
        torch.save(learn.model[0].model.state_dict(), path)
    else:
        whole = torchvision.models.get_model(arch, weights=None)
        names = [n for n in whole.state_dict() if not n.startswith("fc.")]
        state = dict(zip(names, learn.model[0].state_dict().values(), strict=True))
        torch.save({**whole.state_dict(), **state}, path)
    return path


def measure_head(bench: Bench, setup: Setup) -> list[Line]:
    """Train the head on features against `fine_tune(1)`, from the same weights, photos and split."""
    from fastclf.catalog import load_dataset
    from fastclf.head import HeadOptions, train_head
    from fastclf.training import freeze_body

    data = load_dataset(setup.folder)

    def train_ours() -> dict[str, float]:
        shutil.rmtree(data.private / "features", ignore_errors=True)
        folder, found = bench.new_folder(), {}

        def train_once() -> None:
            body, more = freeze_body(setup.arch, size=setup.size, weights=str(setup.weights), root=folder)
            train_head(data, body, folder / "model", HeadOptions(more=more))

        for name in ("head", "again"):
            found[name] = time_it(train_once)
            found[f"{name}: right"] = _read_accuracy(folder / "model")
        return found

    def train_theirs() -> dict[str, float]:
        learn = setup.build(data)
        with learn.no_bar(), learn.no_logging():
            took = time_it(lambda: learn.fine_tune(1))
        return {"theirs": took, "theirs: right": _measure_accuracy(learn)}

    took = alternate(bench.repeats, {"theirs": train_theirs, "ours": train_ours})
    what = f"head on features, {len(data.rows):,} photos of {setup.words}, s; fine_tune(1)"
    return [
        Line(what, took["head"], took["theirs"]),
        Line("... graph and features cached, s; fine_tune(1)", took["again"], took["theirs"]),
        Line("... validation accuracy; fine_tune(1)'s", took["head: right"], took["theirs: right"]),
    ]


def measure_features(bench: Bench, setup: Setup) -> list[Line]:
    """Extract features of all training photos against fastai's `get_preds` of the same network."""
    from fastclf.catalog import load_dataset
    from fastclf.model import FeatureCache
    from fastclf.training import build_frame, freeze_body

    data = load_dataset(setup.folder)
    learn, frame, photos = setup.build(data), build_frame(data), data.part("train")
    files = list(frame[frame["split"] == "train"]["file"])

    def extract() -> dict[str, float]:
        shutil.rmtree(data.private / "features", ignore_errors=True)
        root = bench.new_folder()

        def extract_once() -> None:
            body, _ = freeze_body(setup.arch, size=setup.size, weights=str(setup.weights), root=root)
            body.extract(FeatureCache(data.private, body.features_id), photos)

        return {"ours": time_it(extract_once)}

    def get_preds() -> dict[str, float]:
        dl = learn.dls.test_dl(files)
        with learn.no_bar():
            return {"theirs": time_it(lambda: learn.get_preds(dl=dl))}

    took = alternate(bench.repeats, {"theirs": get_preds, "ours": extract})
    what = f"features of {len(files):,} photos of {setup.words}, the graph's export included, s; get_preds"
    return [Line(what, took["ours"], took["theirs"])]


def measure_large(bench: Bench, source: Path) -> list[Line]:
    """Extract features of large photos by the packaged network against `get_preds`; and what halving does."""
    from fastclf.backbone import PACKAGED, open_packaged
    from fastclf.catalog import load_dataset
    from fastclf.model import FeatureCache
    from fastclf.training import build_dls, build_learner

    data = load_dataset(build_folder(source, bench.new_folder() / "photos", bench.count(LARGE), side=1600))
    learn = build_learner(build_dls(data, 224, resize="published"), PACKAGED.arch)
    photos, targets = data.photos.photos, [data.vocab.index(p.label) for p in data.photos.photos]
    body = open_packaged()
    whole = replace(body, preprocess=replace(body.preprocess, least_side=0))
    found: dict[str, Any] = {}

    def extract(name: str, with_body: Any) -> None:
        cache = FeatureCache(bench.new_folder(), "features")
        found[name] = with_body.extract(cache, photos)

    def get_preds(workers: int) -> None:
        dl = learn.dls.test_dl([p.path for p in photos], num_workers=workers)
        with learn.no_bar():
            learn.get_preds(dl=dl)

    took = alternate(bench.repeats, {
        "no workers": partial(get_preds, 0), "workers": partial(get_preds, 2),
        "ours": partial(extract, "reduced", body), "whole": partial(extract, "whole", whole),
    })  # fmt: skip
    same, change = _compare_answers(found["whole"], found["reduced"], np.array(targets))
    what = f"features of {len(photos):,} photos of {source.name} at 1600 px, s; get_preds"
    return [
        Line(what, took["ours"], took["no workers"], at_most=0.5),
        Line("... ; get_preds with two workers", took["ours"], took["workers"], at_most=0.5),
        Line("... ; decoding them whole", took["ours"], took["whole"]),
        Line("... share of answers with the same label as if decoded whole", [same], at_least=0.99),
        Line("... change of probability, median", [change], limit=0.01),
    ]


def _compare_answers(whole: Any, reduced: Any, targets: Any) -> tuple[float, float]:
    """Return how alike a head that learned half of the photos answers the others, decoded both ways."""
    from fastclf.head import fit_head
    from fastclf.metrics import compute_softmax

    head = fit_head(whole[::2], targets[::2])
    a, b = (compute_softmax(head.compute_logits(x[1::2])) for x in (whole, reduced))
    return float((a.argmax(1) == b.argmax(1)).mean()), float(np.median(np.abs(a.max(1) - b.max(1))))


def measure_predict(bench: Bench, setup: Setup) -> list[Line]:
    """Answer about one photo: fastai's `learn.predict`, ours, and the floor of decoding and one bare run."""
    import onnxruntime as ort

    from fastclf import Predictor
    from fastclf.model import open_session
    from fastclf.training import export_learner, train

    model, size = bench.new_folder() / "model", setup.size
    train(
        setup.folder, model, arch=setup.arch, size=size, resize="squish", weights=str(setup.weights),
        mode="head", quiet=True,
    )  # fmt: skip
    learn, predictor = _load_learner(export_learner(model)), Predictor(model)
    graph = predictor.bundle.onnx_path
    optimised = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ways: dict[str, Callable[[Path], Any]] = {
        "predictor": predictor.predict,
        "fastai": learn.predict,
        "floor": partial(_run_bare, open_session(graph), size),
        "optimised": partial(_run_bare, optimised, size),
    }
    with learn.no_bar(), learn.no_logging():
        took = _take_turns(ways, setup.folder, bench.repeats * bench.count(PREDICTED))
    ours, what = took["predictor"], f"one photo of {setup.words}, ms"
    return [
        Line(f"{what}; learn.predict", ours, took["fastai"], at_most=0.5),
        Line("... ; decoding and a bare run, same options", ours, took["floor"], at_most=1.2),
        Line("... ; the same with ONNX Runtime's own options", ours, took["optimised"]),
    ]


def _take_turns(ways: dict[str, Callable[[Path], Any]], folder: Path, n: int) -> dict[str, list[float]]:
    """Return the milliseconds of each way for `n` photos, in another order for each; the first warm up."""
    photos = find_photos(folder)
    random.Random(0).shuffle(photos)
    took: dict[str, list[float]] = defaultdict(list)
    for number, path in enumerate(photos[: n + WARM_UP]):
        for name in random.Random(number).sample(sorted(ways), len(ways)):
            seconds = time_it(partial(ways[name], path))
            if number >= WARM_UP:
                took[name].append(seconds * 1000)
    return took


def _run_bare(session: Any, size: int, path: Path) -> Any:
    """Do what no answer can do without: decode, resize, run."""
    import numpy as np
    from PIL import Image

    image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    batch = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
    return session.run(["logits"], {"image": np.ascontiguousarray(batch)})


def _measure_accuracy(learn: Any) -> float:
    with learn.no_bar(), learn.no_logging():
        return float(learn.validate()[1])


def _read_accuracy(model: Path) -> float:
    from fastclf import ModelBundle

    [row] = ModelBundle.load(model).manifest.training.epochs or []
    return float(row["accuracy"])


def _load_learner(path: Path) -> Any:
    from fastai.vision.all import load_learner

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_learner(path)


PARTS = {
    "head": for_each_setup(measure_head),
    "features": for_each_setup(measure_features),
    "large": for_each_folder(measure_large),
    "predict": for_each_setup(measure_predict),
}
