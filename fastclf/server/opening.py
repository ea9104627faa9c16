"""Puts the gate before the application that a kernel manager works for, and its limits into its settings."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.log import app_log
from tornado.web import Application, GZipContentEncoding
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler

from ..errors import ServingError
from .besides import open_besides
from .embed import read_embed
from .ending import end_gently
from .entrance import open_entrance
from .gate import Gate, Place, find_names
from .line import Line
from .log_limit import limit_log
from .overload import watch_overload
from .title import find_title


def open_gate(server: Any) -> Gate | None:
    """Put the gate before a server's application; None where it has no page.

    `server` is Voila, or the Jupyter server that it is an extension of.
    """
    is_ours = hasattr(server, "voila_configuration")
    app: Application | None = getattr(server, "app" if is_ours else "web_app", None)
    if app is None or "voila_jinja2_env" not in app.settings:
        return None
    app.settings["kernel_websocket_connection_class"] = Line
    KernelWebsocketHandler.write_error = _write_status  # type: ignore[method-assign, assignment]
    # whoever knows the name of a kernel is its page, and no other origin's page is let in
    VoilaShutdownKernelHandler.check_xsrf_cookie = lambda _: None
    watch_overload(asyncio.get_running_loop())
    limit_log(server.log)
    place = _find_place(server, app, is_ours=is_ours)
    title = find_title(app.settings["kernel_manager"].model)
    entrance, embed = open_entrance(place.base, title, is_ours=is_ours), _find_embed()
    if not is_ours:
        return Gate(app, place, entrance=entrance, embed=embed)
    # Voila tells its application so when that is built already, which is too late
    if app.settings.get("compress_response"):
        app.transforms[:] = {*app.transforms, GZipContentEncoding}
    manager = server.kernel_manager
    besides = open_besides(app, place.base, manager, manager.watch)
    if besides.api is not None:
        end_gently(besides.api.service.end)
    _end_with_terminal()
    return Gate(app, place, besides, entrance, embed)


def _find_embed() -> tuple[str, ...]:
    try:
        return read_embed()
    except ServingError as e:
        app_log.error("%s Until then no other site shows the page.", e.message)
        return ()


def _find_place(server: Any, app: Application, *, is_ours: bool) -> Place:
    base = f"/{str(server.server_url if is_ours else server.base_url).strip('/')}/".replace("//", "/")
    if not is_ours:
        # Jupyter's own rule for Hosts stands, and its own login
        return Place(base, is_ours=False, is_single=False, has_login=True)
    return Place(
        base,
        is_single=bool(server.notebook_path),
        has_login=bool(app.settings["identity_provider"].auth_enabled),
        names=find_names(server.ip, os.environ.get("FASTCLF_HOSTS", "")),
        has_metrics=server.kernel_manager.watch.wants_metrics,
    )


def _write_status(handler: KernelWebsocketHandler, status_code: int, **_: Any) -> None:
    """Answer with the status alone: Jupyter's page for it is not there, and its traceback would be logged."""
    handler.set_header("Content-Type", "text/plain")
    handler.finish(f"{status_code}\n")


def _end_with_terminal() -> None:
    """End as if asked to when the terminal is closed, not in the middle of things."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        return
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
