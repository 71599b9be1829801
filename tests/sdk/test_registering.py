"""What the engine is told of a task."""

from datetime import timedelta

from runfold import Context, Queue, RateLimit, Retry, Schedule, task
from runfold.schemas import DIALECT
from runfold.worker.registering import settings_of


def whoever(ctx: Context) -> str:
    return ctx.run.id


def test_the_engine_is_told_only_what_a_task_says() -> None:
    @task(id="plain")
    def plain() -> None: ...

    assert settings_of(plain) == {"id": "plain"}


def test_a_task_can_keep_its_runs_from_expiring() -> None:
    @task(id="patient", ttl=0)
    def patient() -> None: ...

    assert settings_of(patient) == {"id": "patient", "ttl": 0}


def test_what_the_engine_is_told_of_a_task() -> None:
    @task(
        id="told",
        retry=Retry(max_attempts=5, out_of_memory_machine="large-2x"),
        queue=Queue("emails", rate_limit=RateLimit(100, "1m")),
        max_duration=timedelta(minutes=5),
        ttl="1h",
        retry_on_crash=True,
        machine="small-1x",
        auth=whoever,
        connections="github",
        schedule=Schedule(every="1h", jitter="5s", overlap="skip", catch_up_window="10m"),
    )
    def told(_count: int) -> None: ...

    assert settings_of(told) == {
        "id": "told",
        "queue": {"name": "emails", "rateLimit": {"limit": 100, "periodMs": 60_000}},
        "retry": {
            "maxAttempts": 5,
            "factor": 2.0,
            "minTimeoutInMs": 1000,
            "maxTimeoutInMs": 60_000,
            "randomize": True,
            "outOfMemory": {"machine": "large-2x"},
        },
        "ttl": 3_600_000,
        "maxDuration": 300_000,
        "retryOnCrash": True,
        "machine": "small-1x",
        "payloadSchema": {"$schema": DIALECT, "type": "integer"},
        "authResolver": True,
        "connections": ["github"],
        "schedule": {"every": 60, "jitter": 5_000, "overlap": "skip", "catchUpWindow": 600_000},
    }


def test_a_task_runs_by_itself_when_it_says_so() -> None:
    @task(id="daily", cron="0 9 * * 1-5", timezone="Europe/Berlin")
    def daily() -> None: ...

    assert settings_of(daily) == {"id": "daily", "schedule": {"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"}}
