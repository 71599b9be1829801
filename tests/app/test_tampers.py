"""Whatever is done to the file of a ledger is found, and its place is named.

RUNFOLD_TAMPERS says how often (1,000); `make soak` does it 10,000 times.
"""

import hashlib
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Raw, json, structs

from adapters.hashes import Chain, digest_after
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import MEMORY, SqliteReadModels
from adapters.tombstones import leaf_of, receipts_in, seal_of, tombstone_of
from app.engine.feed import Feed
from app.engine.triggered import value_of
from app.history.checkpoints import make_checkpoint, misfits
from app.history.verifier import AGAIN_MS, Verifier
from app.history.verify import verify
from app.transfer import copying
from app.transfer.lines import WrongExport
from domain import events as e
from domain.errors import LedgerCorrupt
from domain.ports import POSITION_MAX, START, CopyableLedger, Head
from tests.adapters.ledgers import recorded
from tests.app.harness import Engine, Log
from tests.app.transfers import (
    BLOBS,
    LARGE,
    LEDGERS,
    WITH_VALUE,
    believed,
    erase,
    erase_run,
    exchange,
    exported,
    fill,
    imported,
)

TAMPERS = int(os.environ.get("RUNFOLD_TAMPERS", "1000"))
EVENTS = 60
TRIGGERED = e.RunTriggered("greet", "task/greet")
ALL = "select notification_id, originator_id, originator_version, topic, state, digest from events"
COLUMNS = ("notification_id", "originator_id", "originator_version", "topic", "state", "digest")


class Tampered(NamedTuple):
    """What was done, and the first position at which the log is another than it was."""

    what: str
    position: int


Rows = list[tuple[Any, ...]]
Tamper = Callable[[random.Random, Rows, Rows], tuple[Rows, Tampered]]


def flip(chance: random.Random, rows: Rows, _: Rows) -> tuple[Rows, Tampered]:
    """One bit of one value, as a disk or a hand would."""
    at, column = chance.randrange(EVENTS), chance.randrange(1, len(COLUMNS))
    row = list(rows[at])
    if isinstance(row[column], int):
        row[column] ^= 1 << chance.randrange(2, 16)  # no version that the run has
    else:
        is_text = isinstance(row[column], str)
        content = bytearray(row[column].encode() if is_text else row[column])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        row[column] = bytes(content)
    return [*rows[:at], tuple(row), *rows[at + 1 :]], Tampered(f"flip {COLUMNS[column]}", at + 1)


def delete(chance: random.Random, rows: Rows, _: Rows) -> tuple[Rows, Tampered]:
    """Some events in a row, with or without closing the gap."""
    at, size = chance.randrange(EVENTS - 1), chance.randint(1, 5)
    rest = rows[at + size :]
    if chance.random() < 0.5:
        rest = [(number, *row[1:]) for number, row in enumerate(rest, at + 1)]
    return rows[:at] + rest, Tampered(f"delete {size}", at + 1)


def swap(chance: random.Random, rows: Rows, _: Rows) -> tuple[Rows, Tampered]:
    """Two events change places."""
    first, second = sorted(chance.sample(range(EVENTS), 2))
    changed = list(rows)
    changed[first], changed[second] = (rows[first][0], *rows[second][1:]), (rows[second][0], *rows[first][1:])
    return changed, Tampered("swap", first + 1)


def insert(chance: random.Random, rows: Rows, _: Rows) -> tuple[Rows, Tampered]:
    """An event that was never appended, in the middle or at the end."""
    at = chance.randint(0, EVENTS)
    new = (at + 1, f"run_forged{at}", 1, "RunCanceled", rows[0][4], chance.randbytes(32))
    return [*rows[:at], new, *((row[0] + 1, *row[1:]) for row in rows[at:])], Tampered("insert", at + 1)


def truncate(chance: random.Random, rows: Rows, _: Rows) -> tuple[Rows, Tampered]:
    """The tail is gone, as with a backup that was put back."""
    at = chance.randrange(EVENTS)
    return rows[:at], Tampered("truncate", at + 1)


def splice(chance: random.Random, rows: Rows, other: Rows) -> tuple[Rows, Tampered]:
    """Some events of another ledger, each with the hash that it has there, or the whole rest of it."""
    at = chance.randrange(1, EVENTS)
    end = EVENTS if chance.random() < 0.3 else min(EVENTS, at + chance.randint(1, 10))
    return rows[:at] + other[at:end] + rows[end:], Tampered("splice", at + 1)


TAMPERERS: tuple[Tamper, ...] = (flip, delete, swap, insert, truncate, splice)


def _ledger(path: Path, name: str) -> Head:
    with closing(SqliteLedger(path)) as ledger:
        head = START
        for number in range(EVENTS // 3):
            # Ids that no flip of one bit makes each other's.
            run, at = f"run_{name}{number:03}{number:03}", head.position
            life = (structs.replace(TRIGGERED, tags=(name,)), e.RunDelayed(until=5), e.RunCanceled())
            batch = [recorded(at + place, run, place, event) for place, event in enumerate(life, 1)]
            head = ledger.append(batch, {}, after=head)
    return head


def _rows(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"{ALL} order by notification_id").fetchall()


def _write(path: Path, rows: Rows) -> None:
    """Texts are written as they are, also those that are no UTF-8 any more."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("pragma synchronous = off")
        database.execute("delete from events")
        for row in rows:
            values = list(row)
            places = [
                "cast(? as text)" if name in {"originator_id", "topic"} and isinstance(value, bytes) else "?"
                for name, value in zip(COLUMNS, values, strict=True)
            ]
            database.execute(f"insert into events ({', '.join(COLUMNS)}) values ({', '.join(places)})", values)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Head, Rows, Rows]:
    folder = tmp_path_factory.mktemp("ledgers")
    head = _ledger(folder / "ledger.db", "a")
    _ledger(folder / "other.db", "b")
    return folder / "ledger.db", head, _rows(folder / "ledger.db"), _rows(folder / "other.db")


def _assert_verified_alike(path: Path, chance: random.Random) -> None:
    """The whole check, and one in parts, say of a file what the check says that looks at it event by event."""
    with closing(SqliteLedger(path, writes=False)) as ledger:
        expected = list(Chain(receipts_in(ledger)).check(ledger.sealed_after(0, limit=2 * EVENTS)))
        cuts = sorted(chance.sample(range(1, EVENTS), 5))
        in_parts = [list(ledger.verify(*part)) for part in pairwise((0, *cuts, POSITION_MAX))]

        assert list(ledger.verify()) == expected
        assert list(chain.from_iterable(in_parts)) == expected


async def _fault(engine: Engine, path: Path, known: Head) -> str | None:
    """What the verifier of an engine says that has committed so much."""
    with closing(SqliteLedger(path, writes=False)) as ledger:
        verifier = Verifier(engine.service, ledger, Feed(known))
        assert await verifier.step(known.position)
        return verifier.fault


@pytest.mark.parametrize("tamper", TAMPERERS, ids=lambda each: str(each.__name__))
async def test_every_tamper_is_found_with_its_position(
    engine: Engine, originals: tuple[Path, Head, Rows, Rows], tamper: Tamper, tmp_path: Path, log: Log
) -> None:
    original, head, rows, other = originals
    path = tmp_path / "ledger.db"
    shutil.copy(original, path)
    assert await _fault(engine, path, head) is None

    for seed in range(-(-TAMPERS // len(TAMPERERS))):
        changed, tampered = tamper(random.Random(seed), rows, other)
        assert changed != rows
        _write(path, changed)

        found = await _fault(engine, path, head)

        _assert_verified_alike(path, random.Random(seed))
        assert found is not None, (seed, tampered)
        assert int(re.findall(r"Events? (\d+)", found)[0]) == tampered.position, (seed, tampered, found)
    log.clear()  # where the engine says what is expected here


async def test_what_stands_where_something_was_erased_is_held_to_its_receipt(
    engine: Engine, originals: tuple[Path, Head, Rows, Rows], tmp_path: Path, log: Log
) -> None:
    path = tmp_path / "ledger.db"
    shutil.copy(originals[0], path)
    with closing(SqliteLedger(path)) as ledger:
        head = erase_run(ledger, "run_a004004")
    erased = _rows(path)
    assert await _fault(engine, path, head) is None
    at = next(place for place, row in enumerate(erased) if row[1] == "run_a004004")

    for seed in range(TAMPERS // 4):
        chance = random.Random(seed)
        tombstone, other = chance.choice([(at, at - 1), (at, at + 4)])
        row, state = list(erased[tombstone]), bytearray(erased[tombstone][4])
        match chance.randrange(4):
            case 0:  # a bit of what is left
                state[chance.randrange(len(state))] ^= 1 << chance.randrange(8)
                row[4], place = bytes(state), tombstone
            case 1:  # what was never erased, in the same way
                stranger = erased[other]
                claimed = tombstone_of(stranger[:5], "erasure_1", with_names=True) or b'{"erased":{"receipt":"x"}}'
                row, place = [*stranger[:4], claimed, stranger[5]], other
            case 2:  # a receipt that there is none of
                row[4], place = bytes(state).replace(b"erasure_1", b"erasure_2"), tombstone
            case _:  # the event before it, with hashes that fit: what was erased must not cut the log in two
                row, place = list(erased[tombstone - 1]), tombstone - 1
                row[4] = row[4].replace(b"key:1", b"key:2", 1)
                row[5] = digest_after(erased[place - 1][5], (row[0], row[1], row[2], row[3], row[4]))
        _write(path, [*erased[:place], tuple(row), *erased[place + 1 :]])

        _assert_verified_alike(path, chance)
        found = await _fault(engine, path, head)

        assert found is not None, seed
        assert int(re.findall(r"Events? (\d+)", found)[0]) in {place + 1, place + 2}, (seed, found)
    _write(path, erased[: head.position - 1])
    assert await _fault(engine, path, Head(head.position - 1, erased[-2][5])) is not None, "the receipt was cut off"
    log.clear()


def test_no_byte_of_what_stands_where_something_was_erased_can_be_any_other(
    originals: tuple[Path, Head, Rows, Rows], tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    shutil.copy(originals[0], path)
    with closing(SqliteLedger(path)) as ledger:
        erase_run(ledger, "run_a004004")
    erased = _rows(path)
    at = next(place for place, row in enumerate(erased) if row[1] == "run_a004004")
    state = erased[at][4]

    for place in range(len(state)):
        # No text has this byte: what reads texts chokes on it.
        changed = (*erased[at][:4], state[:place] + b"\xff" + state[place + 1 :], erased[at][5])
        _write(path, [*erased[:at], changed, *erased[at + 1 :]])

        with closing(SqliteLedger(path, writes=False)) as ledger:
            assert list(ledger.verify()) == [f"Event {at + 1} is not as it was appended: its hash is wrong."]


LIFE = (
    structs.replace(TRIGGERED, payload=Raw(b'{"who":"Ada"}'), tags=("vip",)),
    e.RunDelayed(until=5),
    e.RunCanceled("Ada asked for it"),
)


@pytest.fixture(params=["sqlite-file", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[CopyableLedger]:
    with LEDGERS[request.param](tmp_path) as ledger:
        fill(ledger, [recorded(number, "run_1", number, event) for number, event in enumerate(LIFE, 1)], {})
        yield ledger


def _forge(ledger: CopyableLedger, at: int, data: dict[str, Any], receipt: e.ErasureRecorded, left: e.RunEvent) -> None:
    """Put these data in the place of an event as if it were erased, and append a receipt with a seal that fits."""
    head, (row,) = ledger.head(), ledger.sealed_at([at])
    before = ledger.digest_at(at - 1)
    assert before is not None
    mark = {"receipt": "erasure_1", "leaf": leaf_of(row[:5]).hex()}
    state = json.encode({"erased": mark, **json.decode(row.state), "data": data})
    sealed = structs.replace(receipt, seals={at: seal_of(before, row.digest, (*row[:4], state))})
    batch = [
        recorded(head.position + 1, "run_1", 4, left),
        structs.replace(recorded(head.position + 2, "erasure_1", 1, TRIGGERED), event=sealed),
    ]
    ledger.append(batch, {}, after=head)
    ledger.erase({at: state}, [])


RECEIPT, ERASED = e.ErasureRecorded(("run_1",), {}, with_names=True), e.RunErased("erasure_1", with_names=True)
EMPTY = {"task": "greet", "queue": "task/greet"}
FORGERIES: dict[str, tuple[int, dict[str, Any], e.ErasureRecorded, e.RunEvent]] = {
    "with a value": (1, EMPTY | {"payload": {"who": "Bob"}}, RECEIPT, ERASED),
    "with a name": (1, EMPTY | {"tags": ["other"]}, RECEIPT, ERASED),
    "of what has no values": (2, {"until": 9}, RECEIPT, ERASED),
    "of another run": (3, {}, e.ErasureRecorded(("run_2",), {}, with_names=True), ERASED),
    "of which the run says nothing": (3, {}, RECEIPT, e.TagsAdded(("a",))),
    "of which the run says something else": (3, {}, RECEIPT, e.RunErased("erasure_2", with_names=True)),
    "that is no event": (3, {"reason": 5}, RECEIPT, ERASED),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_a_receipt_that_was_forged_allows_nothing_but_what_an_erasure_leaves(
    engine: Engine,
    ledger: CopyableLedger,
    forgery: tuple[int, dict[str, Any], e.ErasureRecorded, e.RunEvent],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: Log,
) -> None:
    _forge(ledger, *forgery)
    said = f"Event {forgery[0]} is not as it was appended: its hash is wrong."
    verifier = Verifier(engine.service, ledger, Feed(ledger.head()))

    assert list(ledger.verify()) == [said]
    assert await verifier.step(ledger.head().position)
    assert verifier.fault == said
    monkeypatch.setattr(copying, "digest_behind", believed)
    with LEDGERS["sqlite-file"](tmp_path) as other, pytest.raises((WrongExport, LedgerCorrupt), match=r"[Ee]vent"):
        imported(exported(ledger), other)
    log.clear()


@pytest.mark.parametrize("with_names", [False, True])
def test_what_an_erasure_leaves_is_allowed(ledger: CopyableLedger, tmp_path: Path, *, with_names: bool) -> None:
    names = {} if with_names else {"tags": ["vip"]}
    receipt = structs.replace(RECEIPT, with_names=with_names)
    _forge(ledger, 1, EMPTY | names, receipt, e.RunErased("erasure_1", with_names=with_names))

    assert list(ledger.verify()) == []
    with LEDGERS["sqlite-file"](tmp_path) as other:
        imported(exported(ledger), other)
        assert list(other.verify()) == []


HANDED = (TRIGGERED, e.RunDequeued(2, "worker_1", "v1"), e.AttemptStarted(1, 2, "worker_1", "v1"))
OUT_OF_LINE: dict[str, tuple[e.RunEvent, ...]] = {
    "under a token that nobody has": (e.AttemptSucceeded(7, 424_242),),
    "of another attempt": (e.AttemptSucceeded(2, 2),),
    "of an attempt that was closed": (e.AttemptFailed(1, 2, e.RunError("boom")), e.AttemptSucceeded(1, 2)),
    "after the end": (e.AttemptSucceeded(1, 2), e.AttemptStarted(2, 9, "worker_x", "v1")),
}


@pytest.mark.parametrize("reports", OUT_OF_LINE.values(), ids=OUT_OF_LINE)
@pytest.mark.parametrize("backend", ["sqlite-file", "postgres"])
async def test_what_no_attempt_can_have_reported_is_found_where_hashes_fit(
    engine: Engine, tmp_path: Path, backend: str, reports: tuple[e.RunEvent, ...], log: Log
) -> None:
    records = [recorded(number, "run_1", number, event) for number, event in enumerate((*HANDED, *reports), 1)]
    with LEDGERS[backend](tmp_path) as ledger:
        head = fill(ledger, records, {})
        verifier = Verifier(engine.service, ledger, Feed(head))
        await verifier.step(head.position)

        assert list(ledger.verify()) == []
        for fault in (verifier.fault, *_verified(ledger)):
            assert fault is not None
            assert fault.startswith(f"Event {head.position} of run_1: ")
    log.clear()


@pytest.mark.parametrize("backend", ["sqlite-file", "postgres"])
async def test_a_clock_that_went_back_is_found_where_hashes_fit(
    engine: Engine, tmp_path: Path, backend: str, log: Log
) -> None:
    records = [recorded(number, "run_1", number, event) for number, event in enumerate(LIFE, 1)]
    records[1] = structs.replace(records[1], recorded_at=999)
    with LEDGERS[backend](tmp_path) as ledger:
        verifier = Verifier(engine.service, ledger, Feed(fill(ledger, records, {})))
        await verifier.step(len(records))

        assert [verifier.fault, *_verified(ledger), *ledger.verify(1, 2)] == [
            "Event 2 was recorded before the event in front of it."
        ] * 3
    log.clear()


def _verified(ledger: CopyableLedger) -> list[str]:
    """What `runfold ledger verify` says of a ledger that no read models have followed yet."""
    with closing(SqliteReadModels(MEMORY, name="nothing")) as read_models:
        report = verify(ledger, read_models)
    assert not report.holds
    return list(report.ledger_faults)


WITH_VALUES = [
    recorded(1, "run_2", 1, WITH_VALUE),
    recorded(2, "run_2", 2, e.RunCanceled()),
    structs.replace(
        recorded(3, "packet_1", 1, TRIGGERED),
        event=e.PacketStored(
            e.BlobRef("packet_1/payload", hashlib.sha256(LARGE).hexdigest(), len(LARGE)), "text/plain"
        ),
    ),
]
KEY, PACKET = "run_2/payload", "packet_1/payload"
GONE = "Event 1 of run_2: the value run_2/payload is no longer there."
ANOTHER = "Event 1 of run_2: the value run_2/payload is not the one that was stored."


def _erase_with_value(ledger: CopyableLedger) -> None:
    erase_run(ledger, "run_2")
    erase(ledger, KEY)


LOSSES: dict[str, tuple[Callable[[CopyableLedger], object], list[str]]] = {
    "nothing": (lambda _ledger: None, []),
    "deleted": (lambda ledger: erase(ledger, KEY), [GONE]),
    "changed": (lambda ledger: exchange(ledger, KEY, LARGE[:-1] + b"!"), [ANOTHER]),
    "cut off": (lambda ledger: exchange(ledger, KEY, b""), [ANOTHER]),
    "erased": (_erase_with_value, []),
    "an upload changed": (
        lambda ledger: exchange(ledger, PACKET, b"other"),
        ["Event 3 of packet_1: the value packet_1/payload is not the one that was stored."],
    ),
    "an upload that was erased": (lambda ledger: erase(ledger, PACKET), []),
}


@pytest.mark.parametrize(("lose", "said"), LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("backend", ["sqlite-file", "postgres"])
async def test_a_large_value_is_held_to_what_its_event_says_of_it(
    engine: Engine,
    tmp_path: Path,
    backend: str,
    lose: Callable[[CopyableLedger], object],
    said: list[str],
    log: Log,
) -> None:
    with LEDGERS[backend](tmp_path) as ledger:
        fill(ledger, WITH_VALUES, {**BLOBS, PACKET: LARGE})
        lose(ledger)
        verifier = Verifier(engine.service, ledger, Feed(ledger.head()))
        faults: list[str | None] = []
        for _ in range(2):
            await verifier.step(ledger.head().position)
            faults.append(verifier.fault)
            engine.clock.mono += AGAIN_MS

        assert faults == [None, said[0] if said else None]
        with closing(SqliteReadModels(MEMORY, name="nothing")) as read_models:
            assert list(verify(ledger, read_models).ledger_faults) == said
    log.clear()


def test_a_value_is_bytes_whatever_stands_in_the_file(tmp_path: Path) -> None:
    with LEDGERS["sqlite-file"](tmp_path) as ledger:
        fill(ledger, WITH_VALUES, {**BLOBS, PACKET: LARGE})
        exchange(ledger, KEY, "a text")

        assert _verified(ledger) == [ANOTHER]
        with pytest.raises(LedgerCorrupt, match="is not the one that was stored"):
            value_of(ledger, Raw(), WITH_VALUE.payload_blob)


def test_a_log_is_held_to_the_leaves_that_were_signed_also_where_its_last_hash_is_right(tmp_path: Path) -> None:
    """As behind an event that is said to be erased: its hash cannot be computed, and is whatever is stored."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with LEDGERS["sqlite-file"](tmp_path) as ledger:
        fill(ledger, [recorded(number, "run_1", number, event) for number, event in enumerate(LIFE, 1)], {})
        checkpoint = make_checkpoint(ledger, key, 1, lambda _: None)
        (row,) = ledger.sealed_at([2])
        ledger.erase({2: row.state.replace(b"5", b"6")}, [])

        assert checkpoint.checkpoint.digest == ledger.head().digest.hex()
        assert list(misfits(ledger, checkpoint)) == ["Events 1 to 3 are not those that were signed."]
