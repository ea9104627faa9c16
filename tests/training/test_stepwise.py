"""A notebook trains as the command does: the same choices, the same head, the same record."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.catalog import Catalog, load_dataset
from fastclf.collect import load_recipe
from fastclf.errors import UsageError
from fastclf.training import (
    TrainOptions,
    begin_training,
    export_bundle,
    fit_layers,
    record_training,
    settle_options,
)

pytestmark = pytest.mark.slow


def test_a_recipe_settles_what_is_left_open() -> None:
    digits = TrainOptions.for_recipe(load_recipe("digits"), size=None, arch="resnet18")
    assert (digits.arch, digits.size, digits.title, digits.pretrained) == (
        "resnet18", 32, "Handwritten digits", False,
    )  # fmt: skip
    assert TrainOptions.for_recipe(None, mode=None) == TrainOptions()
    with pytest.raises(UsageError, match="--mode is 'heads'"):
        TrainOptions.for_recipe(None, mode="heads")


def test_photos_of_ones_own_get_the_head_and_train_again_after_an_edit(
    photo_folder: Path, tmp_path: Path
) -> None:
    data = load_dataset(photo_folder)
    options = settle_options(TrainOptions(mode="head", size=32), data, say=lambda _: None)
    assert (options.arch, options.augment, options.resize) == ("tf_efficientnet_lite0", "none", "published")
    learn, head = begin_training(data, options)
    fitted = fit_layers(learn, data, options)
    assert fitted.epochs == []
    assert head is not None
    record = record_training(options, fitted, head)
    assert (record["mode"], record["head"]["C"]) == ("head", head.C)
    # its card says the same of photos to come as that of the command
    manifest = export_bundle(
        learn, data, tmp_path / "model", arch=str(options.arch), training=record
    ).manifest
    assert manifest.ood is not None
    assert manifest.ood.kind == "mahalanobis+energy"
    assert (manifest.ood.left_out or {}).get("n") == len(data.part("train")) + len(data.part("valid"))
    # what the finder keeps for a moment makes no class
    assert Path(learn.model_dir) == data.private / "models"
    photo = data.part("train")[0]
    with Catalog(photo_folder) as catalog:
        catalog.remove([photo.name])
    again = load_dataset(photo_folder)
    assert list(again.describe_changes(data)) == [f"{photo.name} is gone."]
    assert list(again.describe_changes(again)) == []
