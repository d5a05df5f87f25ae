"""What a person sees of dead letters: all that matters, and nothing that a stranger's bytes do to a terminal."""

from typing import Any

from rich.console import Console

from clarion.cli.dead_letters.tables import details_of, summaries
from clarion.contracts.api.dead_letters import Page
from clarion.contracts.topics import Names
from clarion.operating.dead_letters.showing import details, summary
from tests.unit.clarion.operating.dead_letters.kept import NOW, content, edited, letter

NAMES = Names()
ESCAPE = b"\x1b]0;title\x07"


def printed(shown: Any) -> str:
    console = Console(width=200, record=True, file=None, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(shown)
    return captured.get()


def test_a_list_says_what_died_why_and_what_can_be_done() -> None:
    page = Page([summary(letter(), NAMES), summary(letter(whole=False), NAMES)], "cursor")
    text = printed(summaries(page))
    assert "notifications.low/2/7/00000000" in text
    assert "its value was cut" in text
    assert "--after cursor" in text
    assert "no such dead letters" in printed(summaries(Page([])))


def test_a_letter_is_shown_with_what_is_replayed_and_its_history() -> None:
    died = {"at": NOW, "reason": "invalid", "error": "no", "place": "notifications.low/2/7", "replays": 0}
    sent = {"claim": "c", "at": NOW, "by": "op", "replays": 1, "place": "notifications.low/2/9"}
    kept = letter(content=content(ESCAPE), edited=edited(b"\xff\x00"), deaths=[died], sends=[sent])
    text = printed(details_of(details(kept, NAMES, NOW)))
    assert "\x1b" not in text
    for part in ("original", "/wA= (base64)", "still wrong", "died at notifications.low/2/7", "replay 1 by op"):
        assert part in text
