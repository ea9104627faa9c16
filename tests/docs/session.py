"""A Python session in a process of its own: blocks come in as lines of JSON, and what they print goes back.

It is run as a file, in the folder of a page, and imports nothing of the tests.
"""

from __future__ import annotations

import ast
import builtins
import json
import sys
import traceback
from typing import Any


def run_block(source: str, name: str, names: dict[str, Any]) -> dict[str, Any]:
    """Return {"printed": [[line, text], ...], "error": ...}; a line is the last one of the statement that printed."""
    tree = ast.parse(source, name)
    printed: list[list[Any]] = []
    error = ""
    real = builtins.print

    def note(*values: object, sep: str = " ", end: str = "\n", file: Any = None, flush: bool = False) -> None:
        if file is not None:
            real(*values, sep=sep, end=end, file=file, flush=flush)
            return
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != name:
            frame = frame.f_back
        line = 0 if frame is None else frame.f_lineno
        ends = [n.end_lineno or 0 for n in tree.body if n.lineno <= line <= (n.end_lineno or 0)]
        printed.append([ends[0] if ends else line, sep.join(map(str, values))])

    builtins.print = note
    try:
        exec(compile(tree, name, "exec"), names)
    except BaseException:
        error = traceback.format_exc()
    finally:
        builtins.print = real
    return {"printed": printed, "error": error}


def main() -> None:
    """Run what comes in until nothing more does."""
    names: dict[str, Any] = {"__name__": "__main__"}
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries write themselves is no answer
    for i, line in enumerate(sys.stdin):
        answers.write(json.dumps(run_block(json.loads(line), f"block-{i}", names)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
