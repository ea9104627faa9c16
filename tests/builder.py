"""The build hook of the package, as a module."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from .conftest import ROOT


def load_builder() -> ModuleType:
    """Return hatch_build.py, anew at each call: a test may change it."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
