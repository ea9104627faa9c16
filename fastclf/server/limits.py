"""How much of a server one visitor may take."""

from __future__ import annotations

# The framing of a kernel's websocket that the page speaks.
PROTOCOL = "v1.kernel.websocket.jupyter.org"

# A request has so long to say what it wants, and a connection to ask again.
HEADER_SECONDS = 30.0
# Nothing that the page asks for has a body, and its addresses are short.
MOST_BODY = 2**16
MOST_ADDRESS = 2048

# A message before its buffers: the page sends numbers and short words there.
MOST_CONTENT = 2**20
MOST_HEADER = 2**12
LONGEST_ID = 64
# Messages that a kernel has not done yet: two photos, or few small ones, for each may ask for all cards.
# More wait on the line.
MOST_WAITING_BYTES = 48 * 2**20
MOST_WAITING = 4
WAITING_SECONDS = 60.0
# Answers that a page has not taken: of so many bytes it is not listened to, of so many its line is ended.
MOST_UNHEARD = 2**20
MOST_UNREAD = 48 * 2**20
# What a kernel has said while its page is away.
MOST_KEPT = 8 * 2**20
# The page has one line to its kernel, and for a moment two when it mends it.
MOST_LINES = 3
# The page opens one comm; a reload has a kernel of its own.
MOST_COMMS = 20

# A visitor's kernel whose page never opened its websocket.
UNUSED_SECONDS = 60.0

# How much sooner than others Linux ends a visitor's kernel where memory runs out, of 1000.
FIRST_TO_GO = 500
# Bytes without which nothing new is begun: the stacks of some threads, and what a page is made in.
LEAST_ROOM = 64 * 2**20
