"""Loaded by every Python that a browser test starts: on SIGUSR1 it writes where each thread is, on SIGUSR2 what waits.

A kernel that is forked has it from its zygote. Both are written to the error output, which is the server's log.
"""

import faulthandler
import signal
import sys


def _tell_backlogs(*_: object) -> None:
    line = sys.modules.get("fastclf.server.line")
    for kernel, backlog in list(getattr(line, "_backlogs", {}).items()):
        state = getattr(kernel, "execution_state", None)
        print(
            f"backlog of {kernel.kernel_id}: {backlog._sizes}, kernel {state}",
            file=sys.__stderr__,
            flush=True,
        )


faulthandler.register(signal.SIGUSR1, file=sys.__stderr__)
signal.signal(signal.SIGUSR2, _tell_backlogs)
