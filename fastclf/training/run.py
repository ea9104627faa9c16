"""`train`: from a folder of photos to a model, by a head on frozen features or by training all layers."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..backbone import (
    PACKAGED,
    TORCH_HOST,
    Backbone,
    check_reach,
    find_hub_host,
    find_packaged,
    find_weights,
    open_packaged,
)
from ..catalog import Dataset, load_dataset, read_given_splits
from ..errors import UsageError
from ..model import BODY, TIMM, TORCHVISION, ModelBundle, Preprocess, check_target, choose_arch, find_arch
from ..photos import TRAIN, Progress, refuse_early
from ..system import has_gpu, read_rank
from .arch_names import check_arch_name, find_libraries
from .earlier import EarlierModel, adopt_splits, check_splits, open_earlier
from .estimate import estimate_fine_tuning
from .options import (
    DEFAULT_RESIZE,
    EPOCHS,
    FINE_TUNE,
    HEAD,
    RANDOM_CROP,
    TrainOptions,
    check_tracker,
    check_weights_file,
)
from .ready import load_fastai
from .request import Request

_logger = logging.getLogger(__name__)

# Photos a class below which all layers would learn them by heart; chosen by hand.
_FEW = 15
# Options that mean something only where there are epochs.
_OF_EPOCHS = ("epochs", "lr", "batch_size", "time_limit", "patience")
# What training all layers added where it was measured (benchmarks/README.md, "fine_tuning").
_GAINED = "On photos of clothing that moved the share of right answers by less than two points."


def train(
    folder: str | Path,
    out: str | Path = "model",
    options: TrainOptions | None = None,
    *,
    recipe: str | None = None,
    photo_licence: str = "not recorded",
    started: float | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    **changes: Any,
) -> ModelBundle:
    """Train on a folder of photos and write the bundle.

    Without a GPU a head on the features of a frozen network is trained, in seconds and without torch; with
    one, or by ``mode="fine-tune"``, fastai trains all layers. Such a run that was killed goes on after its
    last whole epoch, if photos and options are the same. Where several processes were started, all call this:
    the first one trains with the others' help.

    Parameters
    ----------
    folder
        One sub-folder per class.
    out
        Folder of the bundle.
    options
        How to train; `changes` are fields of it given by name.
    recipe
        The recipe's name, for the record.
    photo_licence
        The licence of the photos that have none on record.
    started
        `time.monotonic()` from which the time limit counts; by default the call.
    say
        Called with each sentence about what was chosen and why; by default they are logged.
    progress
        Called with (done, all) while photos are read and features are computed.
    quiet
        Whether to show no progress bar.
    **changes
        Fields of `TrainOptions` by name, ``mode="head"`` for example.

    Returns
    -------
    ModelBundle
        The written bundle, checked against what was trained.

    Raises
    ------
    PhotosError, UsageError, WeightsError, ExportError, BundleError
        As their docstrings say.

    Examples
    --------
    >>> bundle = train("photos/bears", "model-2", mode="head", say=lambda words: None)
    >>> bundle.vocab, bundle.manifest.metrics.valid["n"]
    (['black', 'grizzly', 'teddy'], 6)
    """
    run = Run(
        folder=Path(folder),
        out=Path(out),
        options=TrainOptions(**{**asdict(options or TrainOptions()), **changes}),
        recipe=recipe,
        photo_licence=photo_licence,
        started=time.monotonic() if started is None else started,
        say=say or _logger.info,
        progress=progress,
        quiet=quiet,
    )
    return run.train() if read_rank()[1] < 2 else _train_together(run)


def follow() -> None:
    """Fit with the first process, which calls `train`, until it is done; speak and write nothing.

    Raises
    ------
    FastclfError
        If the first process is gone.
    """
    load_fastai()
    from .tuning import follow as fit_with_the_first

    fit_with_the_first()


def _train_together(run: Run) -> ModelBundle:
    if read_rank()[0] == 0:
        run.load_fastai()
    load_fastai()
    from .distributed import join_team

    team = join_team()
    if not team.is_first:
        follow()
        return ModelBundle.load(run.out)
    run.team = team
    with team.lead():
        return run.train()


@dataclass(kw_only=True)
class Run(Request):
    """Chooses, reads and trains."""

    def train(self) -> ModelBundle:
        """Judge what was asked for before the photos are read; then read, choose and train."""
        options = self.options
        _check_places(self.folder, self.out)
        check_tracker(options.track)
        if options.weights is not None:
            check_weights_file(Path(options.weights))
        if options.split_by not in (None, "folder"):
            read_given_splits(Path(options.split_by))
        if options.arch is not None and options.arch != PACKAGED.arch:
            check_arch_name(options.arch)
        self.arch = self._choose_arch()
        if self.arch != PACKAGED.arch or options.weights or options.mode == FINE_TUNE or not self.learned:
            check_arch_name(self.arch)
            self._check_weights()
            self.load_fastai()
        self._read_photos()
        if self._choose_mode() == HEAD:
            return self._train_head()
        self.load_fastai()
        from .tuning import fine_tune

        return fine_tune(self)

    def _check_weights(self) -> None:
        """Refuse weights that cannot be had before fastai is loaded; without it, that is said."""
        options = self.options
        if find_spec("fastai") is None:
            return
        if (
            options.weights is None
            and options.pretrained
            and not self.earlier
            and find_weights(self.arch) is None
        ):
            hosts = {TIMM: find_hub_host(), TORCHVISION: TORCH_HOST}
            facts = find_arch(self.arch)
            sources = find_libraries(self.arch) if facts is None else [facts.source]
            check_reach(self.arch, [hosts[name] for name in sources])

    def load_fastai(self) -> None:
        """Import fastai, which takes seconds, so it is said."""
        if "fastai" not in sys.modules:
            self.say("Loading fastai ...")
        load_fastai()

    def _choose_arch(self) -> str:
        options = self.options
        if options.from_model is not None:
            self.earlier = open_earlier(options.from_model, options.arch)
            return self.earlier.arch
        if options.arch is not None:
            return options.arch
        arch, reason = choose_arch(options.pretrained)
        self.say(f"Architecture {arch}: {reason} --arch names another, `fastclf archs` lists some.")
        return arch

    def _read_photos(self) -> None:
        options = self.options
        if self.earlier:
            adopt_splits(self.earlier, self.folder, self.progress)
        self.data = load_dataset(
            self.folder, seed=options.seed, split_by=options.split_by, progress=self.progress
        )
        for sentence in self.data.describe():
            self.say(sentence)
        if self.earlier:
            check_splits(self.earlier, self.data)

    def _choose_mode(self) -> str:
        return choose_mode(self.options, self.data, learned=self.learned, say=self.say)

    def _train_head(self) -> ModelBundle:
        from ..head import HeadOptions, train_head  # and SciPy, which a refusal does without

        options = self.options
        if options.track:
            self.say(f"--track {options.track} has nothing to report: mode head has no epochs.")
        unused = [f"--{name.replace('_', '-')}" for name in _OF_EPOCHS if getattr(options, name)]
        if unused:
            self.say(f"{', '.join(unused)}: not used, mode head has no epochs; --mode fine-tune does.")
        resize = self._choose_resize()
        body, more = self._open_body(resize)
        if options.mode is None:
            self._offer_fine_tuning(body)
        told = HeadOptions(
            title=options.title, intro=options.intro, colour=options.colour,
            translations=options.translations, recipe=self.recipe,
            photo_licence=self.photo_licence, seed=options.seed, balance=options.balance,
            own_features=self.own_features,
            record={**self.describe_options(), "resize": resize, "augment": self.augment}, more=more,
        )  # fmt: skip
        return train_head(
            self.data, body, self.out, told, started=self.started, say=self.say, progress=self.progress
        )

    def _offer_fine_tuning(self, body: Backbone) -> None:
        """Say what training all layers would take here, and what it added where it was measured."""
        if finds_gpu():
            return
        minutes = estimate_fine_tuning(body, len(self.data.part(TRAIN)), EPOCHS[True])
        took = f"Training all layers would take about {max(1, round(minutes))} min more here."
        self.say(f"{took} {_GAINED}")

    def _choose_resize(self) -> str:
        """Return how photos reach the network's size; random crops are for training all layers."""
        resize = self.options.resize or (self.earlier.resize if self.earlier else DEFAULT_RESIZE)
        return "squish" if resize == RANDOM_CROP else resize

    def _open_body(self, resize: str) -> tuple[Backbone, dict[str, Path]]:
        """Return the frozen network, and the file of its weights where the model has to keep one."""
        if self.earlier:
            return self._open_earlier(self.earlier, resize)
        options = self.options
        # without fastai nothing else can bring the weights, so what is missing is said
        packaged = find_packaged() is not None or find_spec("fastai") is None
        if self.arch == PACKAGED.arch and options.weights is None and packaged:
            return open_packaged(options.size or 224, resize), {}
        self.load_fastai()
        from .export import freeze_body

        return freeze_body(self.arch, size=options.size, resize=resize, weights=options.weights)

    def _open_earlier(self, earlier: EarlierModel, resize: str) -> tuple[Backbone, dict[str, Path]]:
        """Return an earlier model's body as it is; one whose weights come by pip at another size, too."""
        bundle, preprocess = earlier.bundle, earlier.bundle.preprocess
        kept = {BODY: bundle.require(BODY)} if BODY in bundle.manifest.files else {}
        size = self.options.size or earlier.size
        asked = self.options.size is not None or self.options.resize is not None
        wanted = Preprocess.build(size, resize, mean=preprocess.mean, std=preprocess.std)
        wanted = replace(wanted, least_side=preprocess.least_side)
        if not asked or wanted == preprocess:
            return Backbone.of_model(bundle), kept
        if kept:
            raise UsageError(
                "Mode head keeps the size and the resize of {path}, whose body stays as it is. Leave --size "
                "and --resize out, or use --mode fine-tune.",
                path=bundle.path,
            )
        return open_packaged(size, resize), {}


def choose_mode(
    options: TrainOptions, data: Dataset, *, learned: bool = True, say: Callable[[str], None] = lambda _: None
) -> str:
    """Return "head" or "fine-tune", and say why; `learned` is whether the body has learned elsewhere."""
    if options.mode is not None:
        return options.mode
    if not learned:
        return FINE_TUNE  # a body of random weights has to learn
    a_class = len(data.part(TRAIN)) / len(data.vocab)
    if a_class >= _FEW and finds_gpu():
        say(f"Mode {FINE_TUNE}: a GPU trains all layers quickly; --mode {HEAD} does the other.")
        return FINE_TUNE
    few = f"{a_class:.0f} training photos a class are few for training every layer"
    reason = few if a_class < _FEW else "there is no GPU, and a linear layer on features takes seconds"
    say(f"Mode {HEAD}: {reason}; --mode {FINE_TUNE} trains all layers.")
    return HEAD


def finds_gpu() -> bool:
    """Return whether fastai can train on a GPU; torch is asked where there is one at all."""
    if not has_gpu() or find_spec("fastai") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _check_places(folder: Path, out: Path) -> None:
    """Refuse a folder without classes, and a model's that would be taken for one or cannot be written."""
    refuse_early(folder, classes=2)
    target = out.resolve()
    if folder.resolve() in target.parents or target == folder.resolve():
        raise UsageError(
            "{out} lies inside the photos' folder {folder}. Name another folder with --out.",
            out=out,
            folder=folder,
        )
    check_target(target)
