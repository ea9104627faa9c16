"""Where our files go beside a folder of photos."""

from __future__ import annotations

from pathlib import Path

from fastclf.system.folders import find_filesystem


def test_the_file_system_is_read_from_the_mounts() -> None:
    mounts = (
        "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "30 22 0:40 / /mnt/my\\040share rw shared:1 - nfs4 server:/x rw\n"
        "31 30 0:41 / /mnt/my\\040share/local rw - tmpfs tmpfs rw\n"
    )
    assert find_filesystem(Path("/etc"), mounts) == "ext4"
    assert find_filesystem(Path("/mnt/my share/photos"), mounts) == "nfs4"
    assert find_filesystem(Path("/mnt/my share/local/x"), mounts) == "tmpfs"
    assert find_filesystem(Path("/mnt/my shared"), mounts) == "ext4"
