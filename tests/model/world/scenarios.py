"""Worlds to explore, each small enough to be explored to its end, and about one thing."""

from dataclasses import replace
from typing import Final

from clarion.contracts.lanes import Lane
from tests.model.world.scenario import Scenario

_ONE: Final = (("ann", Lane.NORMAL),)
_TWO: Final = _ONE * 2
_URGENT: Final = (("ann", Lane.URGENT),)
_BOTH: Final = ("ann", "ann")

ONE: Final = Scenario("one notification, one device", faults={"link is cut": 1})
TWO: Final = Scenario("two notifications in flight at once", published=_TWO, windows=2)
LINKS: Final = Scenario(
    "links break, and a device forgets", published=_TWO, faults={"link is cut": 2, "device forgets": 1}
)
STRANGERS: Final = Scenario(
    "two users at one gateway, and one leaves",
    published=(*_ONE, ("bob", Lane.NORMAL)),
    devices=("ann", "bob"),
    faults={"device leaves": 1},
)
LIAR: Final = Scenario("a device acknowledges what it was never sent", published=_TWO, faults={"device lies": 1})
RETRACTED: Final = Scenario("one is retracted", faults={"one is retracted": 1})
AT_ONCE: Final = Scenario(
    "one is retracted at once, by its sender and by a stranger",
    faults={"one is retracted at once": 1, "a stranger retracts": 1},
)
CREDIT: Final = Scenario(
    "credit runs out, in two lanes", published=(*_TWO, *_URGENT), credit=2, faults={"socket fills": 1}
)
SIBLINGS: Final = Scenario("two devices at one gateway", devices=_BOTH)
TWO_DEVICES: Final = Scenario("two devices at two gateways", devices=_BOTH, gateways=2, mailboxes=2)

TAKEOVER: Final = Scenario("a gateway sleeps beyond its lease", gateways=2, faults={"gateway sleeps": 1})
CUT_OFF: Final = Scenario(
    "a gateway is cut off from MongoDB for good",
    gateways=2,
    faults={"gateway is cut off": 1},
    lasts=frozenset({"gateway is cut off"}),
)
RESTART: Final = Scenario("a gateway crashes twice", gateways=2, faults={"gateway crashes": 2})
NO_FENCE_YET: Final = Scenario(
    "a gateway has a lease and no fence, and is cut off from MongoDB for good",
    gateways=2,
    faults={"gateway crashes": 1, "gateway is cut off": 1},
    lasts=frozenset({"gateway is cut off"}),
)
LATE_WRITES: Final = Scenario("session writes land late", faults={"session write times out": 1, "link is cut": 1})
RETENTION: Final = Scenario("a mailbox overruns", faults={"gateway sleeps": 1, "mailbox overruns": 1})
RETENTION_TWO: Final = replace(RETENTION, name="a mailbox overruns, and more comes", published=_TWO)

OUTAGE: Final = Scenario("MongoDB is away for a while", published=_URGENT * 2, windows=2, faults={"mongodb is away": 1})
OUTAGE_TWO_DEVICES: Final = Scenario(
    "MongoDB is away for a while, with two devices",
    published=_URGENT,
    devices=_BOTH,
    gateways=2,
    mailboxes=2,
    at_home=True,
    faults={"mongodb is away": 1},
)
OUTAGE_AT_ONCE: Final = Scenario(
    "MongoDB is away for a while, and one is retracted at once, by its sender and by a stranger",
    published=_URGENT,
    faults={"mongodb is away": 1, "one is retracted at once": 1, "a stranger retracts": 1},
)
LASTING_OUTAGE: Final = Scenario(
    "MongoDB stays away", published=_URGENT, faults={"mongodb is away": 1}, lasts=frozenset({"mongodb is away"})
)

LASTING_OUTAGE_TWO: Final = replace(
    LASTING_OUTAGE, name="MongoDB stays away, with one stored before", published=_URGENT * 2, windows=2
)

ZOMBIE: Final = Scenario(
    "a worker sleeps beyond its session",
    published=_TWO,
    workers=2,
    windows=2,
    faults={"worker sleeps": 1, "worker is expelled": 1},
)
CRASHES: Final = Scenario("a worker crashes twice", published=_TWO, workers=2, windows=2, faults={"worker crashes": 2})
HALF_EMITTED: Final = Scenario(
    "a worker crashes with half of its records emitted",
    devices=_BOTH,
    gateways=2,
    mailboxes=2,
    at_home=True,
    faults={"worker crashes emitting": 1},
)

HOUR_LINK: Final = Scenario(
    "an hour passes, and a link breaks",
    devices=_BOTH,
    gateways=2,
    mailboxes=2,
    at_home=True,
    is_settled=True,
    frail=(1,),
    faults={"hour passes": 1, "link is cut": 1},
)
HOUR_SOCKET: Final = replace(
    HOUR_LINK, name="an hour passes, and a socket fills", faults={"hour passes": 1, "socket fills": 1}
)
ALL: Final = [value for value in list(globals().values()) if isinstance(value, Scenario)]

# Too large to explore: for random ways through them.
_EVERYWHERE: Final = (*_TWO, *_URGENT * 2, ("bob", Lane.NORMAL), *_ONE)
EVERYTHING: Final = Scenario(
    "everything at once",
    published=_EVERYWHERE,
    devices=(*_BOTH, "bob"),
    gateways=3,
    mailboxes=2,
    workers=2,
    windows=3,
    credit=3,
    faults={
        "worker crashes": 1,
        "worker crashes emitting": 1,
        "worker sleeps": 2,
        "worker is expelled": 2,
        "gateway crashes": 1,
        "gateway sleeps": 2,
        "gateway is cut off": 1,
        "mailbox overruns": 1,
        "session write times out": 2,
        "link is cut": 2,
        "socket fills": 2,
        "mongodb is away": 2,
        "one is retracted": 1,
        "one is retracted at once": 1,
        "a stranger retracts": 1,
    },
)
NO_OUTAGE: Final = replace(
    EVERYTHING,
    name="everything at once, but MongoDB stays",
    faults={kind: often for kind, often in EVERYTHING.faults.items() if kind != "mongodb is away"},
)
CROWDED_HOURS: Final = replace(
    EVERYTHING,
    name="everything at once, over hours",
    is_settled=True,
    devices=_BOTH,
    faults={"gateway sleeps": 1, "mailbox overruns": 1, "link is cut": 2, "socket fills": 2, "hour passes": 3},
)
LARGE: Final = [EVERYTHING, CROWDED_HOURS]
