"""What git knows of a folder: its branch, where that is published, what is committed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import UsageError

_SECONDS = 60
# git@host:owner/name, as ssh writes it
_SHORT = re.compile(r"(?:[^@/\s]+@)?([^:/\s]{2,}):(?!//)(.+)")
_LONG = re.compile(r"(?:https?|ssh|git)://(?:[^@/\s]+@)?([^:/\s]+)(?::\d+)?/(.+)")


@dataclass(frozen=True)
class Remote:
    """Where a repository is published.

    Attributes
    ----------
    host
        As "github.com".
    path
        Owner and name, as "ann/bears".
    """

    host: str
    path: str

    @classmethod
    def parse(cls, address: str) -> Remote | None:
        """Read the address that git has of it; None for a folder of this machine.

        Names and passwords in an address are not kept.

        Examples
        --------
        >>> Remote.parse("git@github.com:ann/bears.git")
        Remote(host='github.com', path='ann/bears')
        >>> Remote.parse("https://ann:secret@gitlab.com/zoo/ann/bears")
        Remote(host='gitlab.com', path='zoo/ann/bears')
        """
        found = _LONG.fullmatch(address.strip()) or _SHORT.fullmatch(address.strip())
        if found is None:
            return None
        return cls(found[1].lower(), found[2].strip("/").removesuffix(".git"))

    @property
    def address(self) -> str:
        """The address that a browser opens, without anybody's name in it."""
        return f"https://{self.host}/{self.path}"


@dataclass(frozen=True)
class Repository:
    """A repository of git, asked by git's own command; nothing in it is changed.

    Attributes
    ----------
    root
        Its uppermost folder.
    branch
        The branch that is checked out; empty where none is.
    """

    root: Path
    branch: str

    @classmethod
    def find(cls, folder: Path) -> Repository | None:
        """Return the repository that a folder is in, None where it is in none.

        Raises
        ------
        UsageError
            If git is not installed.
        """
        if shutil.which("git") is None:
            raise UsageError("Looking at a repository needs git, which is not installed. Install it first.")
        root = _ask_git(folder, "rev-parse", "--show-toplevel")
        if not root:
            return None
        return cls(Path(root), _ask_git(folder, "symbolic-ref", "--short", "-q", "HEAD"))

    def ask(self, *words: str) -> str:
        """Return what git answers, nothing where it fails."""
        return _ask_git(self.root, *words)

    @cached_property
    def remote_name(self) -> str:
        """What git calls the place that the branch is pushed to; empty where there is none."""
        names = self.ask("remote").splitlines()
        own = self.ask("config", f"branch.{self.branch}.remote") if self.branch else ""
        wanted = [name for name in (own, "origin", *names[:1]) if name in names]
        return wanted[0] if wanted else ""

    @cached_property
    def remote(self) -> Remote | None:
        """Where the branch is published; None for nowhere that others reach."""
        return Remote.parse(self.ask("remote", "get-url", self.remote_name)) if self.remote_name else None

    @cached_property
    def published(self) -> str:
        """The name of the branch there, as far as git remembers; empty where it was not pushed."""
        own = self.ask("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
        usual = f"{self.remote_name}/{self.branch}"
        if not own and self.ask("rev-parse", "--verify", "-q", f"refs/remotes/{usual}"):
            own = usual
        return own.removeprefix(f"{self.remote_name}/")

    @cached_property
    def default_branch(self) -> str:
        """The branch that the host shows first, as far as git remembers."""
        head = self.ask("symbolic-ref", "--short", "-q", f"refs/remotes/{self.remote_name}/HEAD")
        return head.removeprefix(f"{self.remote_name}/")

    def count_unpushed(self) -> int:
        """Return how many commits are here and not there."""
        there = f"refs/remotes/{self.remote_name}/{self.published}"
        return int(self.ask("rev-list", "--count", f"{there}..HEAD") or 0)

    @cached_property
    def committed(self) -> dict[str, int]:
        """The size of each file of the last commit, by its path."""
        lines = self.ask("ls-tree", "-r", "-l", "-z", "--full-tree", "HEAD").split("\0")
        pairs = (line.split("\t", 1) for line in lines if "\t" in line)
        return {path: int(size) for about, path in pairs if (size := about.split()[-1]).isdecimal()}

    @cached_property
    def changed(self) -> set[str]:
        """The paths of what differs from the last commit."""
        return set(filter(None, self.ask("diff", "--name-only", "-z", "HEAD").split("\0")))

    def find_ignoring_rule(self, path: str) -> str:
        """Return the line by which git passes over a file, "FILE:LINE", empty for none."""
        about = self.ask("check-ignore", "-v", "--no-index", "--", path).partition("\t")[0]
        return ":".join(about.split(":")[:2])

    def lies_in_lfs(self, path: str) -> bool:
        """Tell whether a file is kept by Git LFS."""
        return self.ask("check-attr", "filter", "--", path).endswith(": lfs")


def _ask_git(folder: Path, *words: str) -> str:
    env = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], env=env, capture_output=True, timeout=_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.decode("utf-8", "surrogateescape").strip("\r\n")
