"""A page without a server that is made in the background: state and rules; no widget is imported here."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import traitlets

from ...errors import FastclfError, Message, StoppedError
from ...model import read_stamp
from ...system import run_child, scratch_folder, start_thread
from ..widgets import Status, logged, say_fault

# {kind: the file's name}
FILES = {"file": "page.html", "folder": "page.zip"}
# {what the child tells: what is said}
STEPS = {
    "open": Message("Opening the model ..."),
    "shrink": Message("Making its weights small ..."),
    "pack": Message("Packing them ..."),
    "write": Message("Writing the page ..."),
}
_WORKER = "fastclf.dashboard.site.child"
_TIMEOUT = 3600.0
_MB = 2**20


class ShareModel(traitlets.HasTraits):
    """The making of a page, and the file that came of it, which lies on the disk until the next one.

    What it says in `message` is English, to be translated where it is shown.
    """

    status = traitlets.UseEnum(Status, default_value=Status.READY)
    message = traitlets.Unicode()
    file = traitlets.Instance(Path, allow_none=True)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._made_of: object = None
        self._folder = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, kind: str) -> None:
        """Begin to make a page of one of the kinds of `FILES`; while one is being made nothing happens."""
        if self.status is Status.BUSY:
            return
        self.forget()
        self._stopping.clear()
        self.message, self.status = STEPS["open"], Status.BUSY
        self._thread = start_thread(self._run, kind)

    def cancel(self) -> None:
        """End what is being made."""
        self._stopping.set()

    def look(self) -> None:
        """Forget a page of a model that another one has replaced since."""
        if self.file is not None and read_stamp(self.path) != self._made_of:
            self.forget()
            self.message = Message("The model has changed since the page was made. Make the page anew.")
            self.status = Status.READY

    def forget(self) -> None:
        """Remove the file."""
        self.file = None
        self._folder.close()

    def read(self, offset: int, most: int) -> bytes:
        """Return a part of the file; nothing where there is no file, or no more of it."""
        if self.file is None:
            return b""
        try:
            with self.file.open("rb") as f:
                f.seek(offset)
                return f.read(most)
        except OSError:
            return b""  # whoever clears temporary files has taken it

    def wait(self, timeout: float | None = None) -> None:
        """Wait until what is being made is over."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, kind: str) -> None:
        words: str = Message("Something went wrong while the page was made. Try again.")
        file, status = None, Status.ERROR
        self._made_of = read_stamp(self.path)
        try:
            file = self._make(kind)
            words, status = (
                Message("The page is ready: {size:.1f} MB.", size=file.stat().st_size / _MB),
                Status.DONE,
            )
        except StoppedError as e:
            words, status = e.message, Status.READY
        except BaseException as e:
            words = say_fault(e, words)
        if file is None:
            self._folder.close()
        with logged("what became of a page could not be shown"):
            # the file first: who sees the status change finds it there
            self.file, self.message, self.status = file, words, status

    def _make(self, kind: str) -> Path:
        folder = Path(self._folder.enter_context(scratch_folder("share")))
        out, told = folder / FILES[kind], folder / "told"
        run_child(
            _WORKER,
            [self.path.absolute(), out, told],
            what="Making the page",
            error=FastclfError,
            timeout=_TIMEOUT,
            watch=lambda: self._follow(told),
        )
        return out

    def _follow(self, told: Path) -> None:
        if self._stopping.is_set():
            raise StoppedError("The page was not made: you cancelled it.")
        with logged("the progress of a page could not be shown"), contextlib.suppress(OSError):
            self.message = STEPS.get(told.read_text(), self.message)
