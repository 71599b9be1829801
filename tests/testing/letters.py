"""Tasks as users have them, for tests of tests."""

from runfold import Context, Retry, ScheduledRun, SyncContext, aio, task, wait

sent: list[str] = []
SIGNATURE = "Ada"


@task
async def greet(name: str) -> str:
    sent.append(name)
    return f"Hello, {name}!"


@task
def sign(text: str) -> str:
    return f"{text}, yours {SIGNATURE}"


@task(retry=Retry(max_attempts=4, min_timeout_ms=3_600_000, max_timeout_ms=86_400_000, randomize=False))
async def stubborn(_: str, ctx: Context) -> int:
    if ctx.attempt.number < 4:
        raise ValueError("not yet")
    return ctx.attempt.number


@task
async def report(tick: ScheduledRun, ctx: Context) -> str:
    assert ctx.schedule is not None
    assert (ctx.schedule.id, ctx.schedule.timestamp) == (tick.schedule_id, tick.timestamp)
    assert ctx.run.source in {"schedule", "manual"}
    sent.append(f"{tick.external_id} {tick.timestamp:%H:%M}")
    return tick.timezone


@task
async def remind(name: str) -> str:
    for _ in range(3):
        await aio.wait.for_("8h")
    return f"Remember {name}!"


@task
def remind_from_a_thread(name: str, ctx: SyncContext) -> str:
    began = ctx.step("begin", lambda: f"Remember {name}")
    for _ in range(3):
        wait.for_("8h")
    return f"{began}!"
