"""Names the bounds on what clients can cost. docs/configuration.md lists them.

They are constants: no client that behaves comes near them, and the values depend on each other. Prometheus's default
timeout of a scrape is 10 s, and its usual intervals are up to 2 minutes.
"""

from __future__ import annotations

KIB = 1024

# Open connections, TLS handshakes included. Beyond that, a new one takes the place of another, or waits.
MAX_CONNECTIONS = 256
# Of the file descriptors that the process may have open, at most this share is for connections: polling needs some too.
DESCRIPTOR_SHARE = 0.25
# A connection that is new, or whose client does not read, is kept at least so long, also when there are too many.
SHORTEST_SECONDS = 0.5
# A connection that is being answered is kept at least so long.
ANSWER_SECONDS = 3.0
# From the connection, or from the first byte of a later request, to the end of the request.
REQUEST_SECONDS = 10.0
# From one request to the next on one connection. Longer than usual scrape intervals, so that scrapes reuse it.
IDLE_SECONDS = 150.0
# A client that reads nothing for so long is disconnected.
STALL_SECONDS = 10.0
# Sending a whole metrics page. Prometheus's default timeout is shorter.
SEND_SECONDS = 15.0
# Of a response, the kernel takes so much before a client reads. With its own limit, some MB, each client that does not
# read costs as much time as a page.
SEND_BUFFER_BYTES = 256 * KIB
# What is left to a client to read the reply to a request that was refused before its end.
LINGER_SECONDS = 2.0

MAX_LINE_BYTES = 8 * KIB
# All headers of a request together.
MAX_HEADER_BYTES = 64 * KIB
# No path needs a body. What a client sends while it is answered counts as well.
MAX_BODY_BYTES = 64 * KIB

# A metrics page is held until it is sent to all who share it. Pages share what has not changed from one to the next.
PAGES_AT_ONCE = 8
# While so many are held, a scrape gets the newest one if it is not older than this.
SHARED_PAGE_SECONDS = 2.0
# Compressed blocks are kept for so long after the last scrape that asked for gzip.
COMPRESSED_SECONDS = 600.0

# Building or sending a page gives way to other work after this time.
TURN_SECONDS = 0.005
# Each status page, and the snapshot that they show, is made at most so often, one at a time.
STATUS_PAGE_SECONDS = 1.0
# Filters make many different pages. So many are kept to be sent again.
STATUS_PAGES_KEPT = 32

# A check at this cost takes a quarter of a second, and some seconds on a busy machine. Each step doubles that. The end
# of the process waits for the check that is running.
MAX_BCRYPT_COST = 12
MAX_USERS = 1000
# A request waits at most so long for the check of its password.
PASSWORD_SECONDS = 5.0

# How often web.config_file and the files that it names are checked for changes.
WATCH_SECONDS = 10.0
# To look at these files, and to load them: each may be on a disk that hangs.
STAMP_SECONDS, RULES_SECONDS = 5.0, 20.0
# Messages about clients are logged at most so often, each with the number of times.
NOTICE_SECONDS = 60.0
