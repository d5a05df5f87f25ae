"""The table `cases.json`: conversations of the client protocol, each step said by one side.

Items are names (`a`, `b@urgent`, `c~` before it is stored), cursors the name of an item: where a gateway is real, ids,
places, tags and `since` are what it says.

| step | a server that plays it for an SDK | a client that plays it for a gateway |
|---|---|---|
| `client`, frame | the SDK has to say this next | says it |
| `server`, frame | says it | the gateway has to say it; what is in a batch is published first |
| `close`, code, by | closes | the gateway has to close, after what is done to it (`by`) |
| `cut` | ends the connection without a word | the same |
| `app`, verb, names | the application does it: `read` …, `release` (of what it holds), `settle`, `close` | – |
| `other`, verb, names | – | another device does it, over HTTP |
| `silence` | says nothing until the SDK leaves | – |
"""

from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from clarion.contracts.ids import idempotent_id

Step = list[Any]
Frame = dict[str, Any]
Party = Literal["sdk", "gateway", "socket"]  # `socket`: a gateway, but what its event stream cannot be told


class Connection(msgspec.Struct, forbid_unknown_fields=True):
    """`token`: which one in a row has to be shown, or what is wrong with it. `after_s`: no sooner than that."""

    steps: list[Step]
    token: int | Literal["publish", "foreign"] = 1
    after_s: float = 0.0


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """What an application has to see of it in the end: all of it, in this order, and nothing else.

    `holds`: what it is not done with before `release`. `end`: why the SDK gives up, None while it does not. `counted`:
    what the server answers over HTTP to who asks for the count.
    """

    name: str
    connections: list[Connection]
    parties: list[Party] = msgspec.field(default_factory=lambda: list[Party](("sdk", "gateway")))
    each: list[int] = []
    holds: list[str] = []
    handed_out: list[str] | None = None
    unread: int | None = None
    counted: int | None = None
    end: Literal["refused", "forbidden", "token"] | None = None


class Item(msgspec.Struct, frozen=True):
    name: str
    lane: str
    stored: bool

    @property
    def id(self) -> str:
        """For a server that makes it up."""
        return idempotent_id("conformance", "", self.name)

    @property
    def ord(self) -> list[int]:
        return [0, ord(self.name)]


def item(text: str) -> Item:
    stored = not text.endswith("~")
    name, _, lane = text.rstrip("~").partition("@")
    return Item(name, lane or "normal", stored)


def _load() -> list[Case]:
    path = Path(__file__).with_name("cases.json")
    return list(chain.from_iterable(map(_each, msgspec.json.decode(path.read_bytes(), type=list[Case]))))


def _each(case: Case) -> list[Case]:
    """The case for each of its codes."""
    return [
        msgspec.structs.replace(
            case,
            name=f"{case.name}: {code}",
            connections=[
                msgspec.structs.replace(
                    one, steps=[[code if part == "each" else part for part in s] for s in one.steps]
                )
                for one in case.connections
            ],
        )
        for code in case.each
    ] or [case]


CASES: Final = _load()


def cases_for(*parties: Party) -> list[Case]:
    return [case for case in CASES if set(parties) & set(case.parties)]
