"""The ledger is verified while the engine runs: how far, and what is said when somebody changed it."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.hashes import digest_after
from adapters.sqlite.ledger import SqliteLedger
from app.history import verifier as verifying
from tests.app.harness import START, Engine, Log, running_engine, until

VERIFIED = "/api/v1/ledger/verified"
DAY_MS = verifying.AGAIN_MS
Tamper = Callable[[sqlite3.Connection], object]


async def _looks(engine: Engine, size: int = 7) -> None:
    """Let the verifier look at all that it would look at now."""
    for _ in range(1_000):
        if not await engine.service.verifier.step(size):
            return
    raise AssertionError("the verifier does not come to an end")


async def _work(engine: Engine) -> None:
    version = await engine.register()
    for _ in range(5):
        await engine.trigger()
        await engine.perform(version)


async def test_it_comes_to_the_head_in_slices_and_follows_it(engine: Engine) -> None:
    await _work(engine)
    before = await engine.get(VERIFIED)
    del before["readModels"]

    await engine.service.verifier.step(7)
    some = await engine.get(VERIFIED)
    await _looks(engine)
    all_of_it = await engine.get(VERIFIED)
    run = await engine.trigger()
    await engine.post(f"/api/v2/runs/{run}/cancel")
    await _looks(engine)
    more = await engine.get(VERIFIED)

    nothing = {"at": None, "eventsPerSecond": 0, "again": {"position": 0, "rounds": 0}, "fault": None}
    assert before == {"head": all_of_it["head"], "position": 0} | nothing
    assert (some["position"], some["at"]) == (7, START)
    assert all_of_it["position"] == all_of_it["head"]
    assert more["position"] == more["head"] == engine.head
    assert "verified" not in await engine.get("/readyz"), "it does not run by itself here"


async def test_everything_is_looked_at_again_a_day_later(engine: Engine) -> None:
    await _work(engine)
    await _looks(engine)

    engine.clock.mono += DAY_MS
    await engine.service.verifier.step(7)
    begun = (await engine.get(VERIFIED))["again"]
    await _looks(engine)
    ended = (await engine.get(VERIFIED))["again"]

    assert begun == {"position": 7, "rounds": 0}
    assert ended == {"position": engine.head, "rounds": 1}


async def test_it_runs_beside_the_engine_and_says_so(engine: Engine) -> None:
    await _work(engine)

    engine.service.verify(1_000_000)
    await engine.trigger()
    await until(lambda: engine.service.verifier.proved.position == engine.head)

    ready = await engine.get("/readyz")
    assert ready["verified"]["position"] == ready["head"]
    assert ready["verified"]["eventsPerSecond"] == 1_000_000
    metrics = (await engine.client.get("/metrics")).text
    assert f"runfold_verified_position {engine.head}.0\n" in metrics
    assert "runfold_ledger_damaged 0.0\n" in metrics


@pytest.fixture
async def on_file(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine whose ledger is a file that others can write to."""
    async with running_engine(SqliteLedger(tmp_path / "ledger.db")) as engine:
        await _work(engine)
        assert await engine.service.follower.reached(engine.head, 5)
        yield engine


def _change(tmp_path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        for each in statements:
            database.execute(each)


def _rewrite(database: sqlite3.Connection, position: int) -> None:
    """Change an event, and make all hashes from there on anew."""
    database.execute("update events set state = state || ' ' where notification_id = ?", (position,))
    rows: list[Any] = database.execute(
        "select notification_id, originator_id, originator_version, topic, state, digest from events"
        " order by notification_id"
    ).fetchall()
    digest = bytes(32)
    for at, stream, version, topic, state, _ in rows:
        raw = state if isinstance(state, bytes) else state.encode()
        digest = digest_after(digest, (at, stream, version, topic, raw))
        database.execute("update events set state = ?, digest = ? where notification_id = ?", (raw, digest, at))


@pytest.mark.parametrize("is_known", [False, True], ids=["before it was looked at", "afterwards"])
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update events set state = state || ' ' where notification_id = 6", "Event 6 is not as"),
        ("update events set topic = 'RunCanceled' where notification_id = 9", "Event 9 is not as it was appended"),
        ("update events set digest = zeroblob(32) where notification_id = 11", "Event 11 is not as it was appended"),
        ("delete from events where notification_id in (8, 9)", "Events 8 to 9 are missing."),
        ("delete from events where notification_id > 20", "Event 21 is missing."),
    ],
)
async def test_a_damage_is_named_with_its_position_and_turns_the_node_red(
    on_file: Engine, tmp_path: Path, log: Log, statement: str, said: str, *, is_known: bool
) -> None:
    if is_known:
        await _looks(on_file)
        on_file.clock.mono += DAY_MS
    _change(tmp_path, statement)

    await _looks(on_file)
    ready = await on_file.client.get("/readyz")
    told = await on_file.get(VERIFIED)
    metrics = (await on_file.client.get("/metrics")).text

    assert ready.status_code == 503
    assert f"The ledger is damaged: {said}" in ready.json()["error"]
    assert said in told["fault"]
    assert "runfold_ledger_damaged 1.0\n" in metrics
    assert [said in str(each["fault"]) for each in log if each["log_level"] == "error"] == [True]


async def test_a_log_that_was_written_anew_with_hashes_that_fit_is_found_on_the_next_look(
    on_file: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.hashes.MARK", 10)
    monkeypatch.setattr(verifying, "MARK", 10)
    await _looks(on_file)
    on_file.clock.mono += DAY_MS
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        _rewrite(database, 14)
    assert list(on_file.service.ledger.verify()) == [], "by itself the log is in order"

    await _looks(on_file)

    assert on_file.service.verifier.fault == "Events 11 to 20 are not those that were there before."
