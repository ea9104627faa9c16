"""Whether visitors' kernels are forks here, and how Jupyter is told."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

PROVISIONER = "fastclf-forks"
_GROUP = "jupyter_client.kernel_provisioners"


def can_fork() -> bool:
    """Return whether kernels can be forks here: on Linux, unless FASTCLF_FORKS=0, once it is installed so."""
    if os.environ.get("FASTCLF_FORKS") == "0" or not hasattr(os, "pidfd_open"):
        return False
    if not any(entry.name == PROVISIONER for entry in entry_points(group=_GROUP)):
        return False  # of a checkout whose metadata is older
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True
