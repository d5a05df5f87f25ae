"""Merge receipts into as few updates as possible. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from clarion.contracts.records.receipts import Op, Receipt
from clarion.store.updates.receipt_updates import CLOCKS_APART, FOLDABLE, Change

IDS_PER_UPDATE: Final = 1_000
# What ended by itself is folded already, but the user's devices still show or count it. By op, what they are told.
TOLD: Final = {
    Op.EXPIRED: Op.EXPIRED,
    Op.LAPSED: Op.EXPIRED,
    Op.COLLAPSED: Op.COLLAPSED,
    Op.THROTTLED: Op.THROTTLED,
}


@dataclass(slots=True)
class Folded:
    """The changes in the order to apply them, and, by user and op, the ids to tell the user's devices.

    `dead` and `unfound` are the receipts that need more than an update: of dead letters, and of retractions of ids that
    were not found.
    """

    changes: list[Change] = field(default_factory=list[Change])
    touched: dict[tuple[str, Op], list[str]] = field(default_factory=dict[tuple[str, Op], list[str]])
    dead: list[Receipt] = field(default_factory=list[Receipt])
    unfound: list[Receipt] = field(default_factory=list[Receipt])


def fold(receipts: Iterable[Receipt]) -> Folded:
    """Merge receipts.

    Deliveries come first and all at once. They only ever take `pending` further, so moving one forward changes nothing,
    and their ids are what a gateway had sent, so they need no check of the user. The other receipts keep their order
    for each user. They change only that user's own notifications, since a client names their ids.
    """
    delivered: dict[str, None] = {}
    latest: datetime | None = None
    others: list[Receipt] = []
    folded = Folded()
    for receipt in receipts:
        if receipt.dead is not None and receipt.op is Op.DEAD and len(receipt.ids) == 1:
            folded.dead.append(receipt)
        if receipt.unfound is not None:  # whose it is, and so whom to tell, is not known yet
            folded.unfound.append(receipt)
            continue
        if receipt.op not in FOLDABLE and receipt.op not in TOLD:
            continue
        folded.touched.setdefault((receipt.user, TOLD.get(receipt.op, receipt.op)), []).extend(receipt.ids)
        if receipt.folded or receipt.op in TOLD:
            continue
        if receipt.op is Op.DELIVERED and receipt.unstored:
            folded.changes.append(Change(Op.DELIVERED, tuple(receipt.ids), receipt.at, receipt.user, unstored=True))
        elif receipt.op is Op.DELIVERED:
            delivered.update(dict.fromkeys(receipt.ids))
            # the latest time is the safe one: catching up reads what was delivered since a moment
            latest = max(latest, receipt.at) if latest else receipt.at
        else:
            others.append(receipt)
    if latest:
        folded.changes += [Change(Op.DELIVERED, ids, latest) for ids in _chunks(list(delivered))]
    folded.changes += _runs(others)
    return folded


def _runs(receipts: Iterable[Receipt]) -> Iterator[Change]:
    """Yield one change for each run of the same user and op. A late receipt is not merged with what came since."""
    run: list[Receipt] = []
    for receipt in receipts:
        if run and not _go_together(run[0], receipt):
            yield from _merged(run)
            run = []
        run.append(receipt)
    if run:
        yield from _merged(run)


def _go_together(one: Receipt, other: Receipt) -> bool:
    return (one.user, one.op) == (other.user, other.op) and abs(one.at - other.at) < CLOCKS_APART


def _merged(run: list[Receipt]) -> Iterator[Change]:
    ids = dict.fromkeys(id_ for receipt in run for id_ in receipt.ids)
    for chunk in _chunks(list(ids)):
        yield Change(run[-1].op, chunk, run[-1].at, run[-1].user)


def _chunks(ids: list[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(ids), IDS_PER_UPDATE):
        yield tuple(ids[start : start + IDS_PER_UPDATE])
