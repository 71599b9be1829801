"""What every ledger promises (domain/ports.py); a backend may skip nothing of it."""

import threading
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from msgspec import Raw

from domain import events as e
from domain.errors import Deposed
from domain.events import NOTHING
from domain.ports import START, CopyableLedger, Head, Ledger
from tests.adapters.ledgers import LEDGERS, Opener, positions, recorded, triggered


@pytest.fixture(params=LEDGERS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Opener]:
    with LEDGERS[request.param](tmp_path) as opener:
        yield opener


@pytest.fixture
def ledger(opener: Opener) -> Ledger:
    return opener()


def test_an_empty_ledger_has_nothing_in_it(ledger: Ledger) -> None:
    assert ledger.head() == START
    assert ledger.read_after(0, limit=10) == []
    assert ledger.read_streams(["run_1"]) == {}
    assert ledger.digest_at(0) == START.digest
    assert ledger.digest_at(1) is None
    assert ledger.blob("run_1/payload") is None


def test_what_was_appended_is_read_back_as_it_was(ledger: Ledger) -> None:
    event = e.RunTriggered("greet", "task/greet", payload=Raw(b'{"name": "Ada"}'), tags=("a", "b"), priority=3)
    batch = [recorded(1, "run_1", 1, event), recorded(2, "run_1", 2, e.RunDelayed(until=5_000))]

    head = ledger.append(batch, {}, after=START)

    assert ledger.head() == head
    assert ledger.read_after(0, limit=10) == batch
    assert ledger.read_streams(["run_1", "run_2"]) == {"run_1": batch}
    assert ledger.read_beginnings(["run_1", "run_2"]) == {"run_1": batch[0]}
    assert ledger.read_endings(["run_1", "run_2"]) == {"run_1": batch[1]}


def test_a_history_ends_at_the_position_named(ledger: Ledger) -> None:
    first = [recorded(1, "run_1", 1, e.RunTriggered("greet", "task/greet")), *triggered(Head(1, b""), "run_2")]
    batch = [*first, recorded(3, "run_1", 2, e.RunCanceled())]

    ledger.append(batch, {}, after=START)

    assert ledger.read_streams(["run_1", "run_2"], upto=1) == {"run_1": batch[:1]}
    assert ledger.read_streams(["run_1", "run_2"], upto=2) == {"run_1": batch[:1], "run_2": [batch[1]]}
    assert ledger.read_streams(["run_1"], upto=3) == {"run_1": [batch[0], batch[2]]}
    assert ledger.read_streams(["run_1"], upto=0) == {}


def test_all_aggregates_of_a_kind_are_found_and_no_others(ledger: Ledger) -> None:
    batch = triggered(START, "env_1", "env_2", "environment_1", "run_1", "env")

    ledger.append(batch, {}, after=START)

    assert ledger.read_kind("env") == {"env_1": [batch[0]], "env_2": [batch[1]]}
    assert ledger.read_kind("batch") == {}
    assert ledger.streams_of("env") == ["env_1", "env_2"]
    assert ledger.streams_of("batch") == []


def test_an_absent_payload_is_not_the_payload_null(ledger: Ledger) -> None:
    nothing = recorded(1, "run_1", 1, e.RunTriggered("greet", "task/greet"))
    null = recorded(2, "run_2", 1, e.RunTriggered("greet", "task/greet", payload=Raw(b"null")))

    ledger.append([nothing, null], {}, after=START)

    first, second = (each.event for each in ledger.read_after(0, limit=10))
    assert isinstance(first, e.RunTriggered)
    assert isinstance(second, e.RunTriggered)
    assert first.payload is NOTHING
    assert second.payload == Raw(b"null")


def test_what_no_id_can_be_is_not_there(ledger: Ledger) -> None:
    """Whoever asks for a run may name it as they like; PostgreSQL's texts hold no NUL."""
    ledger.append(triggered(START, "run_1"), {"run_1/payload": b"x"}, after=START)

    assert ledger.read_streams(["run_2\0", "\0"]) == {}
    assert ledger.read_beginnings(["run_2\0", "\0"]) == {}
    assert ledger.read_endings(["run_2\0", "\0"]) == {}
    assert list(ledger.read_streams(["run_2\0", "run_1"])) == ["run_1"]
    assert ledger.blob("run_2\0/payload") is None


def test_a_page_ends_at_its_limit_and_at_the_position_named(ledger: Ledger) -> None:
    ledger.append(triggered(START, *(f"run_{number}" for number in range(10))), {}, after=START)

    assert positions(ledger.read_after(3, limit=4)) == [4, 5, 6, 7]
    assert positions(ledger.read_after(3, limit=4, upto=5)) == [4, 5]
    assert positions(ledger.read_after(8, limit=100)) == [9, 10]
    assert positions(ledger.read_after(10, limit=100)) == []


def test_histories_are_read_from_one_name_to_another(ledger: Ledger) -> None:
    runs = [f"run_{number}" for number in range(6)]
    head = ledger.append(triggered(START, *reversed(runs)), {}, after=START)
    ledger.append([recorded(head.position + 1, "run_3", 2, e.RunCanceled())], {}, after=head)
    copyable = cast("CopyableLedger", ledger)

    assert copyable.read_between("", None, upto=7) == ledger.read_streams(runs)
    assert list(copyable.read_between("", "run_2", upto=7)) == ["run_0", "run_1"]
    assert list(copyable.read_between("run_2", "run_4", upto=7)) == ["run_2", "run_3"]
    assert positions(copyable.read_between("run_3", None, upto=7)["run_3"]) == [3, 7]
    assert positions(copyable.read_between("run_3", None, upto=6)["run_3"]) == [3]
    assert copyable.read_between("run_6", None, upto=7) == copyable.read_between("run_1", "run_1", upto=7) == {}


def test_the_digest_seals_the_whole_log(ledger: Ledger) -> None:
    first = ledger.append(triggered(START, "run_1"), {}, after=START)
    second = ledger.append(triggered(first, "run_2", "run_3"), {}, after=first)

    assert len({START.digest, first.digest, second.digest}) == 3
    assert [ledger.digest_at(position) for position in (1, 3, 4)] == [first.digest, second.digest, None]
    assert list(ledger.verify()) == []


def test_the_slower_of_two_writers_is_deposed(opener: Opener) -> None:
    slow, fast = opener(), opener()
    head = fast.append(triggered(START, "run_1"), {}, after=START)

    with pytest.raises(Deposed):
        slow.append(triggered(START, "run_2"), {}, after=START)

    assert slow.head() == head


def test_a_batch_behind_another_hash_is_refused(ledger: Ledger) -> None:
    head = ledger.append(triggered(START, "run_1"), {}, after=START)

    with pytest.raises(Deposed):
        ledger.append(triggered(head, "run_2"), {}, after=Head(head.position, bytes(32)))

    assert ledger.head() == head


def test_a_writer_whose_tail_was_lost_is_refused_and_overwrites_nothing(ledger: Ledger) -> None:
    """A restored backup has no event where the writer means to go on."""
    head = ledger.append(triggered(START, "run_1"), {}, after=START)
    lost = Head(head.position + 5, b"\1" * 32)

    with pytest.raises(Deposed):
        ledger.append(triggered(lost, "run_2"), {}, after=lost)

    assert positions(ledger.read_after(0, limit=100)) == [1]


def test_a_batch_lands_whole_or_not_at_all(ledger: Ledger) -> None:
    head = ledger.append(triggered(START, "run_1"), {}, after=START)
    # The last event of the batch claims a version that run_1 has already.
    batch = triggered(head, "run_2", "run_3", "run_1")

    with pytest.raises(Deposed):
        ledger.append(batch, {"run_2/payload": b"x"}, after=head)

    assert ledger.head() == head
    assert ledger.blob("run_2/payload") is None
    assert list(ledger.read_streams(["run_2", "run_3"])) == []


def test_large_values_land_with_their_batch(ledger: Ledger) -> None:
    value = bytes(range(256)) * 1_000

    ledger.append(triggered(START, "run_1"), {"run_1/payload": value}, after=START)

    assert ledger.blob("run_1/payload") == value


def test_a_ledger_opened_again_goes_on_where_it_was(opener: Opener) -> None:
    head = opener().append(triggered(START, "run_1"), {}, after=START)

    again = opener()

    assert again.head() == head
    assert again.append(triggered(head, "run_2"), {}, after=head).position == 2


def test_two_writers_that_contend_leave_one_dense_log(opener: Opener) -> None:
    """Each appends behind the head that it sees; whoever is second looks again."""
    landed: list[str] = []

    def write(name: str) -> None:
        mine = opener()
        for number in range(20):
            while True:
                head = mine.head()
                try:
                    mine.append(triggered(head, f"run_{name}_{number}"), {}, after=head)
                except Deposed:
                    continue
                landed.append(f"run_{name}_{number}")
                break

    ledger = opener()
    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    history = ledger.read_after(0, limit=1_000)
    assert positions(history) == list(range(1, 41))
    assert [each.stream for each in history] == sorted(landed, key=[each.stream for each in history].index)
    assert list(ledger.verify()) == []


def test_readers_that_follow_while_others_write_miss_nothing(opener: Opener) -> None:
    batches, size = 60, 7
    seen: list[list[int]] = [[], []]

    def follow(mine: list[int]) -> None:
        reader = opener()
        while len(mine) < batches * size:
            mine += positions(reader.read_after(mine[-1] if mine else 0, limit=13))

    ledger = opener()
    readers = [threading.Thread(target=follow, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()
    head = START
    for batch in range(batches):
        head = ledger.append(triggered(head, *(f"run_{batch}_{each}" for each in range(size))), {}, after=head)
    for reader in readers:
        reader.join()

    assert seen == [list(range(1, batches * size + 1))] * 2


def test_readers_that_follow_two_contending_writers_miss_nothing(opener: Opener) -> None:
    """Positions that become visible in another order than their own are skipped by whoever reads on from the last."""
    batches, size = 25, 5
    seen: list[list[int]] = [[], []]

    def write(name: str) -> None:
        mine = opener()
        left = batches
        while left:
            head = mine.head()
            try:
                mine.append(triggered(head, *(f"run_{name}_{left}_{each}" for each in range(size))), {}, after=head)
            except Deposed:
                continue
            left -= 1

    def follow(mine: list[int]) -> None:
        reader = opener()
        while len(mine) < 2 * batches * size:
            mine += positions(reader.read_after(mine[-1] if mine else 0, limit=7))

    threads = [threading.Thread(target=follow, args=(mine,)) for mine in seen]
    threads += [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [list(range(1, 2 * batches * size + 1))] * 2
