"""An exported Learner, opened: other machines' paths, missing notebook functions, older fastai versions."""

from __future__ import annotations

import importlib.metadata
import logging
import pickle
import re
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import fasttransform.transform
import torch
from fastai.vision.all import Learner

from ...errors import LearnerError, Message, describe_error
from ...system import advise_install
from ..learner_pickle import read_pickle

_logger = logging.getLogger(__name__)

_PATHS = {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"}
# Code in the pickle names the file that it was compiled from: .../lib/python3.12/site-packages/fastai/...
_COMPILED = re.compile(rb"[Pp]ython3\.?(\d{1,2})[/\\](?:[Ll]ib[/\\])?(?:site|dist)-packages")


class StandIn:
    """What stands for a function that is not here; a Learner needs no label function to predict."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name
        self.__name__ = self.__qualname__ = name

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Say what is missing."""
        raise LearnerError(describe_missing(self.module, self.name))


class OldDispatch:
    """fastcore's `TypeDispatch`, by which fastai before 2.8 found a transform's function.

    A transform of today's fastai asks it what it would ask a function of plum; it leaves what it has no
    function for as it is.
    """

    funcs: OldTypes
    methods = ()

    def _resolve_method_with_cache(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        for kind, inner in self.funcs.d.items():
            if isinstance(args[0], kind):
                return next(iter(inner.d.values())), Any
        return _keep, Any


def _keep(x: Any) -> Any:
    return x


class OldTypes:
    """fastcore's table of a `TypeDispatch`."""

    d: dict[Any, Any]


_OLD = {"TypeDispatch": OldDispatch, "_TypeDict": OldTypes}


def open_learner(path: Path) -> Learner:
    """Open the file that `learn.export` wrote, on the CPU. Runs whatever code is in the file."""
    _check_python(path, read_pickle(path))
    missing: list[tuple[str, str]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(
                path, map_location="cpu", pickle_module=_build_pickle(missing), weights_only=False
            )
    except LearnerError:
        raise
    except Exception as e:
        _logger.debug("the Learner could not be opened", exc_info=True)
        raise LearnerError(_describe_failure(path, e, missing)) from e
    if not isinstance(found, Learner):
        raise LearnerError(
            "{path} holds a {kind} and no Learner. `learn.export('export.pkl')` writes a "
            "Learner; `learn.save` and `torch.save` write weights, which are not enough.",
            path=path,
            kind=type(found).__name__,
        )
    return _settle(found)


def read_origin(path: Path) -> dict[str, str | None]:
    """Return the versions of Python and fastai that wrote the file, None where it does not tell."""
    data = read_pickle(path)
    minors = sorted(_find_pythons(data))
    version = (
        "2.8 or later"
        if b"fasttransform" in data
        else "before 2.8"
        if b"fastcore.transform" in data
        else None
    )
    return {"python": f"3.{minors[0]}" if len(minors) == 1 else None, "fastai": version}


def describe_missing(module: str, name: str) -> Message:
    """Return the sentence about something that the Learner needs and that is not here."""
    package = module.partition(".")[0]
    if module == "__main__":
        return Message(
            "The Learner needs {name} of the notebook that made it, to predict. Put {name} into a module of "
            "its own (a .py file), import it in the notebook, train and export again, and run this where the "
            "module can be imported.",
            name=name,
        )
    if find_spec(package) is None:
        words = "The Learner needs {name}, but {package} is not installed. Install it, then try again."
        return Message(words, name=f"{module}.{name}", package=package)
    return Message(
        "The Learner needs {name}, which the installed {package}{version} does not have: it was exported "
        "with another version of {package}. Install that one, or export again with this one.",
        name=f"{module}.{name}",
        package=package,
        version=_version(package),
    )


def _check_python(path: Path, data: bytes) -> None:
    """Refuse code that another Python compiled: running it could bring this one down."""
    found = _find_pythons(data)
    if found and sys.version_info.minor not in found:
        needed = " or ".join(f"3.{minor}" for minor in sorted(found))
        raise LearnerError(
            "{path} was exported on Python {needed}, and this is Python 3.{minor}; "
            "fastai's export holds code that only the same Python runs. Run `{install}` on "
            "Python {needed} and import it there: the model that comes out opens on every Python.",
            path=path,
            needed=needed,
            minor=sys.version_info.minor,
            install=advise_install("train"),
        )


def _find_pythons(data: bytes) -> set[int]:
    """Return the minor versions that the code in a pickle was compiled by; none without code."""
    return {int(minor) for minor in _COMPILED.findall(data)} if b"cloudpickle" in data else set()


def _build_pickle(missing: list[tuple[str, str]]) -> Any:
    """Return what `torch.load` takes for the pickle module; notes in `missing` what is not here."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module.partition(".")[0] == "pathlib" and name in _PATHS:
                return Path
            if module == "fastcore.dispatch" and name in _OLD:
                return _OLD[name]
            if module == "fastcore.transform":
                return getattr(fasttransform.transform, name)
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                missing.append((module, name))
                return StandIn(module, name)

    def load(file: Any, **options: Any) -> Any:
        return Unpickler(file, **options).load()

    return SimpleNamespace(
        Unpickler=Unpickler, load=load, UnpicklingError=pickle.UnpicklingError, __name__="pickle"
    )


def _describe_failure(path: Path, error: Exception, missing: list[tuple[str, str]]) -> Message:
    if missing:
        return Message("{path} does not open. {reason}", path=path, reason=describe_missing(*missing[-1]))
    return Message(
        "{path} does not open ({reason}). It may be damaged, or exported with another Python than 3.{minor} "
        "or another fastai than{version}: open it with those that made it, and import it there.",
        path=path,
        reason=f"{type(error).__name__}: {describe_error(error)}",
        minor=sys.version_info.minor,
        version=_version("fastai"),
    )


def _settle(learn: Learner) -> Learner:
    """Do what fastai's `load_learner` does: everything to the CPU, in single precision."""
    learn.dls.cpu()
    if hasattr(learn, "channels_last"):
        learn = learn.to_contiguous(to_fp32=True)
    elif hasattr(learn, "mixed_precision"):
        learn = learn.to_fp32()
    elif hasattr(learn, "non_native_mixed_precision"):
        learn = learn.to_non_native_fp32()
    learn.model.float().eval()
    return learn


def _version(package: str) -> str:
    try:
        return f" {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""
