"""A button that saves a file of the kernel's machine on the visitor's, part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from ..widgets import BadMessageError, ScriptedWidget

# of the file in one message
PART = 2 * 2**20


class FileSaver(ScriptedWidget):
    """A button for one file, hidden while `size` is 0.

    The page asks for each part; `read` is called with an offset and how much to read.
    """

    name = traitlets.Unicode().tag(sync=True)
    size = traitlets.Int(0).tag(sync=True)

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read = read
        super().__init__()

    def handle(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Send the part that begins at an offset."""
        offset = message.get("offset")
        if message.get("type") != "part" or type(offset) is not int or not 0 <= offset < max(self.size, 1):
            raise BadMessageError(f"no part of a file: {message!r}")
        self.send({"type": "part", "offset": offset}, buffers=[self._read(offset, PART)])

    def fail(self, message: dict[str, Any]) -> None:
        """Show that the file could not be read."""
        self.send({"type": "part", "offset": message.get("offset")}, buffers=[b""])
