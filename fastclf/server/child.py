"""Voila as the child of `fastclf serve`: it ends with its parent, however that ends."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading


def main() -> None:
    """Run Voila until it is stopped, or until whoever started it is gone."""
    # jsonschema would make grammars of it, which takes over a second; what it is for is never asked here
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from voila.app import main as run_voila

    # tornado warns at every visit that Jupyter's ping settings are odd; the maker can do nothing about that
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run_voila()


def _end_with_parent() -> None:
    """Wait for the end of the standard input: the parent holds its other end, and the system closes it."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
