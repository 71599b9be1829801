"""A replay that begins at a step: what its worker is told was done before, and what is said of it."""

from typing import Any

import pytest

from domain.status import FINAL
from tests.app.faulty import FaultyLedger
from tests.app.harness import Engine, ledger_mistakes, report, running_engine

LARGE = "x" * 40_000


def step(run: dict[str, Any], index: int, name: str, output: Any, **place: Any) -> dict[str, Any]:
    """The report of a step that returned this."""
    return report(run, "step_succeeded", entry={"index": index, "name": name} | place, output=output)


async def ordered(engine: Engine, *results: Any, end: str = "succeeded", **options: Any) -> str:
    """A run of which these steps are done: charge, pack, ship."""
    version = await engine.register()
    run = await engine.trigger("greet", {"amount": 1}, **options)
    hand = await engine.take(version)
    names = ("charge", "pack", "ship")
    steps = [step(hand, index, names[index], result, digest="d") for index, result in enumerate(results)]
    answer = await engine.turn(version, *steps, report(hand, end), want=0)
    assert answer["refused"] == []
    return run


async def replayed(engine: Engine, run: str, step: str, **body: Any) -> dict[str, Any]:
    """The replay from a step, as a worker gets it."""
    answer = await engine.post(f"/api/v1/runs/{run}/replay", {"fromStep": step} | body)
    (hand,) = (await engine.turn(await engine.register(), want=1))["runs"]
    assert hand["id"] == answer["id"]
    return dict(hand)


async def test_what_came_before_the_step_is_handed_out_as_kept_from_an_earlier_attempt(engine: Engine) -> None:
    run = await ordered(engine, "receipt", {"box": 1}, "label")

    hand = await replayed(engine, run, "ship")

    assert (hand["attempt"], hand["payload"], hand["journalSize"]) == (1, {"amount": 1}, 2)
    assert hand["journal"] == [
        {"index": 0, "name": "charge", "kind": "succeeded", "attempt": 0, "digest": "d", "result": "receipt"},
        {"index": 1, "name": "pack", "kind": "succeeded", "attempt": 0, "digest": "d", "result": {"box": 1}},
    ]


async def test_the_replay_goes_on_behind_it_and_says_what_it_has_taken_over(engine: Engine) -> None:
    run = await ordered(engine, "receipt", "box", "label")
    hand = await replayed(engine, run, "pack")
    version = await engine.register()

    answer = await engine.turn(
        version, report(hand, "started"), step(hand, 1, "pack", "bag"), report(hand, "succeeded"), want=0
    )

    told = await engine.retrieve(hand["id"])
    assert answer["refused"] == []
    assert (told["status"], told["replayOf"], told["source"]) == ("COMPLETED", run, "replay")
    assert told["takenOver"] == {"runId": run, "entries": 1, "edited": []}
    assert "takenOver" not in await engine.retrieve(run)
    assert (await engine.retrieve(run))["replays"] == [hand["id"]]


async def test_the_journal_of_a_replay_tells_what_it_did_itself(engine: Engine) -> None:
    run = await ordered(engine, "receipt", "box", "label")
    hand = await replayed(engine, run, "ship")
    version = await engine.register()
    started = (
        step(hand, 2, "ship", "parcel"),
        report(hand, "waiting", entry={"index": 3, "name": "wait", "after": 2}, **{"for": 5}),
    )
    await engine.turn(version, *started, report(hand, "blocked", waits=[3]), want=0)
    await engine.advance(5)

    journal = (await engine.get(f"/api/v1/runs/{hand['id']}/journal"))["entries"]
    rest = (await engine.get(f"/api/v1/runs/{hand['id']}/journal", after=2))["entries"]

    assert [(each["index"], each["name"], each["status"]) for each in journal] == [
        (2, "ship", "COMPLETED"),
        (3, "wait", "COMPLETED"),
    ]
    assert rest == journal[1:]


async def test_a_replay_of_a_replay_has_the_journal_of_both(engine: Engine) -> None:
    run = await ordered(engine, "receipt", "box", "label")
    first = await replayed(engine, run, "ship", stepResults={"charge": "other receipt"})
    version = await engine.register()
    await engine.turn(version, report(first, "started"), step(first, 2, "ship", "second label"), want=0)
    await engine.turn(version, step(first, 3, "thank", None), report(first, "failed"), want=0)

    second = await replayed(engine, first["id"], "thank", stepResults={"pack": "bag"})
    third = await replayed(engine, second["id"], "pack")

    assert [(each["index"], each["name"], each["attempt"], each["result"]) for each in second["journal"]] == [
        (0, "charge", 0, "other receipt"),
        (1, "pack", 0, "bag"),
        (2, "ship", 0, "second label"),
    ]
    assert [(each["name"], each["result"]) for each in third["journal"]] == [("charge", "other receipt")]


async def test_another_payload_and_other_results_are_worked_with_whatever_the_steps_were_called_with(
    engine: Engine,
) -> None:
    run = await ordered(engine, "receipt", "box", "label")

    hand = await replayed(engine, run, "ship", payload={"amount": 2}, stepResults={"charge": {"id": 7}, "pack": None})

    assert hand["payload"] == {"amount": 2}
    assert hand["journal"] == [
        {"index": 0, "name": "charge", "kind": "succeeded", "attempt": 0, "digest": "d", "result": {"id": 7}},
        {"index": 1, "name": "pack", "kind": "succeeded", "attempt": 0, "digest": "d", "result": None},
    ]
    assert (await engine.retrieve(hand["id"]))["takenOver"] == {"runId": run, "entries": 2, "edited": [0, 1]}


async def test_a_result_for_the_step_itself_takes_the_place_of_doing_it(engine: Engine) -> None:
    run = await ordered(engine, "receipt", "box", "label")

    hand = await replayed(engine, run, "pack", stepResults={"pack": "by hand"})

    assert [(each["name"], each["result"]) for each in hand["journal"]] == [("charge", "receipt"), ("pack", "by hand")]


async def test_what_failed_may_be_given_a_result(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    hand = await engine.take(version)
    error = {"name": "ValueError", "message": "No card."}
    failed = report(hand, "step_failed", entry={"index": 0, "name": "charge"}, error=error)
    await engine.turn(version, failed, step(hand, 1, "apologize", None), report(hand, "failed", error=error), want=0)

    as_it_was = await replayed(engine, run, "apologize")
    paid = await replayed(engine, run, "apologize", stepResults={"charge": "cash"})

    assert as_it_was["journal"] == [
        {
            "index": 0,
            "name": "charge",
            "kind": "failed",
            "attempt": 0,
            "error": {"message": "No card.", "name": "ValueError"},
        }
    ]
    assert paid["journal"][0] == {
        "index": 0,
        "name": "charge",
        "kind": "succeeded",
        "attempt": 0,
        "result": "cash",
    }


async def test_waits_that_were_over_and_children_are_taken_over_and_an_open_wait_is_not_over_here_either(
    engine: Engine,
) -> None:
    version = await engine.register()
    run = await engine.trigger()
    hand = await engine.take(version)
    child = await engine.trigger(parentRunId=run, delay="1h")
    long, short = ({"index": index, "name": f"wait.{index}"} for index in (1, 2))
    await engine.turn(
        version,
        report(hand, "triggered", entry={"index": 0, "name": "trigger greet"}, runs=[child], cached=[]),
        report(hand, "waiting", entry=long, targets=[child]),
        report(hand, "waiting", entry=short, **{"for": 1_000}),
        want=0,
    )
    await engine.advance(1_000)
    await engine.turn(version, step(hand, 3, "ship", "label"), want=0)

    replay = await replayed(engine, run, "ship")
    # What happens to the run later makes no difference to what was taken over.
    await engine.post(f"/api/v2/runs/{child}/cancel")
    page = await engine.get(f"/worker/v1/runs/{replay['id']}/journal")

    assert replay["journal"] == [
        {"index": 0, "name": "trigger greet", "kind": "triggered", "attempt": 0, "runs": [child], "cached": []},
        {"index": 1, "name": "wait.1", "kind": "waiting", "attempt": 0},
        {"index": 2, "name": "wait.2", "kind": "waiting", "attempt": 0, "completed": {"behind": 3}},
    ]
    assert page["entries"] == replay["journal"]
    assert (await engine.retrieve(child))["parentId"] == run


async def test_a_run_that_has_done_nothing_is_not_begun_in_the_middle(engine: Engine) -> None:
    delayed = await engine.trigger(delay="1h")
    canceled = await engine.trigger()
    await engine.post(f"/api/v2/runs/{canceled}/cancel")
    completed = await ordered(engine)

    for run in (delayed, canceled, completed):
        sentence = await engine.refused("POST", f"/api/v1/runs/{run}/replay", 422, json={"fromStep": "charge"})
        assert sentence == f"There is no 'charge' in the journal of run {run}: it is empty."


@pytest.mark.parametrize("end", ["succeeded", "failed", "crashed", "released", "step_failed"])
async def test_a_run_may_be_begun_in_the_middle_however_it_ended_or_if_it_has_not(engine: Engine, end: str) -> None:
    version = await engine.register()
    run = await engine.trigger()
    hand = await engine.take(version)
    entry = {"entry": {"index": 1, "name": "pack"}} if end == "step_failed" else {}
    await engine.turn(version, step(hand, 0, "charge", 1), report(hand, end, **entry), want=0)
    is_over = (await engine.retrieve(run))["status"] in FINAL

    answer = await engine.post(f"/api/v1/runs/{run}/replay", {"fromStep": "charge", "stepResults": {"charge": 2}})

    assert is_over is (end in {"succeeded", "failed"})
    assert (await engine.retrieve(answer["id"]))["takenOver"] == {"runId": run, "entries": 1, "edited": [0]}


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"fromStep": "thank"}, 422, "There is no 'thank' in the journal of run "),
        ({"fromStep": "pack", "stepResults": {"ship": 1}}, 422, "'ship' does not come before 'pack': it is done anew"),
        ({"fromStep": "pack", "stepResults": {"nope": 1}}, 422, "There is no 'nope' in the journal of run "),
        ({"stepResults": {"charge": 1}}, 422, "stepResults replace results of what comes before a step: name that"),
        (
            {"fromStep": 3},
            400,
            "The body is not of the right shape: Expected `str | null`, got `int` - at `$.fromStep`.",
        ),
        ({"fromStep": ""}, 400, "The body is not of the right shape: Expected `str` of length >= 1"),
        ({"fromStep": "pack", "stepResults": []}, 400, "The body is not of the right shape: Expected `object | null`"),
    ],
)
async def test_what_cannot_be_is_refused(engine: Engine, body: Any, status: int, sentence: str) -> None:
    run = await ordered(engine, "receipt", "box", "label")

    assert (await engine.refused("POST", f"/api/v1/runs/{run}/replay", status, json=body)).startswith(sentence)


async def test_large_results_stay_where_they_are_and_a_large_one_that_is_given_is_kept_with_the_replay(
    engine: Engine,
) -> None:
    run = await ordered(engine, LARGE, "box", "label")
    as_it_was = await replayed(engine, run, "ship")
    otherwise = await replayed(engine, run, "ship", stepResults={"pack": LARGE})

    ledger = engine.service.ledger
    assert as_it_was["journal"][0]["result"] == otherwise["journal"][1]["result"] == LARGE
    assert ledger.blob(f"{as_it_was['id']}/step/0") is None
    assert ledger.blob(f"{otherwise['id']}/step/1") == f'"{LARGE}"'.encode()
    assert await ledger_mistakes(engine) == []


async def test_as_it_was_before_its_end_the_replay_says_the_same(engine: Engine) -> None:
    run = await ordered(engine, "receipt", "box")
    before = engine.head
    hand = await replayed(engine, run, "pack")
    await engine.post(f"/api/v2/runs/{hand['id']}/cancel")

    then = await engine.retrieve(hand["id"], asOf=before + 1)

    assert (then["status"], then["takenOver"]) == ("QUEUED", {"runId": run, "entries": 1, "edited": []})
    await engine.refused("GET", f"/api/v3/runs/{hand['id']}?asOf={before}", 404)


async def test_a_replay_whose_source_has_lost_a_result_ends_and_says_so() -> None:
    ledger = FaultyLedger()
    async with running_engine(ledger) as engine:
        run = await ordered(engine, LARGE, "box")
        version = await engine.register()
        answer = await engine.post(f"/api/v1/runs/{run}/replay", {"fromStep": "pack"})
        ledger.lost.add(run)

        handed = await engine.turn(version, want=1)

        told = await engine.retrieve(answer["id"])
        assert handed["runs"] == []
        assert (told["status"], told["error"]["message"]) == (
            "SYSTEM_FAILURE",
            f"The value {run}/step/0 is no longer there.",
        )


async def test_a_replay_that_loses_a_result_while_its_worker_reads_on_ends_too() -> None:
    ledger = FaultyLedger()
    async with running_engine(ledger) as engine:
        run = await ordered(engine, LARGE, "box")
        hand = await replayed(engine, run, "pack")
        ledger.lost.add(run)

        response = await engine.client.get(f"/worker/v1/runs/{hand['id']}/journal")
        told = await engine.turn(await engine.register(), holds=[[hand["id"], hand["token"]]])

        why = f"The value {run}/step/0 is no longer there."
        assert (response.status_code, response.json()["error"]) == (404, f"Run {hand['id']} cannot go on: {why}")
        assert told["cancels"] == [{"run": hand["id"], "token": hand["token"], "reason": "GONE"}]
        assert (await engine.retrieve(hand["id"]))["status"] == "SYSTEM_FAILURE"


class Forgetful(FaultyLedger):
    """A ledger that has lost whole aggregates."""

    def read_streams(self, streams: Any, *, upto: int | None = None) -> Any:
        found = super().read_streams(streams, upto=upto)
        return {stream: each for stream, each in found.items() if stream not in self.lost}


async def test_a_replay_whose_source_is_gone_ends_and_says_so() -> None:
    ledger = Forgetful()
    async with running_engine(ledger) as engine:
        run = await ordered(engine, "receipt", "box")
        version = await engine.register()
        answer = await engine.post(f"/api/v1/runs/{run}/replay", {"fromStep": "pack"})
        ledger.lost.add(run)

        handed = await engine.turn(version, want=1)

        told = await engine.retrieve(answer["id"])
        assert handed["runs"] == []
        assert (told["status"], told["error"]["message"]) == (
            "SYSTEM_FAILURE",
            f"The journal begins with that of run {run}, which is no longer there.",
        )


async def test_a_long_journal_comes_in_pages_that_know_no_border_between_the_two(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    hand = await engine.take(version)
    big = "x" * 400_000
    await engine.turn(version, *(step(hand, index, f"s{index}", big) for index in range(5)), want=0)
    replay = await replayed(engine, run, "s4")
    await engine.turn(version, report(replay, "started"), step(replay, 4, "s4", big), want=0)

    seen = [entry["index"] for entry in replay["journal"]]
    while len(seen) < 5:
        page = await engine.get(f"/worker/v1/runs/{replay['id']}/journal", after=seen[-1])
        assert page["entries"]
        seen += [entry["index"] for entry in page["entries"]]

    assert (replay["journalSize"], seen) == (4, [0, 1, 2, 3, 4])


async def test_the_same_key_makes_one_replay(engine: Engine) -> None:
    run = await ordered(engine, "receipt", "box")
    body = {"fromStep": "pack", "idempotencyKey": "k"}

    answers = [await engine.post(f"/api/v1/runs/{run}/replay", body) for _ in range(2)]

    assert answers[0] == answers[1]
