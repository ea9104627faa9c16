"""Real proxies from the system's packages in front of a real server, from the files that `fastclf share` writes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

DOMAIN = "bears.example.org"


def pick_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that nobody but its maker vouches for."""
    certificate, key = folder / "proxy.pem", folder / "proxy.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}",
         "-addext", f"subjectAltName=DNS:{DOMAIN}", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return certificate, key


def replace_once(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    return text


def prepare_nginx(folder: Path, files: Path, upstream: str, port: int) -> list[str]:
    """The written lines, as they stand, in a server that may run as anybody and listens on the loopback."""
    certificate, key = write_certificate(folder)
    lines = replace_once(
        (files / "nginx.conf").read_text(),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"/etc/ssl/certs/{DOMAIN}.pem", str(certificate)),
        (f"/etc/ssl/private/{DOMAIN}.key", str(key)),
        ("http://127.0.0.1:8866", f"http://{upstream}"),
    )
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/proxy.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{lines}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", str(folder / "proxy.log"), "-c", str(folder / "main.conf")]


def prepare_caddy(folder: Path, files: Path, _: str, port: int) -> list[str]:
    """The written lines with a certificate of the test's own, and without a look at the world."""
    certificate, key = write_certificate(folder)
    lines = replace_once(
        (files / "Caddyfile").read_text(),
        (f"{DOMAIN} {{\n", f"https://{DOMAIN}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}\n"),
    )
    (folder / "Caddyfile").write_text(
        f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {folder}/caddy\n}}\n{lines}"
    )
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES: dict[str, Callable[[Path, Path, str, int], list[str]]] = {
    "nginx": prepare_nginx,
    "caddy": prepare_caddy,
}


@contextmanager
def run_proxy(name: str, folder: Path, files: Path, upstream: str) -> Iterator[str]:
    """Run a proxy with the lines in `files`; yields its address, of a name that the browser has to map."""
    for program in (name, "openssl"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (Debian: apt install {program})")
    folder.mkdir()
    port = pick_port()
    command = PROXIES[name](folder, files, upstream, port)
    env = {**os.environ, "UPSTREAM": upstream}
    with (folder / "out.log").open("wb") as log:
        process = psutil.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail(f"{name} did not start:\n{(folder / 'out.log').read_text()}")
        yield f"https://{DOMAIN}:{port}"
    finally:
        process.terminate()
        process.wait(15)
