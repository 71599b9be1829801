"""A day of a small shop: runs that succeed, fail, wait, and are queued; a batch, a schedule, jobs and a token."""

import random
from typing import Any, NamedTuple

from tests.app.harness import RETRY, Engine, report
from tests.app.waiting import blocked, entry, stepped, waits

HOUR_MS = 3_600_000
TASKS = ("charge-order", "send-receipt", "resize-image", "index-catalog", "sync-inventory")
STACK = """Traceback (most recent call last):
  File "shop/orders.py", line 48, in charge_order
    receipt = await provider.charge(order.card, order.amount)
  File "shop/payments.py", line 112, in charge
    raise CardDeclined(f"card {card.last4} was declined: {answer.reason}")
shop.payments.CardDeclined: card 4242 was declined: amount must be positive"""
ERROR = {
    "name": "CardDeclined",
    "message": "card 4242 was declined: amount must be positive",
    "stackTrace": STACK,
}
PAYLOAD = {"order": "A-1077", "customer": "ada@example.com", "amount": -20, "currency": "EUR"}


class Shop(NamedTuple):
    """What the tests look for."""

    version: str
    failed: str
    parent: str
    token: str
    batch: str
    schedule: str
    job: str


async def open_shop(engine: Engine, runs: int = 24) -> Shop:
    """Let a day pass: the clock of the engine is one day ahead afterwards."""
    chance = random.Random(7)
    version = await engine.register(
        *(
            {
                "id": task,
                "retry": RETRY,
                **({"queue": {"name": "payments", "concurrencyLimit": 4}} if task == TASKS[0] else {}),
            }
            for task in TASKS
        )
    )
    failed = await _fail(engine, version)
    batch = await _batch(engine, version)
    for number in range(runs):
        engine.clock.wall += 23 * HOUR_MS // runs
        await _one(engine, version, chance, number)
    parent, token = await _family(engine, version)
    schedule = await engine.post(
        "/api/v1/schedules", {"task": "sync-inventory", "cron": "*/15 * * * *", "timezone": "Europe/Berlin"}
    )
    job = await engine.client.post(
        "/v1/jobs",
        json={
            "name": "Ping the status page",
            "kind": "cron",
            "schedule": {"cron": "0 * * * *"},
            "request": {"url": "https://status.example.com/ping"},
        },
    )
    for number in range(3):
        await engine.trigger("resize-image", {"image": f"cover-{number}.png"}, tags=["catalog"])
    await engine.trigger("send-receipt", {"order": "A-1102"}, delay="2h", tags=["order:A-1102"])
    taken = await engine.take(version)
    await engine.turn(version, _lines(taken, engine), want=0)
    return Shop(version, failed, parent, token, batch, schedule["id"], job.json()["id"])


async def cancel_many(engine: Engine, count: int) -> str:
    """A bulk action that is over."""
    runs = [await engine.trigger("resize-image", delay="1h") for _ in range(count)]
    bulk: str = (await engine.post("/api/v1/bulk-actions", {"action": "cancel", "runIds": runs}))["id"]
    head = engine.head
    while (await engine.get(f"/api/v1/bulk-actions/{bulk}"))["status"] == "PENDING":
        await engine.service.loop.feed.grown(head)
        head = engine.head
    return bulk


async def _fail(engine: Engine, version: str) -> str:
    """An order whose payload is wrong: three attempts, and an error that says why."""
    run = await engine.trigger(
        "charge-order", PAYLOAD, tags=["order:A-1077", "customer:ada"], maxAttempts=3, idempotencyKey="charge A-1077"
    )
    for wait in (1_000, 2_000, 0):
        handed = await engine.take(version)
        engine.clock.wall += 240
        reserved = stepped(handed, 0, {"stock": 3}, "reserve") | {"at": engine.clock.wall}
        lines = _lines(handed, engine)
        failed = report(handed, "failed", at=engine.clock.wall, error=ERROR)
        await engine.turn(version, *([reserved] if wait == 1_000 else []), lines, failed, want=0)
        await engine.advance(wait)
    return run


async def _batch(engine: Engine, version: str) -> str:
    items = [{"payload": {"page": page}} for page in range(5)]
    made = await engine.post("/api/v1/tasks/index-catalog/batch", {"items": items})
    for _ in items:
        engine.clock.wall += 700
        await _perform(engine, version, 350, output={"indexed": 120})
    return str(made["batchId"])


async def _one(engine: Engine, version: str, chance: random.Random, number: int) -> None:
    task = TASKS[number % len(TASKS)]
    order = f"A-{1078 + number}"
    run = await engine.trigger(task, {"order": order}, tags=[f"order:{order}"] if number % 2 else [])
    if number % 11 == 10:
        await engine.post(f"/api/v2/runs/{run}/cancel")
        return
    took = int(chance.lognormvariate(6.2, 0.8))
    if number % 9 == 4:
        error = {"name": "TimeoutError", "message": "the image service did not answer within 5 s"}
        await _perform(engine, version, took, "failed", error=error, retryable=False)
    else:
        await _perform(engine, version, took, output={"ok": True, "order": order})


async def _family(engine: Engine, version: str) -> tuple[str, str]:
    """A run with steps, a child, and a wait for somebody who has to approve."""
    run = await engine.trigger("charge-order", {"order": "A-1101", "amount": 49.5}, tags=["order:A-1101"])
    token = (await engine.post("/api/v1/waitpoints/tokens", {"timeout": "24h", "tags": ["approval"]}))["id"]
    handed = await engine.take(version)
    engine.clock.wall += 400
    await engine.turn(version, stepped(handed, 0, {"stock": 3}, "reserve") | {"at": engine.clock.wall}, want=0)
    engine.clock.wall += 900
    child = await engine.trigger("send-receipt", {"order": "A-1101"}, parentRunId=run)
    await _perform(engine, version, 650, output={"sent": True})
    triggered = report(handed, "triggered", at=engine.clock.wall, entry=entry(1, "send-receipt", after=0), runs=[child])
    waiting = waits(handed, 2, token) | {"at": engine.clock.wall}
    waiting["entry"] = entry(2, "approval", after=1)
    done = blocked(handed, 2) | {"at": engine.clock.wall}
    answer = await engine.turn(version, triggered, waiting, done, want=0)
    assert answer["refused"] == []
    engine.clock.wall += 4_000
    return run, token


async def _perform(engine: Engine, version: str, took: int, kind: str = "succeeded", **fields: Any) -> None:
    handed = await engine.take(version)
    engine.clock.wall += took
    answer = await engine.turn(version, report(handed, kind, at=engine.clock.wall, **fields), want=0)
    assert answer["refused"] == []


def _lines(handed: dict[str, Any], engine: Engine) -> dict[str, Any]:
    said = [
        ("info", "charging the card", {"order": "A-1077", "amount": -20}),
        ("warning", "the provider answered slowly", {"ms": 180}),
    ]
    lines = [
        {"at": engine.clock.wall, "level": level, "message": message, "attributes": attributes}
        for level, message, attributes in said
    ]
    return report(handed, "logged", at=engine.clock.wall, lines=lines, first=0)
