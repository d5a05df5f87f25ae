"""What may stand in a log line: secrets are masked, and long texts are cut. Pure.

Nothing that logs is to log a secret, and tests look for that. This is the second line of defence: a library's error may
quote a header or an address, and somebody will log that error.
"""

import re
from typing import Final

import structlog

TEXT_CHARS: Final = 2_000
TRACEBACK_CHARS: Final = 20_000
MASK: Final = "<masked>"

# A JWT (both of its first parts are JSON objects, so they begin with `{"` in base64url); what follows a scheme of HTTP
# or the subprotocol `bearer.`; the password of an address; a parameter of a query.
_SECRETS: Final = re.compile(
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"
    r"|(?<=[Bb]earer )[^\s\"',;]{8,}|(?<=[Bb]earer\.)[\w.-]{8,}|(?<=[Bb]asic )[\w+/=]{8,}"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"
    r"|(?<=access_token=)[^\s&\"']+"
)


def cleaned(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Mask secrets in the texts of a line, and cut those that are too long: a processor of structlog."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = clean(value, TRACEBACK_CHARS if name == "exception" else TEXT_CHARS)
    return event


def clean(text: str, most: int = TEXT_CHARS) -> str:
    """Return `text` without secrets, and with its middle left out if it has more than `most` characters."""
    if len(text) > most:
        half = most // 2
        # cut before masking, so that a text of any length costs little; a secret at the cut loses its middle
        text = f"{text[:half]}… {len(text) - 2 * half} characters …{text[-half:]}"
    return _SECRETS.sub(MASK, text)
