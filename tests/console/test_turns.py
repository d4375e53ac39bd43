"""What one session asks for at once holds up nobody else."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from console.turns import AT_ONCE, MOST_WAITING, TooManyAtOnce, Turns
from tests.console.conftest import Desk


def test_of_one_session_some_are_answered_at_once_and_the_others_in_turn() -> None:
    turns, running, done = Turns(), [], []

    async def ask(session: str, let_go: anyio.Event) -> None:
        async with turns.of(session):
            running.append(session)
            await let_go.wait()
            done.append(session)

    async def all_at_once() -> None:
        first, second = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE + MOST_WAITING):
                tasks.start_soon(ask, "ana", first)
            await anyio.wait_all_tasks_blocked()
            assert running == ["ana"] * AT_ONCE
            tasks.start_soon(ask, "bo", second)
            await anyio.wait_all_tasks_blocked()
            assert running[AT_ONCE:] == ["bo"], "somebody else is answered at once"
            with pytest.raises(TooManyAtOnce):
                async with turns.of("ana"):
                    pass
            first.set()
            second.set()
        assert len(done) == AT_ONCE + MOST_WAITING + 1
        async with turns.of("ana"):  # whose line is over
            pass

    anyio.run(all_at_once)
    assert not turns._lines, "of who asks for nothing, nothing is kept"


def test_a_session_that_asks_for_too_many_is_told_so_and_the_others_are_answered(desk: Desk) -> None:
    greedy, other = desk.client("engineer"), desk.client("quality")
    held = greedy.cookies["tessera_session"]

    async def take_every_place() -> contextlib.AsyncExitStack:
        places = contextlib.AsyncExitStack()
        for _ in range(AT_ONCE):
            await places.enter_async_context(desk.deployment.turns.of(held))
        desk.deployment.turns._lines[held].requests += MOST_WAITING
        return places

    places = desk.portal.call(take_every_place)
    refused = greedy.get("/tonight")
    assert refused.status_code == 429 and "too many pages at once" in refused.text
    assert other.get("/tonight").status_code == 200
    assert desk.browser().get("/sign-in").status_code == 200
    desk.deployment.turns._lines[held].requests -= MOST_WAITING
    desk.portal.call(places.aclose)
    assert greedy.get("/tonight").status_code == 200
