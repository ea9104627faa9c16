"""`bundle.json`: what a model says of itself, typed; built, written, read and checked."""

from __future__ import annotations

import csv
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self

from .. import __version__
from ..errors import BundleError, describe_error
from ..metrics import Metrics
from ..system import find_given_fault, hash_file, unify_name, utc_now, write_atomic
from .preprocess import Preprocess

SCHEMA = 1
MANIFEST = "bundle.json"
# The mode of training of a model that came as a fastai Learner: its training photos are not known.
IMPORTED = "imported"
# The weights of the body, for training a model further; no answer needs it.
BODY = "body.safetensors"
# What follows from the manifest and is no part of the answers: it may be older than the manifest.
CARD_FILES = ("card.md", "card.html")
NOT_RECORDED = "not recorded"
# How a file begins that Git LFS left in place of a large one.
LFS_POINTER = b"version https://git-lfs"

# What reading a damaged or hostile file raises, below Python's own parsers.
DAMAGE = (
    OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError,
    EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error, csv.Error,
)  # fmt: skip
_REQUIRED_KEYS = (
    "schema", "fastclf", "python", "created", "arch", "vocab", "features_id", "preprocess",
    "temperature", "metrics", "sealed_test", "training", "files",
)  # fmt: skip
# Bytes of `bundle.json`, and letters of a class's name; a folder's name has 255 bytes.
_MOST_BYTES, _LONGEST_NAME = 2**25, 1000
_REQUIRED_FILES = ("model.onnx", "head.npz", "photos.csv")
_TEXTS = ("fastclf", "python", "created", "title", "intro", "colour", "arch", "features_id", "export_pkl")


def python_version() -> str:
    """Return this interpreter's version, "3.11" for example."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class _Record:
    """A part of the manifest. What another version wrote beside its fields is kept in `more`.

    JSON's null is None, which is left out when it is written unless the class says otherwise.
    """

    more: dict[str, Any] = field(default_factory=dict)
    _parts: ClassVar[dict[str, Any]] = {}
    _writes_null: ClassVar[bool] = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote, now or in an earlier version."""
        own = {f.name for f in fields(cls)} - {"more"}
        known = {name: value for name, value in values.items() if name in own and value is not None}
        for name in cls._parts.keys() & known.keys():
            known[name] = cls._parts[name].from_dict(known[name])
        return cls(**known, more={name: value for name, value in values.items() if name not in own})

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "more"}
        for name in self._parts.keys() & own.keys():
            own[name] = None if own[name] is None else own[name].to_dict()
        return {name: v for name, v in own.items() if self._writes_null or v is not None} | self.more


@dataclass(frozen=True, kw_only=True)
class Ood(_Record):
    """How the model tells photos unlike its training photos; the arrays are in `ood.npz`.

    Attributes
    ----------
    kind, threshold
        Of the detector, see `Detector.kind`; scores above the threshold are called unfamiliar.
    stated_rate
        The share of familiar photos that the threshold was set to call unfamiliar.
    false_alarm_rate, n
        The share of so many validation photos that is called unfamiliar.
    against
        How folders of other photos were told: ``name``, ``n``, ``auroc``, ``flagged``, ``flagged_interval``,
        ``inside`` (the part that they were compared with), ``n_inside`` and ``time``.
    test_false_alarms
        ``n``, ``rate`` and ``interval`` on the test photos, once these were opened.
    left_out
        How photos of a class are told that was left out of training: ``n`` photos, the share of them that is
        ``flagged`` and its ``flagged_interval``, and the ``auroc`` against photos of the other classes. None
        where that cannot be measured.
    """

    kind: str
    threshold: float | None = None
    stated_rate: float | None = None
    false_alarm_rate: float | None = None
    n: int = 0
    against: list[dict[str, Any]] = field(default_factory=list)
    test_false_alarms: dict[str, Any] | None = None
    left_out: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class LabelSets(_Record):
    """From which probability on a class belongs to a photo's set, found on `n` validation photos.

    A set holds the true class of a new photo with the probability `coverage`.
    """

    coverage: float
    threshold: float
    n: int = 0


@dataclass(frozen=True, kw_only=True)
class MetricsByPart(_Record):
    """The metrics on each part of the photos, None where nothing was measured.

    They stay as they are in the file: a model whose figures nobody can read still answers.
    """

    train: Metrics | None = None
    valid: Metrics | None = None
    test: Metrics | None = None
    _writes_null: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class SealedTest(_Record):
    """The sealed test set: how many photos it has, and every look at it.

    An opening has ``time``, ``folder`` and a part of the ``metrics``; one that another model made of the same
    photos is ``inherited`` and names the ``model``.
    """

    n: int = 0
    openings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class HeadRecord(_Record):
    """How the head was fitted on features: what `C` was chosen among those `tried` by so many `folds`.

    `own_features` says whether the body had learned from these very photos.
    """

    C: float | None = None
    folds: int | None = None
    tried: list[dict[str, float]] | None = None
    own_features: bool | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(_Record):
    """The record of the training. Only what somebody goes on from is a field; all else is in `more`.

    The `mode` is `IMPORTED`, or how it was trained; `head` is None where the whole network was trained;
    `balance` is the option; `learning_curve` is what `fastclf.head.LearningCurve` writes.
    """

    mode: str | None = None
    resize: str | None = None
    augment: str | None = None
    balance: str | None = None
    head: HeadRecord | None = None
    learning_curve: dict[str, Any] | None = None
    epochs: list[dict[str, Any]] | None = None
    _parts: ClassVar[dict[str, Any]] = {"head": HeadRecord}


@dataclass(frozen=True, kw_only=True)
class Licences(_Record):
    """The licences of the weights that training began with, and of the photos."""

    weights: str = NOT_RECORDED
    photos: str = NOT_RECORDED


@dataclass(frozen=True, kw_only=True)
class Parity(_Record):
    """How far two probabilities, the bundle's and those of what it was made from, differed on some photos.

    Of the `photos` (in words: `of`) so many are `turned`: fastai alone would read them otherwise.
    """

    photos: int
    largest_difference: float
    allowed: float
    of: str | None = None
    turned: int | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest(_Record):
    """What a model says of itself: the content of `bundle.json`.

    A bundle that is made anew gives what it knows; the rest says that nothing is known, and version and time
    are those of the call. A refit goes on from the old model's with `restamp`.

    Attributes
    ----------
    schema
        Of the file.
    fastclf, python, created
        Which versions wrote the bundle, and when (ISO 8601).
    title, intro, colour
        What the dashboard says, "" for its own words and colour.
    translations
        {language: {"title": ..., "intro": ..., "classes": {label: text}}}: what the dashboard shows in other
        languages; answers keep the names of `vocab`.
    recipe
        The name of the recipe that the photos came by.
    arch
        The architecture's name.
    vocab
        The class names in the order of the logits.
    features_id
        Names the features in caches: a hash of all that makes them.
    preprocess
        How a decoded photo becomes the graph's input.
    temperature
        What the logits are divided by before softmax.
    ood
        None where the model does not tell unfamiliar photos.
    sets
        None where the model names no sets of classes.
    metrics, sealed_test, training, licences, parity
        See there.
    split
        How the photos were divided, for the card.
    refits
        Every refit of the head: ``time``, ``of`` (when the refitted model was made), ``n_train``, ``edits``.
    export_pkl
        What there is to say of the fastai Learner beside the model.
    files
        {name: sha256} of every file but this.
    """

    schema: int = SCHEMA
    fastclf: str = __version__
    python: str = field(default_factory=python_version)
    created: str = field(default_factory=utc_now)
    title: str = ""
    intro: str = ""
    colour: str = ""
    translations: dict[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    arch: str
    vocab: list[str]
    features_id: str
    preprocess: Preprocess
    temperature: float = 1.0
    ood: Ood | None = None
    sets: LabelSets | None = None
    metrics: MetricsByPart = field(default_factory=MetricsByPart)
    sealed_test: SealedTest = field(default_factory=SealedTest)
    split: dict[str, Any] = field(default_factory=dict)
    training: TrainingRecord = field(default_factory=TrainingRecord)
    licences: Licences = field(default_factory=Licences)
    files: dict[str, str] = field(default_factory=dict)
    export_pkl: str = ""
    parity: Parity | None = None
    refits: list[dict[str, Any]] = field(default_factory=list)
    _parts: ClassVar[dict[str, Any]] = {
        "preprocess": Preprocess, "ood": Ood, "sets": LabelSets, "metrics": MetricsByPart,
        "sealed_test": SealedTest, "training": TrainingRecord, "licences": Licences, "parity": Parity,
    }  # fmt: skip
    _writes_null: ClassVar[bool] = True

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read and check `bundle.json`.

        Raises
        ------
        BundleError
            If it is missing, damaged, of another schema, or a value is not usable; the message says which.
        """
        with damage_as_error(folder):
            values = _load(folder)
            _check(folder, values)
            return cls.from_dict(_unify_labels(values))

    def write(self, folder: Path) -> None:
        """Write `bundle.json` in one step."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
        write_atomic(folder / MANIFEST, f"{text}\n".encode())

    def restamp(self) -> Self:
        """Return the same, said now by this version."""
        return replace(self, fastclf=__version__, python=python_version(), created=utc_now())


@contextmanager
def damage_as_error(folder: Path) -> Iterator[None]:
    """Make one sentence of whatever reading a damaged or hostile model raises."""
    try:
        yield
    except BundleError:
        raise
    except DAMAGE as e:
        raise BundleError(
            "The model {folder} is damaged ({reason}). Copy it again, or train again.",
            folder=folder,
            reason=describe_error(e),
        ) from None


def hash_files(folder: Path) -> dict[str, str]:
    """Return {name: sha256} of every file of a bundle folder but the manifest."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: hash_file(path) for name, path in sorted(found.items()) if name != MANIFEST}


def _unify_labels(values: dict[str, Any]) -> dict[str, Any]:
    """Bring classes that an older fastclf wrote in another spelling to the one that is compared."""
    one = [unify_name(name) for name in values["vocab"]]
    if one == values["vocab"] or len(set(one)) < len(one):
        return values
    return {key: value if key == "files" else _unify_texts(value) for key, value in values.items()}


def _unify_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {unify_name(key): _unify_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unify_texts(inner) for inner in value]
    return unify_name(value) if isinstance(value, str) else value


def read_manifest(folder: Path) -> str:
    """Return the text of `bundle.json`; BundleError where it is no file of the folder, or a huge one."""
    file = folder / MANIFEST
    if fault := find_given_fault(file, folder, _MOST_BYTES):
        raise BundleError(
            "The model {path} cannot be used: its file {name} {fault}.",
            path=folder,
            name=MANIFEST,
            fault=fault,
        )
    return file.read_text(encoding="utf-8-sig")


def _load(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = json.loads(read_manifest(folder))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            "There is no model in {folder}. Train one with `fastclf train DIR --out {folder}`, "
            "or name another folder.",
            folder=folder,
        ) from None
    except BundleError:
        raise
    except (OSError, ValueError) as e:
        if isinstance(e, json.JSONDecodeError) and e.doc.encode().startswith(LFS_POINTER):
            raise BundleError(
                "{file} is a Git LFS pointer, not the file itself. Fetch the model with `git lfs pull`.",
                file=file,
            ) from None
        raise BundleError("{file} cannot be read ({reason}).", file=file, reason=e) from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found = manifest.get("schema") if isinstance(manifest, dict) else None
        raise BundleError(
            "The model {folder} has schema {found!r}; this fastclf reads schema {schema}. "
            "Use the fastclf that wrote it, or train again.",
            folder=folder,
            found=found,
            schema=SCHEMA,
        )
    return manifest


def _check(path: Path, values: dict[str, Any]) -> None:
    """Refuse a manifest in which a key or a file is missing, or a value is not usable."""
    missing = [key for key in _REQUIRED_KEYS if key not in values]
    if missing:
        raise BundleError(
            "The model {path} is incomplete: {file} lacks {missing}. Copy it again, or train again.",
            path=path,
            file=MANIFEST,
            missing=", ".join(missing),
        )
    _check_values(path, values)
    for name in _REQUIRED_FILES:
        if name not in values["files"]:
            raise BundleError(
                "The model {path} is incomplete: {file} lists no {name}. Copy it again, or train again.",
                path=path,
                file=MANIFEST,
                name=name,
            )


def _check_values(path: Path, values: dict[str, Any]) -> None:
    vocab, files, temperature = values["vocab"], values["files"], values["temperature"]
    if not (isinstance(vocab, list) and len(vocab) >= 2 and all(isinstance(v, str) for v in vocab)):
        raise BundleError(
            "The model {path} names fewer than two classes in {file}. Copy it again, or train again.",
            path=path,
            file=MANIFEST,
        )
    "".join(vocab).encode()  # a lone surrogate is no text
    if len(set(vocab)) < len(vocab) or not all(v.strip() and len(v) <= _LONGEST_NAME for v in vocab):
        raise BundleError(
            "The model {path} names a class twice in {file}, or one without a name or with an endless one. "
            "Copy it again, or train again.",
            path=path,
            file=MANIFEST,
        )
    if not isinstance(files, dict) or not all(_is_inside(name) for name in files):
        raise BundleError("The model {path} lists files outside of its folder; do not use it.", path=path)
    if not isinstance(temperature, int | float) or not 1e-3 <= temperature <= 1e3:
        raise BundleError(
            "The model {path} has the temperature {temperature!r}; it must be 0.001 to 1000.",
            path=path,
            temperature=temperature,
        )
    for name, share in (values.get("sets") or {}).items():
        if name in ("coverage", "threshold") and not (isinstance(share, int | float) and 0 <= share <= 1):
            raise TypeError(f"sets has the {name} {share!r}")
    if not isinstance(values.get("translations") or {}, dict):
        raise TypeError(f"translations is {values['translations']!r}")
    if not isinstance(values["sealed_test"]["openings"], list) or not isinstance(values["metrics"], dict):
        raise BundleError(
            "The model {path} has no usable metrics or sealed_test in {file}. Copy it again, or train again.",
            path=path,
            file=MANIFEST,
        )
    for name in _TEXTS:
        if not isinstance(values.get(name, ""), str | None):
            raise TypeError(f"{name} is {values[name]!r}")


def _is_inside(name: object) -> bool:
    if not isinstance(name, str) or not name or "\\" in name or ":" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
