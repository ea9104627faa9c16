"""Measure training a head, extracting features and answering against fastai's own ways, on real photos."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verdicts import Line, print_table, tell

STAND_IN_EPOCHS = 4
PREDICTED = 60


@dataclass(frozen=True)
class Bench:
    """What is measured, and where.

    Attributes
    ----------
    source
        Folder of the photos; it is only read.
    other
        Folder whose photos teach the stand-in for published weights.
    scratch
        A temporary folder.
    arch, size
        The network, and its input in pixels.
    repeats
        How often each thing is done.
    weights
        A file of pretrained weights, or None.
    """

    source: Path
    other: Path | None
    scratch: Path
    arch: str
    size: int
    repeats: int
    weights: Path | None

    @property
    def words(self) -> str:
        """The photos and the network, for the table."""
        return f"{self.source.name}, {self.arch} at {self.size} px"


def measure_head(bench: Bench, folder: Path, weights: Path) -> list[Line]:
    """Train the head on features against `fine_tune(1)`, from the same weights, photos and split."""
    from fastclf.training import build_dls, build_learner, load_data, train_head

    data = load_data(folder)
    took: dict[str, list[float]] = defaultdict(list)
    right: dict[str, list[float]] = defaultdict(list)

    def build() -> Any:
        return build_learner(build_dls(data, bench.size), bench.arch, weights=weights)

    def fit_head(name: str) -> None:
        learn = build()
        took[name].append(_time(lambda: train_head(learn, data)))
        right[name].append(_judge(learn))

    def fine_tune() -> None:
        learn = build()
        with learn.no_bar(), learn.no_logging():
            took["fine_tune"].append(_time(lambda: learn.fine_tune(1)))
        right["fine_tune"].append(_judge(learn))

    for number in range(bench.repeats):
        shutil.rmtree(data.private / "features", ignore_errors=True)
        acts: list[Callable[[], None]] = [lambda: fit_head("head"), lambda: fit_head("again"), fine_tune]
        for act in acts if number % 2 else [fine_tune, *acts[:2]]:
            act()
        tell("  " + ", ".join(f"{k} {v[-1]:.2f} s, {right[k][-1]:.3f}" for k, v in took.items()))
    n = len(data.frame)
    baseline = took["fine_tune"]
    return [
        Line(f"head on features, {n:,} photos of {bench.words}, s; fine_tune(1)", took["head"], baseline),
        Line("... features cached, s; fine_tune(1)", took["again"], baseline),
        Line("... validation accuracy; fine_tune(1)'s", right["head"], right["fine_tune"]),
    ]


def measure_features(bench: Bench, folder: Path, weights: Path) -> list[Line]:
    """Extract features of all training photos against fastai's `get_preds` of the same network."""
    from fastclf.training import build_dls, build_learner, load_data
    from fastclf.training.fitting import compute_features

    data = load_data(folder)
    learn = build_learner(build_dls(data, bench.size), bench.arch, weights=weights)
    files = list(data.part("train")["file"])
    took: dict[str, list[float]] = defaultdict(list)

    def ours() -> None:
        shutil.rmtree(data.private / "features", ignore_errors=True)
        took["ours"].append(_time(lambda: compute_features(learn, data, ["train"])))

    def theirs() -> None:
        dl = learn.dls.test_dl(files)
        with learn.no_bar():
            took["theirs"].append(_time(lambda: learn.get_preds(dl=dl)))

    _alternate(bench.repeats, [ours, theirs])
    words = f"features of {len(files):,} photos of {bench.words}, the graph's export included, s; get_preds"
    return [Line(words, took["ours"], took["theirs"])]


def measure_predict(bench: Bench, folder: Path, weights: Path) -> list[Line]:
    """Answer about one photo: fastai's `learn.predict`, ours, and the floor of decoding and one bare run."""
    import onnxruntime as ort

    from fastclf import Predictor
    from fastclf.model import open_session
    from fastclf.training import train

    model = bench.scratch / "predicting"
    train(folder, model, arch=bench.arch, size=bench.size, weights=str(weights), mode="head", quiet=True)
    learn = _load_learner(model / "export.pkl")
    predictor = Predictor(model)
    bare = open_session(predictor.bundle.onnx_path)
    optimised = ort.InferenceSession(predictor.bundle.onnx_path, providers=["CPUExecutionProvider"])
    photos = sorted(p for p in folder.glob("*/*") if p.is_file())
    random.Random(0).shuffle(photos)
    ways: dict[str, Callable[[Path], Any]] = {
        "predictor": predictor.predict,
        "fastai": learn.predict,
        "floor": lambda path: _run_bare(path, bare, bench.size),
        "optimised": lambda path: _run_bare(path, optimised, bench.size),
    }
    took: dict[str, list[float]] = defaultdict(list)
    with learn.no_bar(), learn.no_logging():
        for number, path in enumerate(photos[: bench.repeats * PREDICTED + 5]):
            for name in random.Random(number).sample(sorted(ways), len(ways)):
                seconds = _time(lambda path=path, name=name: ways[name](path))
                if number >= 5:  # the first ones warm up
                    took[name].append(seconds * 1000)
    words = f"one photo of {bench.words}, ms"
    return [
        Line(f"{words}; learn.predict", took["predictor"], took["fastai"], at_most=0.5),
        Line("... ; decoding and a bare run, same options", took["predictor"], took["floor"], at_most=1.2),
        Line("... ; the same with ONNX Runtime's own options", took["predictor"], took["optimised"]),
    ]  # fmt: skip


def _run_bare(path: Path, session: Any, size: int) -> Any:
    """Do what no answer can do without: decode, resize, run."""
    import numpy as np
    from PIL import Image

    image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    batch = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
    return session.run(["logits"], {"image": np.ascontiguousarray(batch)})


def make_stand_in(bench: Bench) -> Path:
    """Return weights to start from: the file that was named, or a body that learned other photos here."""
    if bench.weights is not None:
        return bench.weights
    if bench.other is None:
        raise SystemExit("Name a file with --weights, or a second folder that a stand-in learns from.")
    import torch
    import torchvision

    from fastclf.training import build_dls, build_learner, fit, load_data, plan_phases
    from fastclf.training.network import resolve_arch

    folder = bench.scratch / "other"
    if not folder.exists():
        shutil.copytree(bench.other, folder)
    tell(f"a stand-in for published weights learns {bench.other.name} ...")
    data = load_data(folder)
    learn = build_learner(build_dls(data, 64, pretrained=False), bench.arch, pretrained=False)
    fit(learn, plan_phases(STAND_IN_EPOCHS, pretrained=False), quiet=True)
    path = bench.scratch / f"{bench.arch}.pth"
    resolved = resolve_arch(bench.arch)
    if isinstance(resolved, str):
        torch.save(learn.model[0].model.state_dict(), path)
    else:
        whole = torchvision.models.get_model(bench.arch, weights=None)
        names = [n for n in whole.state_dict() if not n.startswith("fc.")]
        state = dict(zip(names, learn.model[0].state_dict().values(), strict=True))
        torch.save({**whole.state_dict(), **state}, path)
    return path


def _judge(learn: Any) -> float:
    with learn.no_bar(), learn.no_logging():
        return float(learn.validate()[1])


def _load_learner(path: Path) -> Any:
    from fastai.vision.all import load_learner

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_learner(path)


def _alternate(repeats: int, acts: Sequence[Callable[[], None]]) -> None:
    for number in range(repeats):
        for act in acts if number % 2 else reversed(acts):
            act()


def _time(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


MEASURES: dict[str, Callable[[Bench, Path, Path], list[Line]]] = {
    "head": measure_head,
    "features": measure_features,
    "predict": measure_predict,
}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="+", metavar="DIR", help="one sub-folder a class; only read"
    )
    parser.add_argument("--parts", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--arch", nargs="+", default=["resnet18", "mobilenetv4_conv_small"])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--weights", type=Path, help="file of pretrained weights of the one --arch")
    parser.add_argument("--repeats", type=int, default=3, help="how often each thing is done (default: 3)")
    parser.add_argument("--json", type=Path, help="file for the raw numbers")
    args = parser.parse_args()
    lines: list[Line] = []
    for number, source in enumerate(args.folder):
        other = args.folder[number - 1] if len(args.folder) > 1 else None
        for arch in args.arch:
            with tempfile.TemporaryDirectory(prefix="fastclf-training-") as scratch:
                bench = Bench(
                    source, other, Path(scratch), arch, args.size, max(1, args.repeats), args.weights
                )
                folder = bench.scratch / source.name
                shutil.copytree(source, folder)
                weights = make_stand_in(bench)
                for part in args.parts:
                    tell(f"{part}, {bench.words} (load {os.getloadavg()[0]:.1f}) ...")
                    lines += MEASURES[part](bench, folder, weights)
    if args.json:
        args.json.write_text(json.dumps([asdict(line) for line in lines], indent=1))
    print_table(["what; baseline", "baseline", "fastclf", "ratio", "verdict"], [x.row() for x in lines])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
