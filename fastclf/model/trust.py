"""An exported Learner is code: it is opened only when somebody says so."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError


def check_trusted(path: Path, trust_pickle: bool) -> None:
    """Refuse a file that is missing or not trusted, by a UsageError and without opening it."""
    if not path.is_file():
        raise UsageError("There is no file {path}. Name what `learn.export('export.pkl')` wrote.", path=path)
    if not trust_pickle:
        raise UsageError(
            "{path} was not opened. An exported Learner is a pickle, and a pickle runs whatever code its "
            "maker put into it: open only a file of your own, or of somebody you trust, and say so with "
            "--trust-pickle (from Python: trust_pickle=True).",
            path=path,
        )
