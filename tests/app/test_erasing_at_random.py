"""Whatever happens in whatever order: what was erased is nowhere, and the log, the rows and the segments hold.

RUNFOLD_ERASURES says for how many seeds (2).
"""

import gzip
import os
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app.history.verify import verify
from app.keeping.retaining import DAY_MS
from app.keeping.segments import read_segment
from domain.ports import CopyableLedger
from projections.ports import ReadModels
from tests.app.harness import RETRY, Engine, Log, ManualClock, ledger_mistakes, report, running_engine
from tests.app.test_erasing import rows_of, told
from tests.app.transfers import LEDGERS, exported, imported
from tests.app.waiting import stepped
from tests.postgres import database_url, schema_of_its_own

SEEDS = int(os.environ.get("RUNFOLD_ERASURES", "2"))
LIVES = 3
MARK = "m4rk-"
STEPS = 12
Parts = Callable[[], tuple[CopyableLedger, ReadModels]]


class Story:
    """What happens to one engine after the other on the same database. Each run holds a mark of its own."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        self.chance = chance
        self.folder = folder
        self.marks: dict[str, str] = {}
        self.ended: list[str] = []
        self.erased: set[str] = set()
        self.archived: set[str] = set()

    async def go_on(self, engine: Engine, version: str) -> None:
        """Let one more thing happen."""
        chance = self.chance
        what = chance.choice(("run", "run", "run", "erase", "erase tag", "archive"))
        left = [run for run in self.ended if run not in self.erased]
        if what == "run":
            await self._run(engine, version)
        elif what == "erase" and left:
            run = chance.choice(left)
            answer = await engine.post("/api/v1/erasures", {"runIds": [run], "withNames": True})
            assert answer["receipt"]["isComplete"] is True
            self.erased.add(run)
        elif what == "erase tag" and left:
            run = chance.choice(left)
            answer = await engine.post("/api/v1/erasures", {"tag": self.marks[run], "withNames": True})
            # What has left the database has left the index of tags.
            runs: list[str] = answer["receipt"]["runs"] if answer["receipt"] else []
            self.erased |= set(runs)
        elif what == "archive":
            await self._archive(engine)

    async def _run(self, engine: Engine, version: str) -> None:
        mark = f"{MARK}{self.chance.getrandbits(64):016x}"
        text = mark * self.chance.choice((1, 3_000))
        run = await engine.trigger(payload={"m": text}, metadata={"m": mark}, tags=[mark])
        self.marks[run] = mark
        handed = await engine.take(version)
        error = {"name": "ValueError", "message": mark}
        ends: dict[str, Any] = {"output": {"m": text}} if self.chance.random() < 0.6 else {"error": error}
        kind = "succeeded" if "output" in ends else "failed"
        done = report(
            handed, kind, at=engine.clock.wall, **ends, **({} if kind == "succeeded" else {"retryable": False})
        )
        await engine.turn(version, stepped(handed, 0, {"m": mark}), done, want=0)
        self.ended.append(run)

    async def _archive(self, engine: Engine) -> None:
        service = engine.service
        await engine.put("/api/v1/retention", {"days": 1})
        if self.chance.random() < 0.5:
            engine.clock.wall += 2 * DAY_MS
        for segment in await service.retention.archive(service.environments()[0]):
            while (history := await service.history(segment))[-1].version == 1:
                await service.loop.feed.grown(engine.head)
            self.archived |= set(history[0].event.runs)  # type: ignore[attr-defined]

    def gone(self) -> list[bytes]:
        """The marks that nothing may tell any more which the database is asked."""
        return [self.marks[run].encode() for run in self.erased | self.archived]


@contextmanager
def _on(database: str, folder: Path) -> Generator[Parts]:
    if database == "sqlite":
        yield lambda: (SqliteLedger(folder / "ledger.db"), SqliteReadModels(folder / "views.db"))
        return
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        yield lambda: (PostgresLedger(database_url(), schema), PostgresReadModels(database_url(), schema))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("where", ["sqlite", "postgres"])
async def test_what_was_erased_is_nowhere_and_everything_holds(tmp_path: Path, where: str, seed: int, log: Log) -> None:
    files, segments = tmp_path / "database", tmp_path / "segments"
    files.mkdir()
    story, clock = Story(random.Random(seed), segments), ManualClock()
    with _on(where, files) as parts:
        for _ in range(LIVES):
            async with running_engine(*parts(), clock=clock) as engine:
                engine.service.retention.folder = engine.service.erasures.segments = segments
                version = await engine.register({"id": "greet", "retry": RETRY})
                for _ in range(STEPS):
                    await story.go_on(engine, version)
                await _check(engine, story)
                ledger, read_models = engine.service.ledger, engine.service.read_models
                await engine.service.followed(engine.head, 5)
                assert (await engine.service.read(verify, ledger, read_models)).holds
    text = [file.read_bytes() for file in files.iterdir()]
    kept = [_content_of(file) for file in segments.rglob("*.gz")]

    assert story.erased, "a seed in which nothing is erased shows nothing"
    assert [run for run in story.erased if any(story.marks[run].encode() in each for each in text)] == []
    assert [run for run in story.erased if any(story.marks[run].encode() in each for each in kept)] == []
    assert all(any(story.marks[run].encode() in each for each in kept) for run in story.archived - story.erased)
    assert MARK not in str(log), "what the engine logs tells nothing of it"


def _content_of(file: Path) -> bytes:
    """A segment with its large values, also as they are without base64."""
    text = gzip.decompress(file.read_bytes())
    return text + b"".join(read_segment(file).blobs.values())


async def _check(engine: Engine, story: Story) -> None:
    export, rows = exported(engine.service.ledger), await rows_of(engine)
    held = told(engine.service.ledger)
    assert await ledger_mistakes(engine) == []
    assert [mark for mark in story.gone() if mark in held or mark.decode() in rows] == []
    with LEDGERS["sqlite-memory"](Path()) as other:
        imported(export, other)
        assert list(other.verify()) == []
