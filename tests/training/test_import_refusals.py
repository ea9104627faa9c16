"""Learners that do something else than to tell photos apart are refused with what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastclf.errors import ExportError, LearnerError

from .exported import export

pytestmark = pytest.mark.slow


def _learn(fv: Any, photos: Path, targets: Any = None, get_y: Any = None, **options: Any) -> Any:
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


def _typed(function: Any, kind: type) -> Any:
    """Say what a step is for, as fastai reads it."""
    function.__annotations__ = {"x": kind}
    function.order = 50
    return function


def _several(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, fv.MultiCategoryBlock, lambda f: [f.parent.name])


def _number(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, fv.RegressionBlock, lambda f: float(len(f.name)), y_range=(0, 20))


def _pixels(fv: Any, photos: Path) -> Any:
    block = fv.DataBlock(
        blocks=(fv.ImageBlock, fv.MaskBlock(["a", "b"])), get_items=fv.get_image_files,
        get_y=lambda f: fv.PILMask.create(fv.np.zeros((40, 40), fv.np.uint8)), item_tfms=fv.Resize(32),
    )  # fmt: skip
    dls = block.dataloaders(photos, bs=4, num_workers=0)
    return fv.unet_learner(dls, fv.resnet18, pretrained=False, n_out=2)


def _table(fv: Any, photos: Path) -> Any:
    from fastai.tabular.all import TabularDataLoaders, tabular_learner

    frame = fv.pd.DataFrame({"x": [0.1, 0.2, 0.3, 0.4], "y": ["a", "b", "a", "b"]})
    dls = TabularDataLoaders.from_df(
        frame, y_names="y", cont_names=["x"], valid_idx=[0], bs=2, num_workers=0, y_block=fv.CategoryBlock()
    )
    return tabular_learner(dls, layers=[4])


def _two_inputs(fv: Any, photos: Path) -> Any:
    block = fv.DataBlock(
        blocks=(fv.ImageBlock, fv.ImageBlock, fv.CategoryBlock), n_inp=2, get_items=fv.get_image_files,
        getters=[fv.noop, fv.noop, fv.parent_label], item_tfms=fv.Resize(32),
    )  # fmt: skip
    dls = block.dataloaders(photos, bs=4, num_workers=0)
    return fv.Learner(dls, fv.nn.Linear(3, 3), loss_func=fv.CrossEntropyLossFlat())


def _grey(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, images=fv.ImageBlock(fv.PILImageBW))


def _sigmoid(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, loss_func=fv.BCEWithLogitsLossFlat())


def _norm_at_the_end(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, bn_final=True)


def _more_answers(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, n_out=5)


def _no_resize(fv: Any, photos: Path) -> Any:
    return _learn(fv, photos, item_tfms=None)


def _own_item_step(fv: Any, photos: Path) -> Any:
    def posterise(x: Any) -> Any:
        return x

    return _learn(fv, photos, item_tfms=[fv.Resize(32), _typed(posterise, fv.PILImage)])


def _own_batch_step(fv: Any, photos: Path) -> Any:
    def squared(x: Any) -> Any:
        return x * x

    return _learn(fv, photos, batch_tfms=[_typed(squared, fv.TensorImage)])


def _noise(fv: Any, photos: Path) -> Any:
    def noisy(x: Any) -> Any:
        return x + fv.torch.rand_like(x)

    return _learn(fv, photos, batch_tfms=[_typed(noisy, fv.TensorImage)])


def _turned(fv: Any, photos: Path) -> Any:
    def turn(x: Any) -> Any:
        return x.transpose(-1, -2)

    return _learn(fv, photos, batch_tfms=[_typed(turn, fv.TensorImage)])


def _own_opening(fv: Any, photos: Path) -> Any:
    def open_darker(path: Path) -> Any:
        return fv.PILImage(fv.PILImage.create(path).point(lambda v: v // 2))

    dls = _learn(fv, photos).dls
    for part in dls.loaders:
        part.dataset.tls[0].tfms.fs[0] = fv.Transform(open_darker)
    return fv.vision_learner(dls, "test_resnet", pretrained=False)


REFUSED: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "several": (_several, LearnerError, r"several classes a photo \(MultiCategoryBlock\).*CategoryBlock"),
    "number": (_number, LearnerError, r"predicts numbers \(RegressionBlock\)"),
    "pixels": (_pixels, LearnerError, r"a class a pixel \(MaskBlock, segmentation\)"),
    "table": (_table, LearnerError, "TabularLearner.* no photos"),
    "two inputs": (_two_inputs, LearnerError, "2 inputs and 1 targets"),
    "grey": (_grey, LearnerError, "grey photos"),
    "sigmoid": (_sigmoid, LearnerError, "BCEWithLogitsLossFlat, whose answers are not one softmax"),
    "norm at the end": (_norm_at_the_end, ExportError, "does not end with a linear layer .*BatchNorm1d"),
    "more answers": (_more_answers, LearnerError, "5 numbers for 3 classes"),
    "no resize": (_no_resize, ExportError, "nothing is done to each photo .* one Resize"),
    "own item step": (_own_item_step, ExportError, "Resize, posterise is done to each photo"),
    "own batch step": (_own_batch_step, LearnerError, "squared.* no fixed resampling"),
    "noise": (_noise, LearnerError, "noisy.* another one each time"),
    "turned": (_turned, LearnerError, "turn.* no fixed resampling"),
    "own opening": (_own_opening, ExportError, "sees other pixels"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_with_what_was_found_and_what_is_allowed(
    kind: str, fv: Any, course: Path, tmp_path: Path
) -> None:
    from fastclf.training import import_learner

    build, error, words = REFUSED[kind]
    file = export(build(fv, course), tmp_path / "export.pkl")
    with pytest.raises(error, match=words) as caught:
        import_learner(file, tmp_path / "model", trust_pickle=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()
