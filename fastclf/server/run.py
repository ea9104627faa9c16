"""The dashboard's server: Voila's settings in one place, and a child process that runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..api import ApiSettings
from ..card import repair_bundle
from ..errors import BundleError, CatalogError, ServingError
from ..model import ModelBundle, find_photo_folder
from ..photos import check_new_folder
from ..system import advise_install, expand_home, find_file_error, find_private_place, scratch_folder
from .base_url import read_base_url
from .embed import read_embed
from .fork_support import PROVISIONER, can_fork
from .passwords import OWNER_PASSWORD_FILE, PASSWORD_FILE, Keeper
from .settings import SETTINGS
from .sockets import find_socket_folder

DEFAULT_PORT = 8866
_START_SECONDS = 60.0
_INBOX = "inbox.sqlite"
_CLIENT = "fastclf.server.quick_client.QuickClient"


def find_notebook() -> Path:
    """Return the dashboard notebook: the installed one, or the checkout's."""
    package = Path(__file__).parents[1]
    for candidate in (package / "notebooks" / "dashboard.ipynb", package.parent / "dashboard.ipynb"):
        if candidate.is_file():
            return candidate
    raise ServingError("dashboard.ipynb is missing from the installation. Install fastclf again.")


def read_settings() -> dict[str, Any]:
    """Return Voila's settings, `voila.json` beside the notebook: whoever starts Voila there has the same.

    The largest message is what all files of one upload take, with a little more for its envelope. A Jupyter
    server with Voila as an extension, as on Binder, has those of `jupyter_server_config.json`: they name some
    things otherwise, and an extension cannot preheat.
    """
    settings: dict[str, Any] = json.loads(find_notebook().with_name("voila.json").read_text(encoding="utf-8"))
    place = find_socket_folder()
    if can_fork():
        settings["KernelProvisionerFactory"] = {"default_provisioner_name": PROVISIONER}
        # a visitor in this second would wait for it, and takes longer to look at the page than a fork takes
        settings["VoilaKernelManager"] = {"fill_delay": 0.0}
    if place is None:
        return settings
    # only a server on this machine can have kernels behind sockets that no port reaches
    voila = {**settings["Voila"], "connection_dir_root": place}
    return {**settings, "Voila": voila, "KernelManager": {"transport": "ipc", "client_class": _CLIENT}}


def check_port(host: str, port: int) -> None:
    """Make sure that a server can listen.

    Raises
    ------
    ServingError
        If the port is taken or may not be used; the message names another way.
    """
    if not 0 < port < 65536:
        raise ServingError(
            "Port {port:d} does not exist; name one from 1024 to 65535 with --port.", port=port
        )
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise ServingError(
                "Port {port:d} needs an administrator; name one above 1023 with --port.", port=port
            ) from None
        except (socket.gaierror, OverflowError):
            raise ServingError(
                "{host} is no address of this machine; 127.0.0.1 and 0.0.0.0 are.", host=host
            ) from None
        except OSError as e:
            raise ServingError(
                "Port {port:d} on {host} cannot be used ({reason}). Stop what runs there, or name another "
                "with --port {other:d}.",
                port=port,
                host=host,
                reason=e.strerror,
                other=port + 1,
            ) from None


def check_serving(
    model: Path,
    *,
    photos: Path | None = None,
    inbox: Path | None = None,
    api: ApiSettings | None = None,
    host: str,
    port: int,
    base_url: str = "/",
    owner: bool = False,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Make sure of what can be known before a server is started.

    Raises
    ------
    BundleError
        If the model does not open.
    PhotosError
        If the folder of photos without a label cannot be used.
    ServingError
        If the port, the folder of photos, the inbox, the path, a password's file, a site that may show the
        page, or a setting of the API cannot be used.
    """
    read_base_url(base_url)
    said = {**os.environ, **({"FASTCLF_OWNER": "1"} if owner else {}), **_build_env_of_settings(more or {})}
    Keeper.read(said)
    read_embed(said)
    repair_bundle(model)
    vocab = ModelBundle.load(model).vocab
    if photos is not None and not photos.is_dir():
        raise ServingError("There is no folder {photos}. Name that of the photos.", photos=photos)
    if inbox is not None:
        _check_inbox(inbox)
    if new := said.get("FASTCLF_NEW"):
        place = inbox or find_inbox_file(photos, model)
        check_new_folder(expand_home(new), photos or find_photo_folder(vocab), place)
    if api is not None:
        api.check()
    check_port(host, port)


def _check_inbox(inbox: Path) -> None:
    reason = find_file_error(inbox)
    if not reason and inbox.is_file() and inbox.stat().st_size:
        with inbox.open("rb") as f:
            reason = "" if f.read(15) == b"SQLite format 3" else "is something else than an inbox"
    if reason:
        raise ServingError(
            "The inbox cannot be {inbox} ({reason}). Name a new file with --inbox.",
            inbox=inbox,
            reason=reason,
        )


def serve(
    model: Path,
    *,
    photos: Path | None = None,
    owner: bool = False,
    inbox: Path | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    base_url: str = "/",
    api: ApiSettings | None = None,
    metrics: bool = False,
    access_log: str = "",
    more: Mapping[str, Any] | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> int:
    """Run the dashboard until it is stopped; returns the server's exit status.

    Parameters
    ----------
    model
        Folder of the bundle.
    photos
        Folder of the photos, for the owner's cleaning.
    owner
        Whether whoever opens the page may change things.
    inbox
        File of the visitors' reports; by default what FASTCLF_INBOX names.
    host, port
        Where to listen.
    base_url
        The path before all addresses, where a proxy in front shows the page below one ("/bears/").
    api
        The settings of the API beside the page; None for none, unless FASTCLF_API asks for one.
    metrics
        Whether there are numbers for Prometheus at ``/metrics``.
    access_log
        File of a line a request, without photos and addresses; "-" for the terminal.
    more
        {name: value} of other `SETTINGS`; what is empty is the environment's.
    on_ready
        Called with the URL once the server answers.

    Returns
    -------
    int
        0 where it was stopped by Ctrl-C.

    Raises
    ------
    BundleError
        If the model does not open.
    PhotosError
        If the folder of photos without a label cannot be used.
    ServingError
        If a folder, the port or the path cannot be used, or the server does not start.

    Examples
    --------
    >>> from pathlib import Path
    >>> serve(Path("model"), photos=Path("photos/bears"), owner=True)  # doctest: +SKIP
    0
    """
    base_url = read_base_url(base_url)
    check_serving(model, photos=photos, host=host, port=port, more=more)
    if find_spec("voila") is None:
        raise ServingError("Voila is not installed. Run `{install}` again.", install=advise_install())
    with scratch_folder("serve") as folder:
        # Voila reads voila.json from the folder that it is started in
        Path(folder, "voila.json").write_text(json.dumps(read_settings()))
        command = [
            sys.executable, "-m", "fastclf.server.child", str(find_notebook()), "--no-browser",
            f"--port={port}", f"--Voila.ip={host}", "--Voila.port_retries=0",
            "--Voila.log_level=ERROR", f"--Voila.base_url={base_url}",
        ]  # fmt: skip
        env = _build_env(model, photos, owner, inbox)
        env |= _build_env_besides(api, metrics, access_log) | _build_env_of_settings(more or {})
        child = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.PIPE)
        try:
            return _watch(child, host, port, base_url, on_ready)
        finally:
            _stop(child)


def find_inbox_file(photos: Path | None, model: Path | None = None) -> Path | None:
    """Return where visitors' reports go where nobody names a file.

    What FASTCLF_INBOX names; else a file among what fastclf notes about the folder of photos, which is
    `photos`, or in what FASTCLF_PHOTOS names, or ``photos/``, the folder with the classes of the model. None
    where the variable is empty, there is no such folder, or no place can be written.
    """
    named = os.environ.get("FASTCLF_INBOX")
    if named is not None:
        return expand_home(named) if named.strip() else None
    folder = photos or find_photo_folder(_read_vocab(model))
    if not folder.is_dir():
        return None
    # one that an earlier fastclf kept a level higher is used on
    earlier = folder.parent / ".fastclf" / _INBOX
    try:
        file = find_private_place(folder).path / _INBOX
    except CatalogError:
        return None
    return earlier if photos is None and earlier.is_file() and not file.is_file() else file


def _read_vocab(model: Path | None) -> list[str]:
    try:
        return [] if model is None else ModelBundle.load(model, verify=False).vocab
    except BundleError:
        return []  # `serve` has the words


def _build_env(model: Path, photos: Path | None, owner: bool, inbox: Path | None = None) -> dict[str, str]:
    env = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "FASTCLF_MODEL": str(model.absolute())}
    if owner:
        env["FASTCLF_OWNER"] = "1"
    if photos is not None:
        env["FASTCLF_PHOTOS"] = str(photos)
    if inbox is not None:
        env["FASTCLF_INBOX"] = str(inbox)
    # the server runs in a folder of its own, so every path has to be a whole one
    named = ("FASTCLF_CATALOG", "FASTCLF_INBOX", "FASTCLF_NEW", PASSWORD_FILE, OWNER_PASSWORD_FILE)
    for name, default in (("FASTCLF_PHOTOS", "photos"), *((name, None) for name in named)):
        value = env.get(name) or default
        if value:
            env[name] = str(expand_home(value).absolute())
    return env


def _build_env_besides(api: ApiSettings | None, metrics: bool, access_log: str) -> dict[str, str]:
    """Return what the server's environment says of all but the page."""
    env = {} if api is None else api.to_environment()
    if metrics:
        env["FASTCLF_METRICS"] = "1"
    log = access_log or os.environ.get("FASTCLF_ACCESS_LOG", "")
    if log:
        env["FASTCLF_ACCESS_LOG"] = log if log == "-" else str(expand_home(log).absolute())
    return env


def _build_env_of_settings(more: Mapping[str, Any]) -> dict[str, str]:
    """Return {variable: value} of what is given; every path is a whole one."""
    known = {setting.name: setting for setting in SETTINGS}
    paths = {name: expand_home(value).absolute() for name, value in more.items() if isinstance(value, Path)}
    return {known[name].variable: str(value) for name, value in {**more, **paths}.items() if value}


def _watch(
    child: subprocess.Popen[bytes],
    host: str,
    port: int,
    base_url: str,
    on_ready: Callable[[str], None] | None,
) -> int:
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::1") else host
    reachable = "127.0.0.1" if host == "0.0.0.0" else host
    deadline = time.monotonic() + _START_SECONDS
    while child.poll() is None:
        if _answers(reachable, port):
            break
        if time.monotonic() > deadline:
            raise ServingError(
                "The server did not answer on port {port:d} within {seconds:.0f} s. "
                "Start it again when the machine has less to do.",
                port=port,
                seconds=_START_SECONDS,
            )
        time.sleep(0.1)
    if child.poll() is not None:
        raise ServingError(
            "The server stopped while starting (status {status}). What it said stands above.",
            status=child.returncode,
        )
    if on_ready:
        on_ready(f"http://{shown}:{port}{base_url if base_url != '/' else ''}")
    return child.wait()


def _answers(host: str, port: int) -> bool:
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
