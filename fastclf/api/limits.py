"""How much of a server one caller of the API may take. Chosen, not measured, unless a line says otherwise."""

from __future__ import annotations

# A request's body; a file in it may have as many bytes as a photo of the page. JSON holds photos as base64,
# which takes a third more.
MOST_BODY = 64 * 2**20
MOST_JSON = 28 * 2**20
# Brackets, braces and commas of a JSON text: each may become an object of a hundred bytes.
MOST_PARTS = 200_000
# Files of a request, and those that are explained: a network without maps is run sixty times for one.
MOST_FILES = 64
MOST_EXPLAINED = 4
# Bytes of a form's field that is no file, and of the headers of a part.
MOST_FIELD = 2**12
MOST_PART_HEADER = 2**12
MOST_PART_HEADERS = 16
MOST_FIELDS = 16
# A form's delimiters: one for each part. What looks like one within a file is read a hundred times as slowly
# (1 MB/s instead of 150), and no client writes a delimiter that stands in its files.
MOST_DELIMITERS = MOST_FILES + MOST_FIELDS + 2
# Pixels of a photo, as on the page; with more than these it is decoded while no other such photo is.
MOST_PIXELS = 40_000_000
LARGE_PIXELS = 12_000_000
# Bodies that are in memory at once, of all callers.
MOST_HELD = 192 * 2**20
# Photos that wait or are looked at, of all callers.
MOST_WAITING = 256
# A body that is refused is read to this size and dropped, so that its sender hears why; more is cut off.
MOST_DROPPED = 2 * MOST_BODY
# A body has so long to come.
BODY_SECONDS = 60.0
# Once nothing waits any more, freed memory is handed back after so long.
TRIM_SECONDS = 2.0
# What is under way when the server is asked to end has so long.
END_SECONDS = 5.0
# Wrong tokens of one address in a minute, and reports in an hour.
MOST_TRIES, TRIES_SECONDS = 10, 60.0
MOST_REPORTS, REPORTS_SECONDS = 60, 3600.0
# Addresses that are remembered for that; more, and the oldest is forgotten.
MOST_ADDRESSES = 10_000
# A photo of another server has so long.
FETCH_SECONDS = 20.0
# What a browser remembers of a preflight.
PREFLIGHT_SECONDS = 600
# The longer side of an explanation's picture, as on the page.
MAP_SIDE = 480
