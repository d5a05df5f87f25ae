"""Clients that resume from where nobody has been: damaged positions, those of others, and ones in the future."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.faults.gateway.raw_client import Refused, frame, opened

_FIELDS: Final = (
    *("", ',"since":null', ',"since":"garbage"', ',"since":"2099-01-01T00:00:00Z"', ',"since":"1970-01-01T00:00:00Z"'),
    *(',"cursors":{"normal":[1,281474976710655]}', ',"cursors":{"normal":[32768,1]}', ',"cursors":{"low":-1}'),
    *(',"cursors":{"bulk":[0,1]}', ',"cursors":[]', ',"user":"ann","deployment":"another"', ',"user":"\\ud800"'),
)
_RESUMES: Final = (*(f'{{"op":"resume"{fields}}}' for fields in _FIELDS), '{"op":"resume"', "[]", "")


async def resume(settings: Settings, ports: Sequence[int], chance: random.Random) -> Counter[str]:
    """How often they were greeted and sent away. Raises TimeoutError when a gateway does neither."""
    found = Counter[str]()
    for text in chance.sample(_RESUMES, len(_RESUMES)):
        user = f"position-{chance.randrange(20)}"
        token = mint(settings, sub=user, scope=SUBSCRIBE, ttl_s=600)
        try:
            async with opened(chance.choice(ports), token) as raw:
                raw.writer.write(frame(1, text.encode()))
                found["greeted" if await raw.hello() else f"closed with {raw.code}"] += 1
        except (Refused, asyncio.IncompleteReadError):
            found["refused"] += 1
    return found
