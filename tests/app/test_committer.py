"""The thread in which an engine calls its ledger."""

import asyncio
import threading
from collections.abc import Generator

import pytest

from app.engine.committer import Committer


@pytest.fixture
def committer() -> Generator[Committer]:
    made = Committer()
    yield made
    made.shutdown()


async def test_things_are_done_one_after_the_other_in_one_other_thread(committer: Committer) -> None:
    done: list[tuple[int, int]] = []

    def note(number: int, *, more: int = 0) -> int:
        done.append((threading.get_ident(), number))
        return number + more

    answers = await asyncio.gather(*(committer.do(note, number, more=1) for number in range(20)))

    threads, numbers = zip(*done, strict=True)
    assert answers == [*range(1, 21)]
    assert numbers == tuple(range(20))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_whoever_asked_gets_the_error(committer: Committer) -> None:
    with pytest.raises(ZeroDivisionError):
        await committer.do(lambda: 1 // 0)

    assert await committer.do(lambda: "it goes on") == "it goes on"


async def test_what_nobody_awaits_any_more_is_done_all_the_same(committer: Committer) -> None:
    done: list[str] = []
    may_go_on = threading.Event()
    committer.do(may_go_on.wait).cancel()
    committer.do(done.append, "after it").cancel()
    failing = committer.do(lambda: 1 // 0)
    failing.cancel()
    may_go_on.set()

    await committer.do(int)
    assert done == ["after it"]
    assert failing.cancelled()


async def test_the_end_waits_for_what_was_asked_for() -> None:
    before = threading.enumerate()
    committer, done = Committer(), list[int]()
    for number in range(100):
        committer.do(done.append, number)
    committer.shutdown()

    assert done == [*range(100)]
    assert threading.enumerate() == before


def test_one_that_is_asked_for_nothing_has_no_thread() -> None:
    before = threading.enumerate()
    committer = Committer()

    assert threading.enumerate() == before
    committer.shutdown()
