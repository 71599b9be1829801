"""`POST /worker/v1/turn`: when turns are answered, asked again, overtaken and refused."""

import asyncio
import json
from typing import Any

from tests.app.harness import SOON_SECONDS, Engine, application_of, report, sentence_of

TURN = "/worker/v1/turn"


def _body(version: str, sequence: int, **fields: Any) -> dict[str, Any]:
    return {"session": "worker_1", "version": version, "sequence": sequence} | fields


async def _waiting(engine: Engine, body: dict[str, Any]) -> "asyncio.Task[Any]":
    """A turn that the engine has taken and holds, because there is nothing to say."""
    turn = asyncio.create_task(engine.post(TURN, {"want": 1, "waitMs": 20_000} | body))
    await engine.waits(body["sequence"])
    return turn


async def test_an_answer_has_every_field(engine: Engine) -> None:
    version = await engine.register()

    answer = await engine.post(TURN, _body(version, 1))

    assert answer == {"sequence": 1, "runs": [], "cancels": [], "refused": [], "woken": []}


async def test_a_waiting_turn_is_answered_as_soon_as_there_is_a_run(engine: Engine) -> None:
    version = await engine.register()
    turn = await _waiting(engine, _body(version, 1))

    run = await engine.trigger()

    async with asyncio.timeout(SOON_SECONDS):
        (handed,) = (await turn)["runs"]
    assert handed["id"] == run
    assert await engine.events(run) == ["RunTriggered", "RunDequeued"]


async def test_a_trigger_that_finds_a_worker_waiting_is_handed_out_in_its_own_commit(engine: Engine) -> None:
    version = await engine.register()
    turn = await _waiting(engine, _body(version, 1))

    run = await engine.trigger()

    assert (await engine.retrieve(run))["status"] == "DEQUEUED"
    await turn


async def test_a_waiting_turn_is_answered_when_a_run_must_be_stopped(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    turn = await _waiting(engine, _body(version, 3, received=2))

    await engine.post(f"/api/v2/runs/{run}/cancel")

    async with asyncio.timeout(SOON_SECONDS):
        assert (await turn)["cancels"] == [{"run": run, "token": handed["token"], "reason": "CANCELED"}]


async def test_a_waiting_turn_is_answered_when_its_time_is_up(engine: Engine) -> None:
    version = await engine.register()

    answer = await engine.post(TURN, _body(version, 1, want=1, waitMs=20))

    assert answer == {"sequence": 1, "runs": [], "cancels": [], "refused": [], "woken": []}


async def test_reports_are_answered_without_waiting(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    (handed,) = (await engine.turn(version))["runs"]

    async with asyncio.timeout(SOON_SECONDS):
        answer = await engine.turn(version, report(handed, "started"), waitMs=20_000)

    assert answer == {"sequence": 2, "runs": [], "cancels": [], "refused": [], "woken": []}


async def test_a_repeated_sequence_gets_the_same_answer_and_does_nothing_twice(engine: Engine) -> None:
    version = await engine.register()
    runs = [await engine.trigger() for _ in range(3)]
    first = await engine.post(TURN, _body(version, 1, want=2))
    head = engine.head

    again = await engine.post(TURN, _body(version, 1, want=2))
    (handed, _) = first["runs"]
    said = _body(version, 2, reports=[report(handed, "started"), report(handed, "succeeded", output=1)])
    answers = [await engine.post(TURN, said) for _ in range(3)]

    assert [run["id"] for run in first["runs"]] == runs[:2]
    assert (again, answers[1:]) == (first, 2 * answers[:1])
    assert engine.head == head + 2


async def test_a_turn_sent_again_while_it_waits_is_answered_twice(engine: Engine) -> None:
    version = await engine.register()
    turns = [await _waiting(engine, _body(version, 1)), await _waiting(engine, _body(version, 1))]

    run = await engine.trigger()

    async with asyncio.timeout(SOON_SECONDS):
        answers = await asyncio.gather(*turns)
    assert [[each["id"] for each in answer["runs"]] for answer in answers] == [[run], [run]]


async def test_a_later_turn_ends_the_one_that_waits(engine: Engine) -> None:
    version = await engine.register()
    first = await _waiting(engine, _body(version, 1))
    second = await _waiting(engine, _body(version, 2))
    run = await engine.trigger()

    async with asyncio.timeout(SOON_SECONDS):
        answers = await asyncio.gather(first, second)

    assert [(answer["sequence"], [each["id"] for each in answer["runs"]]) for answer in answers] == [
        (1, []),
        (2, [run]),
    ]


async def test_a_turn_that_was_overtaken_still_reports(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    (handed,) = (await engine.turn(version))["runs"]
    later = await _waiting(engine, _body(version, 5, received=1))

    overtaken = await engine.post(TURN, _body(version, 4, want=1, received=1, reports=[report(handed, "started")]))

    assert overtaken == {"sequence": 4, "runs": [], "cancels": [], "refused": [], "woken": []}
    assert (await engine.retrieve(run))["status"] == "EXECUTING"
    await engine.trigger()
    assert len((await later)["runs"]) == 1


async def test_runs_that_a_worker_does_not_hold_go_back_at_once(engine: Engine) -> None:
    version = await engine.register()
    lost, kept = await engine.trigger(), await engine.trigger()
    handed = (await engine.turn(version))["runs"]

    (again,) = (await engine.turn(version, holds=[[kept, handed[1]["token"]]]))["runs"]

    assert again["id"] == lost
    assert again["token"] > handed[0]["token"]
    assert (await engine.events(lost))[-2:] == ["RunEnqueued", "RunDequeued"]


async def test_what_is_on_its_way_to_a_worker_need_not_be_held_yet(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    await engine.post(TURN, _body(version, 1, want=1))

    await engine.post(TURN, _body(version, 2, received=0, holds=[]))

    assert await engine.events(run) == ["RunTriggered", "RunDequeued"]


async def test_a_worker_is_told_what_it_holds_in_vain(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()

    answer = await engine.turn(version, holds=[[run, 2], ["run_unknown", 7]], want=0)

    gone = [{"run": run, "token": 2, "reason": "GONE"}, {"run": "run_unknown", "token": 7, "reason": "GONE"}]
    assert sorted(answer["cancels"], key=lambda cancel: cancel["token"]) == gone


async def test_when_nobody_listens_any_more_the_turn_is_over(engine: Engine) -> None:
    version = await engine.register()
    turn = await _gone_while_waiting(engine, _body(version, 1, want=1, waitMs=20_000))
    run = await engine.trigger()

    (handed,) = (await engine.post(TURN, _body(version, 2, want=1)))["runs"]

    assert turn["sequence"] == 1
    assert (turn["runs"], handed["id"]) == ([], run)


async def test_a_waiting_turn_is_refused_as_soon_as_its_key_is_revoked(engine: Engine) -> None:
    version = await engine.register()
    made = await engine.post("/api/v1/environments/dev/keys")
    turn = {"want": 1, "waitMs": 20_000} | _body(version, 1)
    key = {"authorization": f"Bearer {made['key']}"}
    held = asyncio.create_task(engine.client.post(TURN, json=turn, headers=key))
    other = await _waiting(engine, _body(version, 1) | {"session": "worker_2"})
    await engine.waits(1)

    await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")

    async with asyncio.timeout(SOON_SECONDS):
        answer = await held
    assert (answer.status_code, sentence_of(answer)) == (401, "Invalid or Missing API Key: this key was revoked.")
    run = await engine.trigger()
    (handed,) = (await other)["runs"]
    assert handed["id"] == run


async def _gone_while_waiting(engine: Engine, body: dict[str, Any]) -> Any:
    """What the engine answers to a caller that hangs up."""
    request = engine.client.build_request("POST", TURN, json=body)
    messages: list[Any] = [
        {"type": "http.request", "body": request.content, "more_body": False},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": TURN, "query_string": b"", "headers": request.headers.raw}
    async with asyncio.timeout(SOON_SECONDS):
        await application_of(engine)(scope, receive, send)
    return json.loads(sent[1]["body"])
