"""The zygote: one process that has loaded everything, and rehearsed; visitors' kernels are forks of it.

The server starts it (`fastclf.server.forks`). It holds nothing of any visitor, and no secret: kernels get
theirs in the fork.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import FastclfError
from ..system import wait_for_threads

_logger = logging.getLogger(__name__)

# what a kernel imports when it starts or first runs something
_LATER = (
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.oinspect",
    "IPython.extensions.storemagic", "encodings.ascii", "encodings.idna", "encodings.latin_1",
    "faulthandler", "ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.kernelapp",
    "ipykernel.subshell_manager", "ipykernel.zmqshell", "matplotlib_inline.backend_inline", "numpy.random",
    "pdb", "pydoc", "tornado.locks", "tornado.platform.asyncio", "tornado.queues",
)  # fmt: skip


def main() -> None:
    """Prepare, and fork kernels until the server is gone."""
    from ..server import run_kernels

    control, lifeline = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    for number in (control.fileno(), lifeline):
        os.set_inheritable(number, False)
    prepare(Path(os.environ.get("FASTCLF_MODEL") or "model"))
    run_kernels(control, lifeline)


def prepare(model: Path) -> None:
    """Load what a visitor's kernel needs, open the model, and answer about a picture once.

    A model that does not open is no fault here: the page tells why.
    """
    # nobody debugs a visitor's kernel, and the debugger takes 10 MB of each
    sys.modules.setdefault("debugpy", None)  # type: ignore[arg-type]
    for name in _LATER:
        with suppress(ImportError):
            importlib.import_module(name)
    try:
        _rehearse(model)
    except FastclfError as e:
        _logger.info("there was nothing to rehearse: %s", e)
    except Exception:
        _logger.exception("the rehearsal failed")
    finally:
        _settle()


def _rehearse(model: Path) -> None:
    """Do what a page asks for, where nobody hears it."""
    from ..model import draw_picture, keep_model
    from ..photos import encode_jpeg
    from .app import build_app

    keep_model(model)
    page = build_app(model)
    try:
        if page.bundle is not None:
            page.model.add("rehearsal.jpg", encode_jpeg(draw_picture()), page.model.begin_batch())
            page.model.clear()
            page.model.forget()
    finally:
        page.close_all()


def _settle() -> None:
    """Have no thread, and nothing that a collector of garbage would write to, when forks begin."""
    from ..model import trim_heap

    wait_for_threads()
    gc.collect()
    trim_heap()
    gc.freeze()


if __name__ == "__main__":
    main()
