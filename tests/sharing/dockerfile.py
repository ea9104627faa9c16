"""A look at a Dockerfile as Docker reads it: instructions, and what they may not forget."""

from __future__ import annotations

import json
import re
from pathlib import Path

_KNOWN = {
    "FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "ADD", "COPY", "ENTRYPOINT", "VOLUME", "USER", "WORKDIR", "ARG",
    "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL",
}  # fmt: skip


def read_dockerfile(file: Path) -> list[tuple[str, str]]:
    """(instruction, what follows) without comments; a line that ends with a backslash goes on."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.split(None, 1) for line in whole.splitlines() if line.strip()]
    return [(pair[0], pair[1]) for pair in pairs]


def find_faults(file: Path) -> list[str]:
    """What a linter of Dockerfiles would name: unknown words, floating bases, root, commands through a shell."""
    steps = read_dockerfile(file)
    words = [word for word, _ in steps]
    faults = [f"{word} is no instruction" for word in words if word not in _KNOWN]
    if words[0] != "FROM" or not re.fullmatch(r"[\w./-]+:[\w.-]+", steps[0][1]) or ":latest" in steps[0][1]:
        faults.append("the base has no tag")
    if "ADD" in words:
        faults.append("ADD fetches and unpacks")
    users = [rest for word, rest in steps if word == "USER"]
    if not users or users[-1] in ("root", "0") or words.index("USER") > words.index("CMD"):
        faults.append("it runs as root")
    if "HEALTHCHECK" not in words:
        faults.append("nobody sees whether it answers")
    for word, rest in steps:
        if word in ("CMD", "ENTRYPOINT"):
            json.loads(rest)
        if word == "COPY" and not (file.parent / rest.split()[-2]).exists():
            faults.append(f"{rest.split()[-2]} is not there")
        if word == "RUN" and "pip install" in rest and "--no-cache-dir" not in rest:
            faults.append("pip's cache stays in the image")
    return faults
