"""Learners that do something else than to tell photos apart are refused with what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastai.tabular.all import TabularDataLoaders, tabular_learner
from fastai.vision import all as fv

from fastclf.errors import ExportError, LearnerError
from fastclf.training import import_learner

from .exported import export

pytestmark = pytest.mark.slow


def _learn(photos: Path, targets: Any = None, get_y: Any = None, **options: Any) -> Any:
    """A Learner of the course's usual kind but for what is given; untrained."""
    head = {k: options.pop(k) for k in ("bn_final", "y_range", "n_out", "loss_func") if k in options}
    options.setdefault("item_tfms", fv.Resize(32))
    block = fv.DataBlock(
        blocks=(options.pop("images", fv.ImageBlock), targets or fv.CategoryBlock),
        get_items=fv.get_image_files,
        get_y=get_y or fv.parent_label,
        **options,
    )
    return fv.vision_learner(
        block.dataloaders(photos, bs=4, num_workers=0), "test_resnet", pretrained=False, **head
    )


def _step(function: Callable[[Any], Any], kind: type, name: str) -> Any:
    """Return a step of one's own, which says as fastai reads it what it is for."""

    def step(x: Any) -> Any:
        return function(x)

    step.__annotations__, step.__name__, step.__qualname__ = {"x": kind}, name, name
    step.order = 50  # type: ignore[attr-defined]
    return step


def _of_batches(function: Callable[[Any], Any], name: str) -> Callable[[Path], Any]:
    return lambda photos: _learn(photos, batch_tfms=[_step(function, fv.TensorImage, name)])


def _pixels(photos: Path) -> Any:
    block = fv.DataBlock(
        blocks=(fv.ImageBlock, fv.MaskBlock(["a", "b"])), get_items=fv.get_image_files,
        get_y=lambda f: fv.PILMask.create(fv.np.zeros((40, 40), fv.np.uint8)), item_tfms=fv.Resize(32),
    )  # fmt: skip
    dls = block.dataloaders(photos, bs=4, num_workers=0)
    return fv.unet_learner(dls, fv.resnet18, pretrained=False, n_out=2)


def _table(photos: Path) -> Any:
    frame = fv.pd.DataFrame({"x": [0.1, 0.2, 0.3, 0.4], "y": ["a", "b", "a", "b"]})
    dls = TabularDataLoaders.from_df(
        frame, y_names="y", cont_names=["x"], valid_idx=[0], bs=2, num_workers=0, y_block=fv.CategoryBlock()
    )
    return tabular_learner(dls, layers=[4])


def _two_inputs(photos: Path) -> Any:
    block = fv.DataBlock(
        blocks=(fv.ImageBlock, fv.ImageBlock, fv.CategoryBlock), n_inp=2, get_items=fv.get_image_files,
        getters=[fv.noop, fv.noop, fv.parent_label], item_tfms=fv.Resize(32),
    )  # fmt: skip
    dls = block.dataloaders(photos, bs=4, num_workers=0)
    return fv.Learner(dls, fv.nn.Linear(3, 3), loss_func=fv.CrossEntropyLossFlat())


def _own_opening(photos: Path) -> Any:
    def open_darker(path: Path) -> Any:
        return fv.PILImage(fv.PILImage.create(path).point(lambda v: v // 2))

    dls = _learn(photos).dls
    for part in dls.loaders:
        part.dataset.tls[0].tfms.fs[0] = fv.Transform(open_darker)
    return fv.vision_learner(dls, "test_resnet", pretrained=False)


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "several": (
        lambda photos: _learn(photos, fv.MultiCategoryBlock, lambda f: [f.parent.name]),
        r"several classes a photo \(MultiCategoryBlock\).*CategoryBlock",
    ),
    "number": (
        lambda photos: _learn(photos, fv.RegressionBlock, lambda f: float(len(f.name)), y_range=(0, 20)),
        r"predicts numbers \(RegressionBlock\)",
    ),
    "pixels": (_pixels, r"a class a pixel \(MaskBlock, segmentation\)"),
    "table": (_table, "TabularLearner.* no photos"),
    "two inputs": (_two_inputs, "2 inputs and 1 targets"),
    "grey": (lambda photos: _learn(photos, images=fv.ImageBlock(fv.PILImageBW)), "grey photos"),
    "sigmoid": (
        lambda photos: _learn(photos, loss_func=fv.BCEWithLogitsLossFlat()),
        "BCEWithLogitsLossFlat, whose answers are not one softmax",
    ),
    "more answers": (lambda photos: _learn(photos, n_out=5), "5 numbers for 3 classes"),
    "own batch step": (_of_batches(lambda x: x * x, "squared"), "squared.* no fixed resampling"),
    "noise": (_of_batches(lambda x: x + fv.torch.rand_like(x), "noisy"), "noisy.* another one each time"),
    "turned": (_of_batches(lambda x: x.transpose(-1, -2), "turn"), "turn.* no fixed resampling"),
}
# What could not be told from the Learner alone, or cannot be exported.
NOT_EXPORTED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "norm at the end": (
        lambda photos: _learn(photos, bn_final=True),
        "does not end with a linear layer .*BatchNorm1d",
    ),
    "no resize": (
        lambda photos: _learn(photos, item_tfms=None),
        "nothing is done to each photo .* one Resize",
    ),
    "own item step": (
        lambda photos: _learn(
            photos, item_tfms=[fv.Resize(32), _step(lambda x: x, fv.PILImage, "posterise")]
        ),
        "Resize, posterise is done to each photo",
    ),
    "own opening": (_own_opening, "sees other pixels"),
}


@pytest.mark.parametrize("kind", [*REFUSED, *NOT_EXPORTED])
def test_it_is_refused_with_what_was_found_and_what_is_allowed(
    kind: str, course: Path, tmp_path: Path
) -> None:
    build, words = (REFUSED | NOT_EXPORTED)[kind]
    error = LearnerError if kind in REFUSED else ExportError
    file = export(build(course), tmp_path / "export.pkl")
    with pytest.raises(error, match=words) as caught:
        import_learner(file, tmp_path / "model", trust_pickle=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()
