"""How to train: what a maker may decide, checked as soon as it is said."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import MissingExtraError, UsageError, WeightsError, describe_error
from ..head import AUTO, BALANCES
from ..model import METHODS, PUBLISHED
from ..system import advise_install, hash_file

if TYPE_CHECKING:
    from ..collect import Recipe

# What fastai may do to a training photo; `symmetric` fits photos, `upright` letters, digits and signs.
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "symmetric": {},
    "upright": {"do_flip": False, "max_rotate": 10.0, "max_zoom": 1.1, "max_warp": 0.1},
    "none": {},
}
RANDOM_CROP = "random-crop"
# Chosen on photos of clothing and of hand signs (benchmarks/README.md, "Transfer").
DEFAULT_RESIZE = PUBLISHED
FINE_TUNE, HEAD = "fine-tune", "head"
MODES = (FINE_TUNE, HEAD)
FIND_LR = "find"
# Epochs of all layers, by whether the body has learned already.
EPOCHS = {True: 4, False: 15}
TRACKERS = ("csv", "tensorboard", "wandb")
# How files of weights begin that PyTorch wrote before 1.6, and how long the header of safetensors may be.
# a pickle of any protocol: what reads it says what is in it, and runs nothing
_PICKLE, _LONGEST_HEADER = b"\x80", 100_000_000
_TRACKER_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes
    ----------
    arch
        A torchvision or timm name; None chooses.
    mode
        "fine-tune" trains all layers, "head" a linear layer on the features of a body that stays as it is;
        None chooses by the device and the photos.
    size
        Height and width of the network's input in pixels; None chooses.
    resize
        "published" (as the weights were judged: the short side becomes somewhat more than the size, and the
        middle is seen), "squish", "crop", "pad" or "random-crop"; None is that of `from_model`, else
        "published".
    augment
        "symmetric" for photos, "upright" for letters, digits and signs, "none"; None is that of `from_model`,
        else "symmetric".
    balance
        Whether the answers are evened out for rare classes: "auto" where the largest class has three times as
        many training photos as the smallest, "on", "off".
    epochs
        Epochs of all layers; None is 4 with pretrained weights, 15 without, more if a time limit allows.
    batch_size
        Photos a training step; None is 64, less where that would make few steps.
    lr
        Highest learning rate; None chooses, "find" lets fastai's finder choose.
    seed
        For weights, order and augmentation, and for splits that are not on record yet.
    split_by
        Where splits come from: None draws, "folder" or a CSV file; see `load_dataset`.
    time_limit
        Seconds from the start to the written bundle; None is no limit.
    patience
        Epochs without a better one after which training ends; None is half of the epochs, five at least.
    pretrained
        Whether to start from ImageNet weights.
    weights
        A file to take pretrained weights from.
    from_model
        Folder of a bundle whose network is trained further.
    workers
        Processes that decode photos. With 0 the same seed gives the same result.
    track
        Where every epoch is reported as well: "csv", "tensorboard" or "wandb".
    restart
        Whether an interrupted run is forgotten instead of continued.
    title
        The dashboard's title.
    intro, colour
        What it says below the title, and its colour ("#1b57b3"); "" leaves the dashboard's own.
    translations
        Title, intro and class names in other languages, as in a `Recipe`.

    Examples
    --------
    >>> TrainOptions(mode="head", seed=1).resize is None
    True
    >>> TrainOptions(mode="heads")
    Traceback (most recent call last):
        ...
    fastclf.errors.UsageError: --mode is 'heads'...
    """

    arch: str | None = None
    mode: str | None = None
    size: int | None = None
    resize: str | None = None
    augment: str | None = None
    balance: str = AUTO
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | str | None = None
    seed: int = 0
    split_by: str | None = None
    time_limit: float | None = None
    patience: int | None = None
    pretrained: bool = True
    weights: str | None = None
    from_model: str | None = None
    workers: int = 0
    track: str | None = None
    restart: bool = False
    title: str = ""
    intro: str = ""
    colour: str = ""
    translations: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def for_recipe(cls, recipe: Recipe | None, **given: Any) -> Self:
        """Return a recipe's options, and over them what is given; None says nothing."""
        given = {name: value for name, value in given.items() if value is not None}
        if recipe is None:
            return cls(**given)
        look = {name: getattr(recipe, name) for name in ("title", "intro", "colour", "translations")}
        options = {**look, **recipe.train}
        if "weights" in given:
            options.pop("pretrained", None)
        if "from_model" in given:
            options.pop("arch", None)  # the earlier model's counts, whatever the recipe says
        return cls(**{**options, **given})

    def describe_weights(self) -> dict[str, str] | None:
        """Return name and hash of the file of weights, for the record; its place is nobody's business."""
        if self.weights is None:
            return None
        return {"name": Path(self.weights).name, "sha256": hash_file(Path(self.weights))}

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()
        if self.weights is not None and (self.from_model is not None or not self.pretrained):
            other = "--from" if self.from_model is not None else "--no-pretrained"
            raise UsageError("--weights and {other} exclude each other; name one.", other=other)
        if self.mode == HEAD and not self.pretrained and self.from_model is None:
            raise UsageError(
                "--mode head needs a body that has learned already: with --no-pretrained its features would "
                "be random. Use --mode fine-tune, pretrained weights, or --from MODEL."
            )

    def _check_names(self) -> None:
        allowed = {
            "mode": MODES, "resize": (PUBLISHED, *METHODS, RANDOM_CROP), "augment": tuple(AUGMENTATIONS),
            "balance": BALANCES, "track": TRACKERS,
        }  # fmt: skip
        for name, names in allowed.items():
            value = getattr(self, name)
            if value is not None and value not in names:
                raise UsageError(
                    "--{name} is {value!r}; it can be {names}.",
                    name=name,
                    value=value,
                    names=", ".join(names),
                )
        if self.colour and not re.fullmatch(r"#([0-9a-fA-F]{3}){1,2}", self.colour):
            raise UsageError(
                "--colour is {colour!r}; it is # and 3 or 6 hexadecimal digits.", colour=self.colour
            )

    def _check_numbers(self) -> None:
        if self.size is not None and not 16 <= self.size <= 1024:
            raise UsageError("--size is {size:d}; it can be 16 to 1024 pixels.", size=self.size)
        for name, least in (("epochs", 1), ("patience", 1), ("batch_size", 2), ("workers", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(
                    "--{name} is {value}; it must be {least} or more.",
                    name=name.replace("_", "-"),
                    value=value,
                    least=least,
                )
        if self.time_limit is not None and not 60 <= self.time_limit < math.inf:
            raise UsageError(
                "--time-limit is {time_limit:g} s; 60 s is the least.", time_limit=self.time_limit
            )
        lr = self.lr
        if lr is not None and lr != FIND_LR and not (isinstance(lr, int | float) and 0 < lr < math.inf):
            raise UsageError(
                "--lr is {lr!r}; it can be a number above 0, such as 0.002, or {find_lr}.",
                lr=lr,
                find_lr=FIND_LR,
            )


def check_weights_file(path: Path) -> None:
    """Raise WeightsError if there is no such file, or its first bytes are not those of weights."""
    if not path.is_file():
        raise WeightsError(
            "There is no file of weights {path}. Name a .safetensors, .pth or .bin file.", path=path
        )
    try:
        known = _looks_like_weights(path)
    except (OSError, zipfile.BadZipFile) as e:
        raise WeightsError(
            "The weights {path} cannot be read ({reason}).", path=path, reason=describe_error(e)
        ) from None
    if not known:
        raise WeightsError(
            "{path} is no file of weights. Name a .safetensors, .pth or .bin file of a network.", path=path
        )


def _looks_like_weights(path: Path) -> bool:
    """Return whether a file begins as one of PyTorch's does, or of safetensors: a length and so much JSON."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    with path.open("rb") as f:
        start = f.read(16)
        if start.startswith(_PICKLE):
            return True
        length = int.from_bytes(start[:8], "little")
        if start[8:9] != b"{" or length > min(path.stat().st_size, _LONGEST_HEADER):
            return False
        f.seek(8)
        try:
            return isinstance(json.loads(f.read(length)), dict)
        except (ValueError, RecursionError):
            return False


def check_tracker(track: str | None) -> None:
    """Raise MissingExtraError if what `--track` needs is not installed."""
    package = _TRACKER_PACKAGES.get(track or "")
    if package and importlib.util.find_spec(package) is None:
        raise MissingExtraError(
            "--track {track} needs the package {package}, which is not installed. Run `{install}`.",
            install=advise_install("track"),
            track=track,
            package=package,
        )
