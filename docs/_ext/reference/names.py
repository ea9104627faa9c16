"""Names of Python: a table of them, then each with its docstring."""

from __future__ import annotations

import importlib
import inspect

_AUTO = """\
.. auto{kind}:: {module}.{name}
{options}"""
_CLASS = "   :members:\n   :member-order: bysource\n"


def write_names(words: list[str]) -> str:
    """Return a summary and the descriptions of a module's names: the first word is the module."""
    module, *names = words
    summary = "\n".join(f"   {name}" for name in names)
    described = "\n".join(_write_name(module, name) for name in names)
    table = f".. autosummary::\n   :nosignatures:\n\n{summary}\n"
    return f"```{{eval-rst}}\n.. currentmodule:: {module}\n\n{table}\n{described}\n```\n"


def _write_name(module: str, name: str) -> str:
    found = getattr(importlib.import_module(module), name)
    if inspect.isclass(found):
        is_error = issubclass(found, BaseException)
        kind, options = ("exception", "") if is_error else ("class", _CLASS)
    else:
        kind, options = ("function", "") if callable(found) else ("data", "")
    return _AUTO.format(kind=kind, module=module, name=name, options=options)
