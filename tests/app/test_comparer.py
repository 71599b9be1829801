"""The read models are compared with the ledger while the engine runs: what is said, and that they are repaired once."""

import pytest

from adapters.sqlite.read_models import SqliteReadModels
from app.history import comparer as comparing
from domain.errors import LedgerUnavailable, OutOfStep
from tests.adapters.read_models import Tables, tamper
from tests.app.harness import START, Engine, Log, until

VERIFIED = "/api/v1/ledger/verified"


async def _looks(engine: Engine, size: int = 3) -> None:
    """Let the comparer go to the end of its look, or to a fault that waits for somebody."""
    service = engine.service
    rounds = service.comparer.compared.rounds
    for _ in range(1_000):
        await service.comparer.step(size)
        told = service.comparer.fault
        if service.comparer.compared.rounds > rounds or (told and "will be compared again" not in told):
            return
    raise AssertionError("the comparer does not come to an end")


async def _again(engine: Engine) -> None:
    engine.clock.mono += comparing.AGAIN_MS
    await _looks(engine)


async def _work(engine: Engine) -> str:
    version = await engine.register()
    for _ in range(3):
        await engine.trigger(tags=["red"])
        await engine.perform(version)
    run = await engine.trigger(tags=["red"], queue={"name": "vip"})
    assert await engine.service.follower.reached(engine.head, 5)
    return run


def _tables(engine: Engine) -> Tables:
    read_models = engine.service.read_models
    assert isinstance(read_models, Tables)
    return read_models


def _plant(engine: Engine, statement: str) -> None:
    assert tamper(_tables(engine), statement) > 0


async def test_it_comes_to_the_end_in_slices_and_begins_again_later(engine: Engine) -> None:
    await _work(engine)
    before = (await engine.get(VERIFIED))["readModels"]
    await _looks(engine)
    first = (await engine.get(VERIFIED))["readModels"]
    idle = await engine.service.comparer.step()
    await _again(engine)
    second = (await engine.get(VERIFIED))["readModels"]

    nothing = {"position": 0, "at": None, "perSecond": 0, "rows": 0, "rounds": 0, "rebuilds": 0, "fault": None}
    assert before == nothing
    assert first == nothing | {"position": engine.head, "at": START, "rows": first["rows"], "rounds": 1}
    assert first["rows"] > 10
    assert idle == 0
    assert (second["rounds"], second["rows"]) == (2, first["rows"])
    assert "compared" not in await engine.get("/readyz"), "it does not run by itself here"


async def test_it_runs_beside_the_engine_and_says_so(engine: Engine) -> None:
    await _work(engine)

    engine.service.compare(1_000_000, repairs=True)
    await until(lambda: engine.service.comparer.compared.rounds == 1)

    ready = await engine.get("/readyz")
    assert ready["compared"] == (await engine.get(VERIFIED))["readModels"]
    assert (ready["compared"]["position"], ready["compared"]["perSecond"]) == (engine.head, 1_000_000)
    metrics = (await engine.client.get("/metrics")).text
    assert f"runfold_compared_position {engine.head}.0\n" in metrics
    assert "runfold_read_models_differ 0.0\n" in metrics
    assert "runfold_comparisons_total 1.0\n" in metrics


PLANTS = {
    "a status": ("update run_rows set status = 'FAILED' where queue = 'vip'", "runs: status of run_"),
    "a missing row": ("delete from run_rows where queue = 'vip'", "runs: the row run_"),
    "an extra row": (
        """
        insert into run_rows (id, environment, task, queue, status, is_test, created_at, detail)
        select 'run_0', environment, task, queue, status, is_test, created_at, detail from run_rows where queue = 'vip'
        """,
        "runs: the row run_0 is there, and the ledger tells of none.",
    ),
    "a tag": ("delete from tag_rows where run = (select max(run) from tag_rows)", "tags: the row env_"),
    "a further tag": (
        "insert into tag_rows select environment, tag, 'run_x' from tag_rows limit 1",
        "tags: the row env_",
    ),
    "an attempt": (
        "update attempt_rows set detail = replace(detail, 'COMPLETED', 'FAILED')",
        "attempts: outcome of run_",
    ),
    "a queue": ("update run_rows set queue = 'elsewhere' where queue = 'vip'", "runs: queue of run_"),
    "a state": ("delete from state_rows where stream like 'env_%'", "checkpoint: the row env_"),
    "where a state is told": (
        """update run_rows set detail = replace(detail, '"tells_state":true', '"tells_state":false')""",
        "runs: tells_state of run_",
    ),
}


@pytest.mark.parametrize(("statement", "said"), PLANTS.values(), ids=PLANTS)
async def test_a_row_that_somebody_changed_is_named_and_the_lists_are_right_again(
    broken_engine: Engine, log: Log, statement: str, said: str
) -> None:
    engine = broken_engine
    run = await _work(engine)
    head, listed = engine.head, await engine.get("/api/v1/runs")
    _plant(engine, statement.replace("%", "%%") if not isinstance(_tables(engine), SqliteReadModels) else statement)

    await _looks(engine)

    assert said in str(next(each["difference"] for each in log if each["log_level"] == "error"))
    assert [said in str(each["because"]) for each in log if "rebuilt from the ledger" in str(each["event"])] == [True]
    assert await engine.get("/api/v1/runs") == listed
    assert engine.head == head, "a rebuild writes nothing and does nothing else"
    assert (await engine.get("/readyz"))["status"] == "ok"
    assert "runfold_read_model_repairs_total 1.0\n" in (await engine.client.get("/metrics")).text
    await engine.post(f"/api/v2/runs/{run}/cancel")
    assert (await engine.get("/api/v1/runs"))["data"][0]["status"] == "CANCELED", "they are followed on"


async def test_work_that_goes_on_meanwhile_is_no_difference_and_what_is_planted_in_it_is_found(
    broken_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "AGAIN_MS", 0)
    engine, comparer = broken_engine, broken_engine.service.comparer
    version = await engine.register()
    engine.service.compare(1_000_000, repairs=True)

    async def load() -> None:
        for _ in range(20):
            await engine.trigger(tags=["red"], queue={"name": "vip"})
            await engine.trigger(tags=["blue"])
            await engine.perform(version)

    await load()
    await until(lambda: comparer.compared.rounds > 1)
    clean = (comparer.fault, comparer.compared.rebuilds)
    assert await engine.service.follower.reached(engine.head, 5)
    _plant(engine, "update tag_rows set run = 'run_x' where tag = 'red' and run = (select min(run) from tag_rows)")
    await load()
    await until(lambda: comparer.compared.rebuilds == 1 and comparer.fault is None)
    rounds = comparer.compared.rounds
    await until(lambda: comparer.compared.rounds > rounds + 1)

    assert clean == (None, 0)
    assert (comparer.fault, comparer.compared.rebuilds) == (None, 1)


async def test_what_differs_again_soon_stays_red_until_somebody_rebuilds(broken_engine: Engine, log: Log) -> None:
    engine = broken_engine
    await _work(engine)
    plant = "update run_rows set task = 'mail'"
    _plant(engine, plant)
    await _looks(engine)
    _plant(engine, plant)

    await _again(engine)
    await engine.service.comparer.step()
    ready = await engine.client.get("/readyz")
    rebuilds = engine.service.comparer.compared.rebuilds
    metrics = (await engine.client.get("/metrics")).text
    _plant(engine, "update run_rows set task = 'greet'")
    await _looks(engine)

    assert ready.status_code == 503
    assert "The read models are not what the ledger makes of them: runs: task of run_" in ready.json()["error"]
    assert "A rebuild not long ago has not ended this" in ready.json()["error"]
    assert rebuilds == 1
    assert "runfold_read_models_differ 1.0\n" in metrics
    assert (await engine.get("/readyz"))["status"] == "ok"
    assert "the read models are what the ledger makes of them again" in {each["event"] for each in log}


async def test_what_somebody_else_may_not_know_is_not_told(broken_engine: Engine, log: Log) -> None:
    engine = broken_engine
    await engine.register()
    await engine.trigger(tags=["hush"], metadata={"pin": "hush"})
    await engine.post("/api/v1/waitpoints/tokens", {"tags": ["hush"]})
    assert await engine.service.follower.reached(engine.head, 5)
    for table in ("run_rows", "tag_rows", "waitpoint_rows", "waitpoint_tag_rows"):
        _plant(engine, f"delete from {table}")

    engine.service.comparer.repairs = False
    await _looks(engine, 100)

    said = [str(engine.service.comparer.fault), *(str(each.get("difference")) for each in log)]
    assert len(said) > 4
    assert not [each for each in said if "hush" in each or "secret" in each]


async def test_rows_differ_once_more_a_day_later_and_are_rebuilt_once_more(broken_engine: Engine) -> None:
    engine = broken_engine
    await _work(engine)
    for _ in range(2):
        _plant(engine, "update run_rows set task = 'mail'")
        await _again(engine)
        engine.clock.mono += comparing.REPAIR_AGAIN_MS

    assert engine.service.comparer.compared.rebuilds == 2


async def test_nothing_is_rebuilt_where_that_is_not_wanted(broken_engine: Engine) -> None:
    engine = broken_engine
    engine.service.comparer.repairs = False
    await _work(engine)
    _plant(engine, "update run_rows set task = 'mail'")

    await _looks(engine)

    assert str(engine.service.comparer.fault).endswith("Rebuild them: `runfold projections rebuild`.")
    assert engine.service.comparer.compared.rebuilds == 0


async def test_rows_are_not_rebuilt_from_a_ledger_that_is_damaged(
    broken_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = broken_engine
    await _work(engine)
    _plant(engine, "update run_rows set task = 'mail'")
    monkeypatch.setattr(engine.service.ledger, "verify", lambda: iter(["Event 3 is not as it was appended."]))

    await _looks(engine)

    assert "They are not rebuilt, because the ledger is damaged: Event 3 is not as" in str(
        engine.service.comparer.fault
    )
    assert engine.service.comparer.compared.rebuilds == 0


async def test_a_rebuild_that_fails_is_told_and_not_tried_over_and_over(
    broken_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def fail(*_: object) -> None:
        tries.append(1)
        raise OutOfStep("Another rebuild took the place of this one.")

    monkeypatch.setattr(comparing, "rebuild", fail)
    engine = broken_engine
    await _work(engine)
    _plant(engine, "update run_rows set task = 'mail'")

    await _looks(engine)
    await engine.service.comparer.step()

    assert "They could not be rebuilt: Another rebuild took the place" in str(engine.service.comparer.fault)
    assert tries == [1]


async def test_a_ledger_out_of_reach_is_an_outage_and_no_mistake(
    engine: Engine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _work(engine)

    def unreachable(*_: object) -> None:
        raise LedgerUnavailable("The database does not answer.")

    with monkeypatch.context() as outage:
        outage.setattr(comparing, "look", unreachable)
        outage.setattr(comparing, "OUTAGE_SECONDS", 0)
        engine.service.compare(1_000_000, repairs=True)
        await until(lambda: any(line["event"] == "the read models cannot be compared now" for line in log))
    await until(lambda: engine.service.comparer.compared.rounds == 1)

    assert {line["log_level"] for line in log if "compared" in line["event"]} == {"warning"}
