"""Which runs went on at a position: every backend finds the same ones as whoever looks at all runs."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import events as e
from domain.events import Recorded, RunEvent
from projections import lasting
from projections.ports import ReadModels
from tests.adapters.read_models import EMPTY, apply
from tests.projections.model import naively

TRIGGERED = e.RunTriggered("greet", "task/greet")
MIN = 4


def histories(chance: random.Random, length: int) -> list[Recorded]:
    """Runs that begin, are given tags, end, and are archived some time after that, in any order."""
    records: list[Recorded] = []
    versions: dict[str, int] = {}
    going_on: list[str] = []
    over: list[str] = []
    for position in range(1, length + 1):
        kind = chance.random()
        event: RunEvent = TRIGGERED
        if kind < 0.4 or not versions:
            run = f"run_{len(versions):04}"
            going_on.append(run)
        elif kind < 0.8 and going_on:
            run, event = going_on.pop(chance.randrange(len(going_on))), e.RunCanceled()
            over.append(run)
        elif kind < 0.85 and over:
            run, event = over.pop(chance.randrange(len(over))), e.RunArchived("erasure_1", "erasure_1")
        elif there := [*going_on, *over]:
            run, event = chance.choice(there), e.TagsAdded(("a",))
        else:
            run = f"run_{len(versions):04}"
            going_on.append(run)
        versions[run] = versions.get(run, 0) + 1
        environment = f"env_{int(run[-1]) % 2}"
        records.append(Recorded(position, run, versions[run], environment, position, position, "t", "t", event))
    return records


def went_on(records: Sequence[Recorded], environment: str, position: int) -> tuple[list[str], list[str]]:
    """The runs that the read models must tell of, and those that they may: what ended soon need not be among them."""
    rows = [row for row in naively(records).runs.values() if row.environment == environment]
    there = [row for row in rows if row.born <= position and (row.ended is None or row.ended > position)]
    must = [row.id for row in there if row.ended is None or row.ended - row.born >= MIN]
    return sorted(must), sorted(row.id for row in there)


@pytest.mark.parametrize("backend", EMPTY)
def test_what_went_on_is_found(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "LASTING_MIN", MIN)
    with EMPTY[backend]() as opener:

        @settings(max_examples=40, deadline=None)
        @given(st.randoms(use_true_random=False), st.integers(1, 120), st.integers(1, 30))
        def check(chance: random.Random, length: int, batch: int) -> None:
            read_models: ReadModels = opener()
            records = histories(chance, length)
            for start in range(0, length, batch):
                apply(read_models, records[start : start + batch])

            for position in chance.sample(range(length + 1), min(length + 1, 20)):
                must, there = went_on(records, "env_0", position)
                found = read_models.going_on("env_0", position, 1_000)
                assert found == must
                assert set(found) <= set(there)
                assert len(read_models.going_on("env_0", position, 2)) == min(2, len(must))

        check()
