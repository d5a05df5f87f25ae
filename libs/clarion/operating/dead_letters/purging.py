"""Deletes dead letters that nobody needs any more."""

from clarion.contracts import times
from clarion.contracts.api.dead_letters import Chosen, Filter, Purged
from clarion.operating.audit_log import Operator, audited
from clarion.operating.dead_letters import choosing
from clarion.operating.dead_letters.finding import count
from clarion.store.dead_letters import changes, letters, queries
from clarion.store.dead_letters.letters import Letter


async def purge(operator: Operator, chosen: Chosen) -> Purged:
    """Purge up to `chosen.most` letters, whether or not they were replayed; with `dry_run`, only count them all.

    A letter that is being replayed now stays. Raise `Invalid`, or one of `database.TRANSIENT`: then some may be purged,
    and purging again is harmless.
    """
    choosing.check(chosen)
    stored = letters.collection(operator.database)
    began, position = choosing.decode_cursor(chosen.after) if chosen.after else (times.now(), None)
    if chosen.dry_run and not chosen.ids:
        return Purged(await count(operator.database, operator.names, chosen, "all"))
    if chosen.ids:
        found: list[Letter] = [letter for name in chosen.ids for letter in await queries.named(stored, name)]
        if chosen.dry_run:
            return Purged(len(found))
    else:
        query = choosing.query_of(chosen.filter or Filter(), operator.names, choosing.STATES["all"])
        found = await queries.page(stored, query, after=position, limit=chosen.most)
    async with audited(operator, "dead_letters.purge", choosing.about(chosen)) as entry:
        purged = await changes.purge(stored, [letter.id for letter in found], times.now())
        entry.detail = f"{purged} purged"
    has_more = not chosen.ids and len(found) == chosen.most
    return Purged(purged, choosing.encode_cursor(began, choosing.position_of(found[-1])) if has_more else None)
