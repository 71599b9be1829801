"""A run that has left the database is proved by its segment, as it was proved before it left."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from adapters.signing import make_keys, private_key, public_key
from app.history.checkpoints import CheckpointFile, make_checkpoint
from app.history.proofs import Proof, check_proof, prove
from app.keeping.archived import segment_of
from app.keeping.checked import events_of
from app.keeping.segments import path_of
from domain.errors import Archived, LedgerCorrupt
from tests.app.harness import Engine
from tests.app.test_erasing import SECRET, secret_run
from tests.app.test_retaining import KEYS_MS, archive, keep_a_day


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "signing.pem")
    return tmp_path / "signing.pem"


async def signed(engine: Engine, keys: Path) -> CheckpointFile:
    ledger, now = engine.service.ledger, engine.clock.wall
    return await engine.service.read(lambda: make_checkpoint(ledger, private_key(keys), now, lambda _: None))


async def proof_of(engine: Engine, run: str, file: CheckpointFile) -> Proof:
    """As `runfold prove` makes it."""

    def made() -> Proof:
        ledger = engine.service.ledger
        segment = segment_of(run, ledger, engine.service.segments)
        return prove(run, ledger, file, {each.position: each for each in events_of(segment, run)} if segment else {})

    return await engine.service.read(made)


def checked(proof: Proof, keys: Path) -> Proof:
    return check_proof(msgspec.json.encode(proof), public_key(keys.with_name("signing.pem.pub")))


async def archived_one(engine: Engine, folder: Path) -> tuple[str, str]:
    """The environment, and the segment to which everything went that may go."""
    environment = await keep_a_day(engine, folder)
    engine.clock.wall += KEYS_MS
    (segment,) = await archive(engine, environment)
    return environment.id, segment


@pytest.mark.parametrize("large", [True, False])
async def test_an_archived_run_is_proved_as_it_was_before(
    engine: Engine, tmp_path: Path, keys: Path, *, large: bool
) -> None:
    run = await secret_run(engine, large=large)
    file = await signed(engine, keys)
    before = await proof_of(engine, run, file)

    await archived_one(engine, tmp_path / "segments")

    later = await proof_of(engine, run, await signed(engine, keys))
    assert await proof_of(engine, run, file) == before == checked(before, keys)
    assert checked(later, keys) == later
    assert [(each.state, each.leaf) for each in later.events[:-1]] == [(each.state, None) for each in before.events]
    assert SECRET in str(later)
    assert later.events[-1].topic == "RunArchived"


async def test_an_archived_run_that_was_erased_shows_only_that_something_stood_there(
    engine: Engine, tmp_path: Path, keys: Path
) -> None:
    run = await secret_run(engine)
    file = await signed(engine, keys)
    whole = await proof_of(engine, run, file)
    await archived_one(engine, tmp_path / "segments")

    await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})
    left = await proof_of(engine, run, file)

    assert checked(left, keys) == left
    assert SECRET not in str(left)
    assert [each.path for each in left.events] == [each.path for each in whole.events]
    assert 0 < sum(each.leaf is not None for each in left.events) < len(left.events)
    assert {each.position: each for each in left.events if each.leaf is None}.items() <= {
        each.position: each for each in whole.events
    }.items()


async def test_where_the_segment_is_not_there_the_sentence_says_that_the_run_is_archived(
    engine: Engine, tmp_path: Path, keys: Path
) -> None:
    run = await secret_run(engine)
    file = await signed(engine, keys)
    environment, segment = await archived_one(engine, tmp_path / "segments")
    path = path_of(tmp_path / "segments" / environment, segment)

    path.rename(path.with_suffix(".away"))
    with pytest.raises(
        Archived, match=rf"^Run {run} was archived in segment {segment}, which cannot be read: .*No such"
    ):
        await proof_of(engine, run, file)
    path.write_bytes(b"other")
    with pytest.raises(Archived, match="which cannot be read"):
        await proof_of(engine, run, file)
    engine.service.segments = None
    with pytest.raises(Archived, match="RUNFOLD_SEGMENTS_FOLDER"):
        await proof_of(engine, run, file)


async def test_an_event_whose_leaf_is_another_is_proved_by_nothing(engine: Engine, tmp_path: Path, keys: Path) -> None:
    run = await secret_run(engine)
    file = await signed(engine, keys)
    await archived_one(engine, tmp_path / "segments")
    ledger = engine.service.ledger
    segment = segment_of(run, ledger, engine.service.segments)
    assert segment is not None
    first, *others = events_of(segment, run)
    forged = first._replace(state=first.state.replace(SECRET.encode(), b"forged"))

    with pytest.raises(LedgerCorrupt, match="are not those that were signed"):
        prove(run, ledger, structs.replace(file), {each.position: each for each in (forged, *others)})
