"""What a training decides by itself, what it says of it, and which options it refuses."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from fastclf.collect import list_recipes, load_recipe
from fastclf.errors import UsageError
from fastclf.training import TrainOptions
from fastclf.training import plan as module
from fastclf.training.fitting import scale_lr
from fastclf.training.network import measure_step

pytestmark = pytest.mark.slow


def _photos(train: int, side: int = 400) -> Any:
    """What a plan looks at of a folder."""
    return SimpleNamespace(
        part=lambda split: [None] * (train if split == "train" else train // 4), short_side=side
    )


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a plan on a machine whose training step takes `step` seconds a photo at 224 px."""

    def make(
        photos: Any, *, step: float = 0.01, arch: str = "resnet18", gpu: bool = False, **options: Any
    ) -> Any:
        measured: list[str] = []
        monkeypatch.setattr(module, "measure_step", lambda arch, _: measured.append(arch) or step)
        monkeypatch.setattr(module.torch.cuda, "is_available", lambda: gpu)
        said: list[str] = []
        size = options.pop("settled_size", options.get("size"))
        made = module.make_plan(photos, TrainOptions(**options), arch, size, time.monotonic(), said.append)
        return SimpleNamespace(plan=made, said=" ".join(said), measured=measured)

    return make


def test_new_weights_need_more_epochs_than_learned_ones(plan: Any) -> None:
    assert (plan(_photos(600)).plan.epochs, plan(_photos(600), pretrained=False).plan.epochs) == (4, 15)


def test_a_time_limit_decides_the_size(plan: Any) -> None:
    # 600 photos, 0.1 s each: an epoch takes a minute at 224 px
    assert plan(_photos(600), step=0.1, time_limit=1200).plan.size == 224
    tight = plan(_photos(600), step=0.1, time_limit=120)
    assert tight.plan.size == 160  # three epochs of (160 / 224)^2 minutes are 92 s of 95
    assert "what the time limit allows" in tight.said
    assert plan(_photos(600), step=9.0, time_limit=60).plan.size == 64
    # nobody waits for a measurement that decides nothing
    assert tight.measured == ["resnet18"]
    assert plan(_photos(600), step=9.0, time_limit=60, gpu=True).measured == []
    assert plan(_photos(600), step=9.0).measured == []


def test_what_is_given_is_taken_without_a_word(plan: Any) -> None:
    made = plan(_photos(600), step=9.0, size=96, epochs=7, batch_size=10)
    assert made.plan == module.Plan("resnet18", 96, 7, 10)
    assert made.said == ""


def test_the_size_is_the_photos_and_at_most_224(plan: Any) -> None:
    sizes = {side: plan(_photos(600, side=side), pretrained=False).plan.size for side in (20, 100, 223, 900)}
    assert sizes == {20: 32, 100: 96, 223: 192, 900: 224}


def test_a_network_that_takes_one_size_gets_it(plan: Any) -> None:
    made = plan(_photos(600, side=100), arch="vit_tiny_patch16_224")
    assert made.plan.size == 224
    assert "the only size that vit_tiny_patch16_224 takes" in made.said
    assert plan(_photos(600), arch="vit_base_patch16_384").plan.size == 384


def test_few_photos_make_small_batches_and_these_a_lower_rate(plan: Any) -> None:
    batches = {n: plan(_photos(n), pretrained=False).plan.batch_size for n in (10, 126, 600, 2000)}
    assert batches == {10: 5, 126: 8, 600: 32, 2000: 64}
    assert plan(_photos(30), pretrained=False, batch_size=64).plan.batch_size == 15
    assert scale_lr(64, learned=True) == pytest.approx(2e-3)
    assert scale_lr(16, learned=True) == pytest.approx(1e-3)
    assert scale_lr(64, learned=False) == pytest.approx(5e-3)
    assert scale_lr(8, learned=False) == pytest.approx(6.25e-4)


def test_a_network_that_cannot_be_measured_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="vit_tiny_patch16_224 cannot be trained at 100 x 100"):
        measure_step("vit_tiny_patch16_224", 100)
    assert measure_step("test_resnet", 64, batch_size=2) > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "magic"}, "--mode is 'magic'; it can be fine-tune, head"),
        ({"resize": "fold"}, "--resize is 'fold'; it can be published, squish, crop, pad, random-crop"),
        ({"augment": "wild"}, "--augment is 'wild'"),
        ({"track": "paper"}, "--track is 'paper'; it can be csv, tensorboard, wandb"),
        ({"size": 15}, "16 to 1024"),
        ({"size": 1025}, "16 to 1024"),
        ({"epochs": 0}, "--epochs is 0"),
        ({"patience": 0}, "--patience is 0"),
        ({"batch_size": 1}, "--batch-size is 1; it must be 2 or more"),
        ({"workers": -1}, "--workers is -1"),
        ({"seed": -1}, "--seed is -1"),
        ({"time_limit": 59}, "60 s is the least"),
        ({"time_limit": float("nan")}, "60 s is the least"),
        ({"time_limit": float("inf")}, "60 s is the least"),
        ({"lr": 0.0}, "--lr is 0.0"),
        ({"lr": float("nan")}, "--lr is nan"),
        ({"lr": float("inf")}, "--lr is inf"),
        ({"lr": "fast"}, "--lr is 'fast'"),
        ({"weights": "w.pth", "pretrained": False}, "--weights and --no-pretrained exclude each other"),
        ({"weights": "w.pth", "from_model": "m"}, "--weights and --from exclude each other"),
        ({"mode": "head", "pretrained": False}, "its features would be random"),
    ],
)
def test_a_wrong_option_is_refused_as_soon_as_it_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrainOptions(**options)


@pytest.mark.parametrize(
    "options", [{}, {"lr": "find"}, {"mode": "head", "pretrained": False, "from_model": "m"}, {"lr": 1}]
)
def test_what_is_allowed_passes(options: dict[str, Any]) -> None:
    assert TrainOptions(**options)


@pytest.mark.parametrize("name", list_recipes())
def test_what_a_recipe_says_of_training_is_what_training_takes(name: str) -> None:
    assert TrainOptions(**load_recipe(name).train)
