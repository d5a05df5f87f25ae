"""The limits and times that all parts agree on. Sizes are bytes, times are seconds, unless the name says otherwise."""

from typing import Final

KIB: Final = 1024
DAY_S: Final = 86_400

END: Final = "$(?![^$])"  # the end of a pattern: Python's `$` lets a line break pass, and JSON Schema has no `\Z`

# A notification
TYPE_PATTERN: Final = rf"^[a-z0-9._-]{{1,64}}{END}"
MESSAGE_CHARS: Final = 4_096
NAME_CHARS: Final = 128  # recipient, sender, collapse key
DATA_BYTES: Final = 16 * KIB  # of compact JSON
DATA_DEPTH: Final = 32  # deeper JSON would overflow the parser of some client
RECORD_BYTES: Final = 32 * KIB
HEADERS_BYTES: Final = 64 * KIB  # of a record, which is sent on with them: together far below what a topic takes
TOPIC_RECORD_BYTES: Final = 256 * KIB  # `max.message.bytes` of the lanes: of a batch of records, as it is sent
UNPACKED_BYTES: Final = (
    32 * TOPIC_RECORD_BYTES
)  # of a compressed batch; JSON shrinks to a tenth, a decompression bomb to a thousandth
DELIVER_AHEAD_DAYS: Final = 365
CREATED_AHEAD_S: Final = (
    300  # how far `created_at` may be ahead of this clock; beyond, the time when Kafka took the record counts
)
CREATED_BEHIND_DAYS: Final = 400  # how far it may be behind; what is scheduled a year ahead must fit
EXPIRES_AHEAD_DAYS: Final = 730  # no document is kept longer
KEEP_DAYS: Final = 30  # stored documents; longer than Kafka keeps records, or a replay would bring back what was purged
RETENTION_DAYS: Final = 7  # of the lanes, of `notifications.scheduled`, and of receipts

# Retractions of ids that are not found, per sender and ingest process. Each leaves a stub until what it retracts cannot
# come any more. So a sender leaves at most UNFOUND_PER_S * UNFOUND_DAYS of them: 700,000 of some 200 bytes.
UNFOUND_PER_S: Final = 1
UNFOUND_BURST: Final = 100
UNFOUND_DAYS: Final = RETENTION_DAYS + 1

# HTTP
BODY_BYTES: Final = 256 * KIB
BATCH_BYTES: Final = 1024 * KIB
BATCH_LINES: Final = 1_000
RECIPIENTS: Final = 1_000
IDEMPOTENCY_KEY_CHARS: Final = 255
HEADER_BYTES: Final = 16 * KIB

# Inbox
INBOX_PAGE: Final = 50
INBOX_PAGE_MOST: Final = 200
INBOX_PAGE_BYTES: Final = 1024 * KIB  # a page of large items ends early, so that what a process holds stays bounded
MARKED_BYTES: Final = 32 * KIB  # IDS_PER_FRAME ids, and room to spare
READ_ALL_BATCHES: Final = 20  # of IDS_PER_FRAME each; the client repeats the request while there are more

# Delivery records are small, so that an urgent one never waits behind a large bulk one
ITEMS_PER_RECORD: Final = 50
ITEMS_BYTES: Final = 64 * KIB

# Client protocol
FRAME_BYTES: Final = 64 * KIB
IDS_PER_FRAME: Final = 500
CREDIT_ITEMS: Final = 64
CREDIT_BYTES: Final = 256 * KIB
CREDIT_URGENT_ITEMS: Final = 8  # of CREDIT_ITEMS, kept for urgent
EARLY_ITEMS: Final = 64  # beyond CREDIT_ITEMS, for urgent items that cannot be stored now
EARLY_BYTES: Final = 64 * KIB  # beyond CREDIT_BYTES, likewise
PING_S: Final = 25.0
PONG_S: Final = 10.0
RESUME_GRACE_S: Final = 2.0  # for a slow round trip; without `resume` by then, a client gets again what it had
UNREAD_CAP: Final = 100
REMEMBERED_IDS: Final = 10_000  # that an SDK remembers, to drop repeats
RECONNECT_MIN_S: Final = 0.5
RECONNECT_MAX_S: Final = 30.0

# Dead letters
DEAD_LETTER_BYTES: Final = 512 * KIB
DEAD_LETTER_KEY_BYTES: Final = 1 * KIB
DEAD_LETTER_ERROR_CHARS: Final = 1_000
DEAD_LETTERS_PAGE: Final = 50
DEAD_LETTERS_MOST: Final = 1_000  # on one page, or in one request to replay or purge
REPLAYS_BY_FILTER: Final = 3  # a letter that died again so often is replayed only if it is named
EDIT_BYTES: Final = 768 * KIB  # of a request's body: a value of TOPIC_RECORD_BYTES and headers, both in base64
CHOICE_BYTES: Final = 512 * KIB  # of a request's body: DEAD_LETTERS_MOST ids, the longest of 290 characters

# The audit log of what operators did
AUDIT_DAYS: Final = 365
AUDIT_PAGE: Final = 50
AUDIT_PAGE_MOST: Final = 500
