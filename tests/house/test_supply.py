"""What fastclf is made of: locked by hashes, asked about in one command, listed in the wheel, licensed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import fastclf

from ..builder import load_builder
from ..conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
LICENCES = {"MIT", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Apache-2.0"}
STATIC = ROOT / "fastclf" / "server" / "voila" / "fastclf" / "static"
SHORTER = ROOT / "fastclf" / "dashboard" / "static"
SITE = ROOT / "fastclf" / "dashboard" / "site" / "static"
BUILT_FOR_SITES = {
    "shell.js",
    "check.js",
    "embedded.js",
    "service_worker.js",
    "worker.js",
    "teach.js",
    "teach_worker.js",
    "runtime.wasm.xz",
    "licences.txt",
}
BUILT = {"built-from.txt", "client.js", "head.html", "licences.txt", "login.html"}
KINDS = {".py", ".md", ".pyi", ".css", ".js", ".json", ".toml", ".html", ".j2", ".typed"}


BUILDER = load_builder()


def read_lock() -> dict[str, set[Version]]:
    """{name: versions}, one each unless they differ by Python's version."""
    found: dict[str, set[Version]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


def list_needed(extra: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for with an extra, through the extras that it names."""
    optional = PROJECT["optional-dependencies"]
    for line in PROJECT["dependencies"] if extra == "dev" else ():
        yield Requirement(line)
    for line in optional[extra]:
        wanted = Requirement(line)
        if wanted.name == PROJECT["name"]:
            for inner in wanted.extras:
                yield from list_needed(inner)
        else:
            yield wanted


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    locked = read_lock()
    wrong = [
        str(need)
        for need in list_needed("dev")
        if not any(need.specifier.contains(v) for v in locked.get(canonicalize_name(need.name), ()))
    ]
    assert wrong == [], "make lock renews requirements.lock"
    assert len(locked) > 150


def test_the_lock_has_hashes_and_names_no_host() -> None:
    entries = re.split(r"\n(?=\S)", LOCK[LOCK.index("==") - 60 :])
    pinned = [entry for entry in entries if re.match(r"[\w.-]+==", entry)]
    assert len(pinned) > 150
    assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|/", re.sub(r"#.*", "", LOCK))


@contextmanager
def serve_osv(answer: Callable[[dict[str, Any]], bytes]) -> Iterator[str]:
    """Stand for the service."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def audit(service: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "audit", "--service", service]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_audit_names_what_is_known_of_both_lock_files() -> None:
    asked: list[dict[str, Any]] = []
    known = {"torch": ["PYSEC-1", "GHSA-2"], "esbuild": ["GHSA-3"]}

    def answer(question: dict[str, Any]) -> bytes:
        asked.extend(question["queries"])
        ids = [known.get(query["package"]["name"], []) for query in question["queries"]]
        return json.dumps(
            {"results": [{"vulns": [{"id": i} for i in some]} if some else {} for some in ids]}
        ).encode()

    with serve_osv(answer) as service:
        done = audit(service)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"torch [\d.]+: PYSEC-1, GHSA-2", lines[0])
    assert re.fullmatch(r"esbuild [\d.]+: GHSA-3", lines[1])
    assert lines[2] == f"{len(asked)} packages were checked, 2 of them have known vulnerabilities."
    assert {query["package"]["ecosystem"] for query in asked} == {"PyPI", "npm"}
    names = {query["package"]["name"] for query in asked}
    assert {"onnxruntime", "pillow", "voila", "anywidget", "@jupyter-widgets/base"} <= names


def test_the_audit_of_nothing_known_is_zero() -> None:
    with serve_osv(
        lambda question: json.dumps({"results": [{}] * len(question["queries"])}).encode()
    ) as service:
        done = audit(service)
    assert (done.returncode, done.stderr) == (0, "")
    assert ", 0 of them" in done.stdout


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"results": []}', b'{"results": null}', None])
def test_an_audit_that_reaches_no_service_is_a_sentence_and_a_code_of_its_own(body: bytes | None) -> None:
    if body is None:
        done = audit("http://127.0.0.1:9")
    else:
        with serve_osv(lambda _: body) as service:
            done = audit(service)
    assert done.returncode == 3
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("fastclf: nothing was checked, because http://127.0.0.1:")


def test_the_wheel_gets_a_list_of_its_parts() -> None:
    hook, data = BUILDER.CustomBuildHook.__new__(BUILDER.CustomBuildHook), dict[str, Any]()
    BUILDER.build_page = lambda: False
    hook.initialize("standard", data)
    [file] = data["sbom_files"]
    made = json.loads(Path(file).read_text())
    assert Path(file).name == "fastclf.cdx.json"
    hook.finalize("standard", data, "")
    assert not Path(file).exists()
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    root = made["metadata"]["component"]
    assert root["purl"] == f"pkg:pypi/fastclf@{fastclf.__version__}"
    assert [part["name"] for part in root["components"]] == [name for name, _, _ in BUILDER.list_bundled()]
    for part in root["components"]:
        assert part["purl"].startswith("pkg:npm/")
        assert part["version"]
        assert all(re.fullmatch(r"[0-9a-f]{128}", one["content"]) for one in part.get("hashes", ()))
    assert sum("hashes" in part for part in root["components"]) > 15
    needed = {canonicalize_name(need.name) for need in map(Requirement, PROJECT["dependencies"])}
    assert {part["name"] for part in made["components"]} == needed
    references = {root["bom-ref"], *(part["bom-ref"] for part in made["components"])}
    assert {one for d in made["dependencies"] for one in (d["ref"], *d["dependsOn"])} <= references


@pytest.mark.parametrize(("folder", "least"), [(STATIC, 15), (SITE, 1)])
def test_every_package_in_a_page_is_there_with_its_licence(folder: Path, least: int) -> None:
    held = BUILDER.list_licences(folder)
    assert {licence for _, _, licence in held} <= LICENCES
    texts = re.split(r"^-{80}$", (folder / "licences.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(texts) == len(held) > least
    for (name, _, _), text in zip(held, texts, strict=True):
        assert name in text
        assert re.search(r"Copyright|\(c\)", text), name
        assert re.search(r"Permission is hereby granted|Redistribution and use|Licensed under", text), name


def test_what_the_pages_import_is_among_what_they_hold() -> None:
    bundled = BUILDER.list_bundled()
    # what is imported by name is bundled, or something smaller stands in for it
    sources = [*(ROOT / "page" / "src").rglob("*.js"), *(ROOT / "page" / "src").rglob("*.css")]
    words = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    asked = set(re.findall(r"""(?:from|import)\s+"((?:@[^/"]+/)?[^./"][^/"]*)[/"]""", words))
    # of the dashboard's own scripts
    asked = {name for name in asked if not name.startswith("dashboard:")}
    assert len(asked) > 3
    assert asked <= {name for name, _, _ in bundled}


def test_the_package_ships_nothing_but_ours_and_the_page() -> None:
    files = [
        path for path in (ROOT / "fastclf").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    others = [
        path for path in files if path.suffix not in KINDS and not {STATIC, SITE, SHORTER} & set(path.parents)
    ]
    assert others == []
    assert {path.name for path in STATIC.iterdir()} == BUILT
    assert {path.name for path in SITE.iterdir()} == BUILT_FOR_SITES
    assert {path.name for path in SHORTER.iterdir()} == {"shorter.json"}
