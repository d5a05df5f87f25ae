"""Lists dead letters, and shows one. Raises one of `database.TRANSIENT` while MongoDB does not answer."""

from clarion.contracts import times
from clarion.contracts.api.dead_letters import Chosen, Details, Filter, Page
from clarion.contracts.topics import Names
from clarion.operating.dead_letters import choosing
from clarion.operating.dead_letters.showing import details, summary
from clarion.store.dead_letters import letters, queries
from clarion.store.dead_letters.letters import Letter
from clarion.store.driver.database import Collection, Database


class UnknownLetter(LookupError):
    """There is no dead letter of that name: it was purged, or is older than letters are kept."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no dead letter {name}: it may have been purged, or be older than 30 days")


async def page(database: Database, names: Names, wanted: Filter, *, shown: str, limit: int, after: str | None) -> Page:
    """Return up to `limit` letters of a filter and of `shown`, one of `STATES`, newest first, after a cursor.

    Raise `Invalid` for a wrong cursor.
    """
    began, position = choosing.decode_cursor(after) if after else (times.now(), None)
    query = choosing.query_of(wanted, names, choosing.STATES[shown])
    found = await queries.page(letters.collection(database), query, after=position, limit=limit + 1)
    following = choosing.encode_cursor(began, choosing.position_of(found[limit - 1])) if len(found) > limit else None
    return Page([summary(letter, names) for letter in found[:limit]], following)


async def count(database: Database, names: Names, chosen: Chosen, shown: str) -> int:
    """Return how many letters a choice means, at most `queries.COUNTED`; of ids, how many there are."""
    if chosen.ids:
        return len(chosen.ids)
    query = choosing.query_of(chosen.filter or Filter(), names, choosing.STATES[shown])
    return await queries.count(letters.collection(database), query)


async def show(database: Database, names: Names, name: str) -> Details:
    """Return the letter of that id, or the newest at that place (topic/partition/offset). Raise `UnknownLetter`."""
    letter = await find(letters.collection(database), name)
    return details(letter, names, times.now())


async def find(stored: Collection, name: str) -> Letter:
    """Return a letter with its content. Raise `UnknownLetter`."""
    found = sorted(await queries.named(stored, name), key=lambda letter: letter.at)
    letter = await queries.find(stored, found[-1].id) if found else None
    if letter is None:
        raise UnknownLetter(name)
    return letter
