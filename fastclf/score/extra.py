"""The packages of the extra `scale`, asked for where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import MissingExtraError
from ..system import advise_install


def need(module: str) -> Any:
    """Return a module that the extra `scale` brings.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise MissingExtraError(
            "Scoring needs the package {name}, which is not installed. Run `{install}`.",
            name=e.name or module,
            install=advise_install("scale"),
        ) from None
