"""Photos that lie together: archives, folders and cloud paths, read one file after the other."""

from .members import LIMITS, Member, ReadLimits, Wanted, is_photo_name
from .reading import read_archive

__all__ = ["LIMITS", "Member", "ReadLimits", "Wanted", "is_photo_name", "read_archive"]
