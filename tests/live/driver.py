"""Performs a model's schedule on the live system, and notes what of it could not be done.

`ACTIONS` is the whole correspondence: a step of the model, by its function, and what is done for it here. An action
answers whether the live system did it; one that it does not come to do, because a rule that the schedule was made
without holds here, is refused. `ending.py` goes on from where a schedule stops; `checks.py` says what went wrong.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tests.live.actions import (
    connection_actions,
    device_actions,
    gateway_actions,
    mongodb_actions,
    receipt_actions,
    worker_actions,
)
from tests.live.live import Live, NotThere
from tests.model.steps import (
    connection_steps,
    device_steps,
    faults,
    lease_steps,
    mailbox_steps,
    stream_steps,
    window_steps,
)


async def never(*_: Any) -> bool:
    """Only where a rule is left out."""
    return False


async def nothing(*_: Any) -> bool:
    """What a schedule says by granting nothing to an actor meanwhile."""
    return True


ACTIONS: Final[Mapping[Callable[..., None], Callable[..., Awaitable[bool]]]] = {
    # what workers do
    stream_steps.assign: worker_actions.assign,
    stream_steps.leave_group: worker_actions.leave_group,
    stream_steps.hear: worker_actions.hear,
    stream_steps.commit: worker_actions.commit,
    stream_steps.take: worker_actions.take,
    stream_steps.read_again: worker_actions.read_again,
    window_steps.store: worker_actions.store,
    window_steps.route: worker_actions.route,
    window_steps.emit: worker_actions.emit,
    window_steps.go_live: worker_actions.go_live,
    window_steps.shelve: worker_actions.shelve,
    window_steps.fold_receipt: receipt_actions.fold_receipt,
    # what gateways do
    lease_steps.acquire: gateway_actions.acquire,
    lease_steps.fence: gateway_actions.fence,
    lease_steps.serve: gateway_actions.serve,
    lease_steps.lose: gateway_actions.lose,
    lease_steps.sweep: gateway_actions.sweep,
    lease_steps.clear_up: gateway_actions.clear_up,
    lease_steps.sweep_again: gateway_actions.sweep_again,
    mailbox_steps.read: gateway_actions.read,
    mailbox_steps.skip: gateway_actions.skip,
    mailbox_steps.go_to_end: never,
    connection_steps.write_sessions: connection_actions.write_sessions,
    connection_steps.land: connection_actions.land,
    connection_steps.arrive: connection_actions.arrive,
    connection_steps.start_read: connection_actions.start_read,
    connection_steps.finish_read: connection_actions.finish_read,
    connection_steps.let_go: connection_actions.let_go,
    connection_steps.acknowledge: connection_actions.acknowledge,
    connection_steps.leave: connection_actions.leave,
    # what devices do
    device_steps.connect: device_actions.connect,
    device_steps.handle: device_actions.handle,
    device_steps.hang_up: device_actions.hang_up,
    # what goes wrong, and is mended
    faults.crash_worker: worker_actions.crash_worker,
    faults.crash_emitting: worker_actions.crash_emitting,
    faults.put_worker_to_sleep: nothing,
    faults.expel: worker_actions.expel,
    faults.wake_worker: worker_actions.wake_worker,
    faults.crash_gateway: gateway_actions.crash_gateway,
    faults.cut_off_gateway: gateway_actions.cut_off_gateway,
    faults.reconnect_gateway: gateway_actions.reconnect_gateway,
    faults.time_out: connection_actions.time_out,
    faults.put_gateway_to_sleep: nothing,
    faults.wake_gateway: nothing,
    faults.overrun: gateway_actions.overrun,
    faults.go: device_actions.go,
    faults.lie: device_actions.lie,
    faults.forget: device_actions.forget,
    faults.fill_socket: connection_actions.fill_socket,
    faults.drain_socket: connection_actions.drain_socket,
    faults.take_mongodb_away: mongodb_actions.take_mongodb_away,
    faults.bring_mongodb_back: mongodb_actions.bring_mongodb_back,
    faults.retract: mongodb_actions.retract,
    faults.retract_at_once: mongodb_actions.retract_at_once,
}


async def perform(live: Live) -> None:
    for number, move in enumerate(live.schedule.moves, 1):
        try:
            did = await ACTIONS[move.do](live, move, *move.args)
        except NotThere:
            did = False
        if not did:
            live.refused.append(f"{number}. {move.text}")
