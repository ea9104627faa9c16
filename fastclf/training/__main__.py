"""`python -m fastclf.training DIR ...`: what `fastclf train DIR ...` does, for `accelerate launch -m`."""

from __future__ import annotations

import os
import sys

from ..cli import main
from ..cli.console import quiet_libraries, say
from ..errors import FastclfError
from .distributed import follow, join_team, leading


def run() -> None:
    """Run the command in the first process; the others follow it without a word."""
    quiet_libraries()
    try:
        team = join_team()
    except FastclfError as e:
        say(f"fastclf: {e}")
        sys.exit(1)
    if team.is_first:
        if team.size == 1 and os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ:
            say(
                "accelerate started one process only: its --cpu needs MPI for more. "
                "`torchrun --nproc_per_node 2 -m fastclf.training DIR` starts two on a CPU."
            )
        sys.argv.insert(1, "train")
        with leading(team):
            main()
        return
    try:
        follow(team)
    except (FastclfError, KeyboardInterrupt):
        sys.exit(1)  # the first process says what there is to say


if __name__ == "__main__":
    run()
