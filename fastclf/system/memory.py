"""Whether an error says that there is no memory, in the words of whichever library ran out of it."""

from __future__ import annotations

import errno

_WORDS = (
    "can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "bad_alloc",
    "bad allocation", "failed to allocate memory", "unable to allocate", "alloc_failed",
    "insufficient memory", "could not allocate", "memory allocation failed",
)  # fmt: skip


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or what it came of, says that memory ran out, whoever raised it.

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA out of memory. Tried ..."))
    (True, True)
    >>> is_out_of_memory(ValueError("out of range"))
    False
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        # an error of ours has said what it is; its words may quote a file's name
        text = "" if isinstance(error, ValueError | KeyError) else str(error).lower()
        if any(words in text for words in _WORDS):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
