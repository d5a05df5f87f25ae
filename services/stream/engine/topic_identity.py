"""Judge which topic of its name a role reads, from the broker's id, the store's knowledge and the group's commits.

Pure. A topic that was made anew counts its offsets from 0 again, below every cursor. So its generation must rise, and
what the store had reached of the earlier topic counts no more. A store that was restored from an older backup, or is
empty, is noticed because commits carry the generation: Kafka then has commits of which the store knows nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from clarion.broker.group_offsets import Commit
from clarion.broker.topic_ids import TopicState
from clarion.settings import SettingsError
from clarion.store.topics import PAST_IDS, Known

GENERATIONS: Final = 1 << 15  # `ord` has 15 bits for them


def judge(
    topic: str, found: TopicState, known: Known | None, commits: Mapping[int, Commit], least: int
) -> Known | None:
    """Return what the store should know from now on; None when the broker's answer is of a topic that is gone.

    `least` is the generation of the settings. Raise `SettingsError` when all generations are used up.
    """
    told = max((commit.generation for commit in commits.values() if commit.generation is not None), default=None)
    if known is None:
        # Commits that carry a generation were made together with a store that is gone. Those that carry none were made
        # by an earlier version of Clarion: everything below them is stored.
        reached = {number: commit.offset for number, commit in commits.items()} if told is None else {}
        generation = max(least, told or 0)
        judged = Known(topic, found.id, generation, found.partitions, reached, began=generation)
    elif known.topic_id == found.id:
        judged = replace(known, generation=max(known.generation, least, told or 0))
    elif found.id in known.past:
        return None
    else:
        past = (*known.past, known.topic_id)[-PAST_IDS:]
        generation = max(known.generation + 1, least, told or 0)
        judged = Known(topic, found.id, generation, found.partitions, {}, past, generation)
    if judged.generation >= GENERATIONS:
        raise SettingsError(
            f"{topic} has used up its {GENERATIONS} generations: use another CLARION_PREFIX and CLARION_DATABASE"
        )
    return judged


def places_to_resume(committed: Mapping[int, int], reached: Mapping[int, int]) -> dict[int, int]:
    """Return where to read on, for partitions that Kafka says are done further than the store has them."""
    return {number: reached.get(number, 0) for number, offset in committed.items() if reached.get(number, 0) < offset}
