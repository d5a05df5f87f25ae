"""Both SDKs against a server that plays the table."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from tests.conformance.script import STEP_S, Script
from tests.conformance.sdks import Sdk, Seen, javascript, python
from tests.conformance.server import playing
from tests.conformance.stream_server import playing_streams
from tests.conformance.table import Case, cases_for, item

QUIET_S = 0.3  # in which a client that should not come back has not


Playing = Callable[[Script], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize(
    ("playing", "sdk"),
    [
        pytest.param(playing, python, id="python"),
        pytest.param(playing, javascript, id="javascript"),
        pytest.param(playing_streams, partial(javascript, transport="stream"), id="javascript without sockets"),
    ],
)
@pytest.mark.parametrize("case", cases_for("sdk"), ids=lambda case: case.name)
async def test_an_sdk_does_what_the_table_says(playing: Playing, sdk: Sdk, case: Case) -> None:
    script, seen = Script(case), Seen()
    async with playing(script) as url, sdk(url, [item(name).id for name in case.holds], seen) as application:
        script.application = application
        async with asyncio.timeout(STEP_S * len(case.connections) * 2):
            await script.played.wait()
        if script.failure is not None:
            return  # it comes out of `playing`
        await _comes_to(case, seen)
        if case.end is not None:
            await asyncio.sleep(QUIET_S)
    assert _outcome(case, seen) == _expected(case)


async def _comes_to(case: Case, seen: Seen) -> None:
    try:
        async with asyncio.timeout(STEP_S / 2):
            while _outcome(case, seen) != _expected(case):
                seen.changed.clear()
                await seen.changed.wait()
    except TimeoutError:
        pass  # the comparison at the end says what is wrong


def _expected(case: Case) -> tuple[object, ...]:
    handed_out = None if case.handed_out is None else [item(name).id for name in case.handed_out]
    return handed_out, case.unread, case.end


def _outcome(case: Case, seen: Seen) -> tuple[object, ...]:
    handed_out = None if case.handed_out is None else seen.ids
    return handed_out, None if case.unread is None else seen.unread, seen.end
