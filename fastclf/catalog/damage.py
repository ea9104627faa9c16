"""Rows that fastclf cannot have written, told as a damaged catalog: a folder's catalog may be anybody's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from ..errors import CatalogError, FastclfError, Message, describe_error
from .store import Store

P = ParamSpec("P")
T = TypeVar("T")

# what reading values raises that fastclf cannot have written
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError)


def reads_rows(method: Callable[P, T]) -> Callable[P, T]:
    """Let a method of a catalog that makes something of its rows say so where these are damaged."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except _DAMAGE as e:
            if isinstance(e, FastclfError):
                raise
            store: Store = cast(Any, args[0])._store
            raise CatalogError(
                "{file} holds what fastclf did not write ({reason}). Put a copy of it back, or move it away: "
                "{then}",
                file=store.file,
                reason=describe_error(e),
                then=Message(store.after_damage),
            ) from e

    return run
