"""Widgets whose script lies beside their module, under the same name."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from ..texts import language, select_texts
from .parts import SpokenWidget

_logger = logging.getLogger(__name__)
_COMMON = Path(__file__).with_name("common.js")
_SHORTER = Path(__file__).parent.with_name("static") / "shorter.json"
# of one widget; more would only fill the log
_MOST_WARNINGS = 10


def read_scripts(files: Sequence[Path]) -> str:
    """Return scripts as one."""
    return "\n".join(script.read_text(encoding="utf-8") for script in files)


def read_shorter(files: Sequence[Path]) -> str:
    """Return scripts or styles as one, in as few bytes as the package was built with.

    A file that was changed since is taken as it is.
    """
    texts = [file.read_text(encoding="utf-8") for file in files]
    return "\n".join(_load_shorter().get(hashlib.sha256(text.encode()).hexdigest(), text) for text in texts)


@functools.cache
def _load_shorter() -> dict[str, str]:
    """Return {sha256 of a text: the shorter one}; nothing where the page was not built."""
    try:
        found: dict[str, str] = json.loads(_SHORTER.read_text(encoding="utf-8"))
    except OSError:
        return {}
    return found


class BadMessageError(ValueError):
    """A message that the page cannot have sent."""


class ScriptedWidget(SpokenWidget, anywidget.AnyWidget):
    """An anywidget with the script of its module: ``grid.js`` for what ``grid.py`` defines.

    Before it stand what all scripts share and its `_parts`, scripts of the same folder. There ``t("...")`` of
    ``makeTranslator(model)`` looks a text up, in the page's language.
    """

    _parts: ClassVar[tuple[str, ...]] = ()
    _script: ClassVar[str] = ""
    _ignored = 0

    texts = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        script = Path(inspect.getfile(cls)).with_suffix(".js")
        # adding traits derives a class too, of the same module
        if cls.__module__ != cls.__mro__[1].__module__:
            files = [*map(script.with_name, cls._parts), script]
            cls._script, cls._esm = read_scripts(files), read_shorter([_COMMON, *files])
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(texts=select_texts(self._script, language.code), **kwargs)
        self.on_msg(self._on_message)

    @classmethod
    def read_script(cls) -> str:
        """Return the widget's script, as a module."""
        return str(cls._esm)

    def say_words(self) -> None:
        """Send the script's words in the page's language."""
        self.texts = select_texts(self._script, language.code)

    def handle(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Do what a message of the page asks for.

        Raises
        ------
        BadMessageError
            If the page cannot have sent it.
        """
        raise BadMessageError(f"the type is {message.get('type')!r}")

    def fail(self, message: dict[str, Any]) -> None:
        """Show that what a message asked for did not work; a fault of ours is in the log."""

    def send_pictures(self, pictures: Mapping[int, bytes | None]) -> None:
        """Send the page the pictures that there are, and say of which photos there are none."""
        found = {key: picture for key, picture in pictures.items() if picture is not None}
        none = [key for key in pictures if key not in found]
        self.send({"type": "pictures", "keys": [*found], "none": none}, buffers=[*found.values()])

    def send_large(self, key: int, picture: bytes | None) -> None:
        """Send the page a photo to be looked at closely, or say that there is none."""
        self.send({"type": "large", "key": key}, buffers=[] if picture is None else [picture])

    def _on_message(self, _: Any, content: Any, buffers: Sequence[memoryview]) -> None:
        message = content if isinstance(content, dict) else {}
        try:
            self.handle(message, buffers)
        except BadMessageError as e:
            self._ignored += 1
            if self._ignored <= _MOST_WARNINGS:
                _logger.warning("A message of the page was ignored: %.200s.", e)
        except Exception:
            _logger.exception("a message of the page failed")
            self.fail(message)
