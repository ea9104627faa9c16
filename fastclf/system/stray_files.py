"""What systems leave behind among people's files: bins, previews and indexes of Mac, Windows, Linux, NAS."""

from __future__ import annotations

import fnmatch
import re

# Names in small letters; of files and of folders alike.
_NAMES = frozenset({
    # Mac
    ".ds_store", "__macosx", ".spotlight-v100", ".fseventsd", ".temporaryitems", "temporary items",
    ".trashes", ".trash", ".appledouble", ".appledb", ".appledesktop", ".apdisk", ".localized",
    ".volumeicon.icns", ".documentrevisions-v100", ".lsoverride", ".metadata_never_index",
    "network trash folder", "thevolumesettingsfolder", ".mobilebackups", ".hfs+ private directory data\r",
    "icon\r", "icon\n",
    # Windows
    "thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin",
    "recycler", "recycled", "system volume information", "indexervolumeguid", "wpsettings.dat", "msocache",
    "pagefile.sys", "hiberfil.sys", "swapfile.sys", "$winreagent", "zone.identifier",
    # Linux, phones
    "lost+found", "lost.dir", ".directory", ".hidden", ".nomedia", ".thumbnails", ".thumbs", ".thumb",
    ".xvpics", ".sh_thumbnails", ".android_secure", ".fscrypt", "aquota.user", "aquota.group",
    # NAS, snapshots, clouds
    "@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharebin", "@sharesnap", "@__thumb", ".@__thumb",
    "#recycle", "#snapshot", ".snapshot", ".snapshots", "~snapshot", ".zfs", ".synologyworkingdirectory",
    "_gsdata_", "trashbox", "@transcode", "@database", "@appstore", "@quarantine", ".qsync", "onedrivetemp",
    ".recycle", ".dropbox", ".dropbox.cache", ".dropbox.attr", ".stfolder", ".stversions", ".stignore",
    ".sync", ".csync_journal.db", ".owncloudsync.log", ".tmp.drivedownload", ".tmp.driveupload",
    # programs for photos
    ".picasaoriginals", ".picasa.ini", "picasa.ini", ".picasa3temp", "zbthumbnail.info", "pspbrwse.jbf",
    ".dtrash", ".comments", "captureone", ".bridgecache", ".bridgecachet", ".bridgelabelsandratings",
    # notebooks, and what programs keep beside them
    ".ipynb_checkpoints", ".virtual_documents", "__pycache__", "node_modules", "site-packages", "wandb",
    "mlruns", "lightning_logs", "__results___files",
})  # fmt: skip
_PATTERNS = (
    "._*", "found.[0-9][0-9][0-9]", ".trash-*", ".nfs????*", ".fuse_hidden*", ".goutputstream-*", "~$*",
    ".~lock.*#", ".sync_*.db*", "._sync_*.db*", "*@synoeastream", "*@synoresource", "*:zone.identifier",
    "*.lrdata", "*.lrprev", "*.photoslibrary", "*.aplibrary", "*.photolibrary", "*.imovielibrary",
    ".trashed-*", ".com.apple.*",
)  # fmt: skip
_STRAY = re.compile("|".join(fnmatch.translate(pattern) for pattern in _PATTERNS))


def is_stray(name: str) -> bool:
    """Return whether a file or folder of this name is what a system, a NAS or a program left behind.

    Nobody's photos or models are in it: walks pass over it, and a folder that holds nothing else counts as
    empty. A writer lets it lie where it can: a recycle bin is somebody's.

    Parameters
    ----------
    name
        The last part of a path; case does not matter.

    Examples
    --------
    >>> is_stray(".DS_Store"), is_stray("@eaDir"), is_stray("cat.jpg")
    (True, True, False)
    """
    small = name.lower()
    return small in _NAMES or _STRAY.match(small) is not None
