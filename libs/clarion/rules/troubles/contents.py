"""Troubles of notifications: dead letters, what is not accounted for, what came by the safety net. Pure data."""

from typing import Final

from clarion.rules.rule import Rule, Volume, above
from clarion.rules.signals import (
    HOUR_S,
    MINUTE_S,
    Added,
    Distance,
    Rate,
    Ratio,
    Series,
    Value,
    highest,
    total,
)

_LOOKS: Final = Series("clarion_safety_net_looks_total")

CONTENTS: Final = (
    Rule(
        id="unaccounted",
        title="Unaccounted",
        severity="critical",
        what="{value} notifications that were accepted are in no state: they may be lost, or counted twice",
        cause="A fault of Clarion, or somebody has changed records or documents by hand.",
        cure=(
            "Run `clarion audit`, which names each notification that does not fit; `clarion trace ID` tells its story. "
            "Keep Kafka's and MongoDB's data as they are, and report it."
        ),
        signal=highest(Distance(Value(Series("clarion_unaccounted")))),
        threshold=above(0, for_s=2 * MINUTE_S, clear_s=0),
    ),
    Rule(
        id="dead-letters",
        title="Dead letters",
        severity="warning",
        what="{value} records that nobody can process came within ten minutes: {reason}",
        cause=(
            "A producer writes to Kafka what breaks the contract: wrong JSON, missing or wrong fields, an id that is "
            "used for something else."
        ),
        cure=(
            "Run `clarion dlq list` and `clarion dlq show`, which name the sender and what is wrong. Have the producer "
            "mended, then edit and replay the letters, or purge them."
        ),
        signal=total(Added(Series("clarion_dead_lettered_total"), 10 * MINUTE_S, ("reason",))),
        threshold=above(0, for_s=0, clear_s=0),
        degrades=False,
    ),
    Rule(
        id="safety-net-pushes",
        title="Safety net pushes",
        severity="warning",
        what="The safety net pushed {value} items of the lane {lane} that no other way had delivered",
        cause="A fault in the delivery of Clarion: by its rules there is nothing for the safety net to find.",
        cure=(
            "Nobody has lost anything, and items came a minute late at most. Report it, with the logs of the gateway "
            "and the lane of that time."
        ),
        signal=total(Added(Series("clarion_overlooked_total"), 10 * MINUTE_S, ("lane",))),
        threshold=above(0, for_s=0, clear_s=HOUR_S),
        degrades=False,
    ),
    Rule(
        id="safety-net-blind",
        title="Safety net blind",
        severity="info",
        what="{value} of the looks of the safety net did not end in time",
        cause="MongoDB is away or slow, so gateways cannot ask it what is pending.",
        cure="Look at Dependency down and Slow store. Deliveries go on; only their second way is shut.",
        signal=Ratio(
            total(Rate(Series(_LOOKS.name, {"how": "missed"}), 15 * MINUTE_S), "how"),
            total(Rate(_LOOKS, 15 * MINUTE_S), "how"),
        ),
        threshold=above(0.5, clear=0.2, for_s=5 * MINUTE_S, clear_s=MINUTE_S),
        volume=Volume(total(Rate(_LOOKS, 15 * MINUTE_S), "how"), 3 / (15 * MINUTE_S)),
        unit="share",
    ),
    Rule(
        id="mailbox-unreadable",
        title="Mailbox unreadable",
        severity="warning",
        what="{value} records of a gateway's mailbox could not be read within ten minutes",
        cause="Something other than Clarion writes to `deliveries`, or a gateway is older than the lanes.",
        cure="Update the gateways. Its clients read the store instead, so nothing is lost.",
        signal=Added(Series("clarion_mailbox_lost_total"), 10 * MINUTE_S),
        threshold=above(0, for_s=0, clear_s=0),
    ),
    Rule(
        id="topic-made-anew",
        title="Topic made anew",
        severity="warning",
        what="The topic {topic} was deleted and created again",
        cause="Somebody has deleted it, or the broker has lost its data.",
        cure=(
            "Run `clarion topics check`. What was in the topic and not stored yet is gone with it: have its senders "
            "publish it again. `clarion audit` tells what is affected."
        ),
        signal=total(Added(Series("clarion_topics_made_anew_total"), 10 * MINUTE_S, ("topic",))),
        threshold=above(0, for_s=0, clear_s=HOUR_S),
        degrades=False,
    ),
    Rule(
        id="receipts-dropped",
        title="Receipts dropped",
        severity="warning",
        what="A gateway gave up {value} receipts within ten minutes, whose items are replayed when users come back",
        cause="Kafka and MongoDB were both away for longer than a gateway can hold receipts.",
        cure="Look at Dependency down. Users may see some notifications again, and their SDKs drop these.",
        signal=Added(Series("clarion_receipts_dropped_total"), 10 * MINUTE_S),
        threshold=above(0, for_s=0, clear_s=0),
    ),
)
