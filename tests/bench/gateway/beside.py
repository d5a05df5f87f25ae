"""What some do to others: bulk deliveries to urgent ones, and clients that stall to those that do not."""

from collections.abc import Mapping
from statistics import mean
from typing import Final

from rich.console import Console

from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from tests.bench.gateway import bare_reader, bulk, stalled_clients
from tests.bench.gateway.arms import Arm, connected, serving
from tests.bench.gateway.bare_reader import Waits
from tests.bench.gateway.delivery import SOCKETS
from tests.bench.gateway.probe import Probe, probing
from tests.bench.stream.throughput import own_lane
from tests.report import Row, at_least

STALLED: Final = SOCKETS // 100
PROBES: Final = 1_000  # a round
_STALLED_PROBES: Final = 500  # a round: on a slow machine, too, done before a client that answers no ping is closed
_WARM_UP: Final = 200  # probes that count nowhere: the first arm would have them alone
_ROUNDS: Final = bulk.PARTS - 1
_STALLED_ROUNDS: Final = 12  # a p99 is made of the machine's own hiccups, of ten waits each
_SHARE: Final = 0.6  # of what the gateway can deliver


async def measure(env: Mapping[str, str], sustained: float, console: Console) -> list[Row]:
    rate = _SHARE * sustained
    async with own_lane(env) as own, serving("gateway", own) as server, connected(server, SOCKETS, own) as board:
        settings = Settings.from_env(own)
        async with probing(settings, server) as probe, bare_reader.reading(own, Lane.URGENT, server.mailbox) as bare:
            await probe.waits(Lane.URGENT, _WARM_UP, bare)
            quiet, beside, shares = list[list[float]](), list[list[float]](), list[float]()
            for part in range(_ROUNDS):  # interleaved: what the machine does meanwhile, it does to both
                quiet += await probe.waits(Lane.URGENT, PROBES, bare)
                async with bulk.flowing(own, server, board, rate, part) as share:
                    beside += await probe.waits(Lane.URGENT, PROBES, bare)
                    shares.append(share())
            async with bulk.flowing(own, server, board, rate, _ROUNDS) as share:
                free, beside_stalled = await _others(own, settings, server, probe)
                beside_others = share()
    some_stall = f"while {STALLED} of {SOCKETS:,} clients stall"
    return [
        at_least(f"bulk acknowledged / sent, at {rate:,.0f}/s beside urgent", mean(shares), 0.95),
        *bare_reader.compared("urgent", f"beside bulk at {rate:,.0f}/s", quiet, beside, 2, console),
        at_least("bulk acknowledged / sent, beside others", beside_others, 0.95),
        *bare_reader.compared("others beside bulk", some_stall, free, beside_stalled, 1.2, console),
        *await stalled_clients.memory(env),
    ]


async def _others(env: Mapping[str, str], settings: Settings, server: Arm, probe: Probe) -> tuple[Waits, Waits]:
    """Their waits, and their waits while some stall.

    Both beside as many records for as many users more, who are not there, or stall.
    """
    free, beside = list[list[float]](), list[list[float]]()
    async with bare_reader.reading(env, Lane.NORMAL, server.mailbox) as bare:
        await probe.waits(Lane.NORMAL, _WARM_UP, bare)
        for part in range(_STALLED_ROUNDS):
            stalled = stalled_clients.made_for([f"stalled-{part}-{n}" for n in range(STALLED)])
            absent = stalled_clients.made_for([f"absent-{part}-{n}" for n in range(STALLED)])
            async with stalled_clients.sending(settings, server, absent):
                free += await probe.waits(Lane.NORMAL, _STALLED_PROBES, bare)
            async with stalled_clients.stalling(settings, server, stalled):
                beside += await probe.waits(Lane.NORMAL, _STALLED_PROBES, bare)
    return free, beside
