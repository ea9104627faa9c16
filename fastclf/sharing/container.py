"""A folder that a server of one's own starts from: container, service, proxies."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..model import ModelBundle
from ..server import read_base_url
from ..system import make_folder, replaced_folder, write_atomic
from . import container_files as texts
from .wheel import write_wheel

DEFAULT_DOMAIN = "photos.example.org"
_DOMAIN = re.compile(r"[0-9a-z]([0-9a-z.-]{0,251}[0-9a-z])?", re.IGNORECASE)
_HEALTH = "voila/templates/fastclf/static/licences.txt"
# what nobody needs who only asks: the weights for training further are half of a model
_LEFT_OUT = ("body.safetensors", "export.pkl", "photos.csv")


@dataclass(frozen=True)
class Container:
    """What was written.

    Attributes
    ----------
    path
        The folder.
    files
        The names of its files; ``model`` among them where the model is inside.
    url
        Where visitors find the page once it runs.
    """

    path: Path
    files: tuple[str, ...]
    url: str


def write_container(
    folder: str | Path,
    model: str | Path | None = None,
    *,
    domain: str = DEFAULT_DOMAIN,
    base_url: str = "/",
) -> Container:
    """Write what a server needs: Dockerfile, compose file, systemd unit, and lines for Caddy and nginx.

    Parameters
    ----------
    folder
        Where the files go; it may hold an earlier call's.
    model
        The model that the image holds; None for one that is mounted.
    domain
        The name under which visitors reach the server.
    base_url
        The path of the page there.

    Returns
    -------
    Container
        The folder, its files, and the address.

    Raises
    ------
    UsageError
        If the folder holds something else, or the name is none.
    BundleError
        If the model does not open.
    ServingError
        If the path is none.

    Examples
    --------
    >>> write_container("server", domain="bears.example.org").url
    'https://bears.example.org/'
    """
    target, base_url = Path(folder), read_base_url(base_url)
    if not _DOMAIN.fullmatch(domain):
        raise UsageError("--domain is {domain!r}; write a server's name, as {usual}.",
                         domain=domain, usual=DEFAULT_DOMAIN)  # fmt: skip
    bundle = None if model is None else ModelBundle.load(Path(model))
    _check_target(target, bundle)
    make_folder(target)
    wheel = write_wheel(target)
    written = _build_texts(wheel.name, bundle, domain.lower(), base_url)
    for name, text in written.items():
        write_atomic(target / name, text.encode())
    if bundle is not None:
        copy_model(bundle, target / "model")
    inside = [] if bundle is None else ["model"]
    return Container(target, (*written, wheel.name, *inside), f"https://{domain.lower()}{base_url}")


def copy_model(bundle: ModelBundle, target: Path) -> None:
    """Copy a model without what only training further needs."""
    names = [name for name in bundle.manifest.files if name not in _LEFT_OUT]
    with replaced_folder(target.absolute()) as staging:
        for name in ["bundle.json", *(name for name in names if (bundle.path / name).is_file())]:
            place = staging / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.path / name, place)


def _check_target(folder: Path, bundle: ModelBundle | None) -> None:
    """Refuse a folder that holds what an earlier call did not write."""
    if not folder.exists():
        return
    others = [p.name for p in folder.iterdir()] if folder.is_dir() else [folder.name]
    known = {*_build_texts("", None, "", "/"), "model"}
    strange = sorted(name for name in others if name not in known and not name.endswith(".whl"))
    around = [] if bundle is None else [bundle.path.resolve(), *bundle.path.resolve().parents]
    if strange or (others and folder.resolve() in around):
        raise UsageError(
            "{folder} holds other things than a server's files ({found}). Name a new folder with "
            "--container.",
            folder=folder,
            found=", ".join(strange[:3]) or "a model",
        )


def _build_texts(wheel: str, bundle: ModelBundle | None, domain: str, base_url: str) -> dict[str, str]:
    """Return the text of each file by its name."""
    fields = {"wheel": wheel, "domain": domain, "base_url": base_url}
    words = f" --base-url {base_url}" if base_url != "/" else ""
    return {
        "Dockerfile": _write_dockerfile(fields, base_url, inside=bundle is not None),
        ".dockerignore": texts.DOCKERIGNORE,
        "compose.yaml": texts.COMPOSE.substitute(fields, model="" if bundle else texts.COMPOSE_MOUNT),
        "fastclf.service": texts.SERVICE.substitute(fields, base_words=words),
        **_write_proxies(fields, base_url),
        "README.md": texts.README.substitute(fields, what=_say_what(bundle)),
    }


def _write_dockerfile(fields: dict[str, str], base_url: str, *, inside: bool) -> str:
    return texts.DOCKERFILE.substitute(
        fields,
        beside=", model/" if inside else "",
        mount="" if inside else "-v ./model:/srv/model:ro ",
        model=texts.MODEL_INSIDE if inside else texts.MODEL_MOUNTED,
        health=base_url + _HEALTH,
        base_words=f', "--base-url", "{base_url}"' if base_url != "/" else "",
    )


def _write_proxies(fields: dict[str, str], base_url: str) -> dict[str, str]:
    below, bare = base_url != "/", base_url.rstrip("/")
    caddy = f"\tredir {bare} {base_url}\n" if below else ""
    nginx = f"\n    location = {bare} {{ return 308 {base_url}; }}" if below else ""
    return {
        "Caddyfile": texts.CADDYFILE.substitute(
            fields, redirect=caddy, path=f"{base_url}* " if below else ""
        ),
        "nginx.conf": texts.NGINX.substitute(fields, redirect=nginx),
    }


def _say_what(bundle: ModelBundle | None) -> str:
    if bundle is None:
        return "Put the model's folder beside these files, as `model/`; it is mounted, so it can be replaced."
    return f"It serves *{bundle.manifest.title}*; the model is inside, in `model/`."
