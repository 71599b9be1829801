"""What each option of a trigger and of a task is called by the four systems, and what the settings of a task mean."""

from typing import NamedTuple


class Terms(NamedTuple):
    """The words of Trigger.dev v4, v3 and v2 and of TrigRun; empty where a system has nothing like it."""

    v4: str = ""
    v3: str = ""
    v2: str = ""
    executions: str = ""


class Setting(NamedTuple):
    """A setting of a task. `python` is what is written in `@task(...)`, or how the SDK comes to know it."""

    python: str
    meaning: str
    terms: Terms


def _in_both(name: str, v2: str = "", executions: str = "") -> Terms:
    return Terms(name, name, v2, executions)


TRIGGER: dict[str, Terms] = {
    "queue": _in_both("`queue`"),
    "concurrencyKey": _in_both("`concurrencyKey`"),
    "delay": _in_both("`delay`", v2="`deliverAt` or `deliverAfter` of an event"),
    "ttl": _in_both("`ttl`"),
    "idempotencyKey": _in_both("`idempotencyKey`", v2="`id` of an event"),
    "idempotencyKeyTTL": _in_both("`idempotencyKeyTTL`"),
    "idempotencyKeyOptions": _in_both("`idempotencyKeys.create`"),
    "maxAttempts": _in_both("`maxAttempts`", executions="`max_attempts` of the job"),
    "maxDuration": _in_both("`maxDuration`", v2="maximum run duration", executions="`timeout_seconds` of the job"),
    "metadata": _in_both("`metadata`"),
    "payloadType": _in_both("`payloadType`"),
    "priority": Terms("`priority`"),
    "tags": _in_both("`tags`"),
    "test": _in_both("a test run", v2="a test run"),
    "lockToVersion": Terms("`version`", "`lockToVersion`", "`version` of the job"),
    "debounce": Terms("`debounce`"),
    "machine": _in_both("`machine`"),
    "parentRunId": Terms("child runs", "child runs"),
    "resumeParentOnCompletion": _in_both("`triggerAndWait`"),
    "region": Terms("`region`"),
    "externalDeploymentId": Terms("`externalDeploymentId`"),
    "gates": Terms("`gates`"),
    "concurrency": Terms("`concurrency`"),
}
"""By the name in `options`."""

TASK: dict[str, Setting] = {
    "id": Setting("id", "1 to 128 printable characters", _in_both("`id`", v2="`id` of the job", executions="the job")),
    "queue.name": Setting("queue", "1 to 128 characters; `task/` and the id if left out", _in_both("`queue`")),
    "queue.concurrencyLimit": Setting(
        "queue=Queue(concurrency_limit=…)",
        "0 to 100,000 attempts that are open at once; no limit if left out",
        _in_both("`queue.concurrencyLimit`", v2="`concurrencyLimit`"),
    ),
    "queue.rateLimit.limit": Setting(
        "queue=Queue(rate_limit=RateLimit(limit=…))", "how many attempts may start within the period", Terms()
    ),
    "queue.rateLimit.periodMs": Setting(
        "queue=Queue(rate_limit=RateLimit(period=…))", "the period, in milliseconds", Terms()
    ),
    "retry.maxAttempts": Setting(
        "retry=Retry(max_attempts=…)",
        "1 to 250, the first included; without `retry` there is one",
        _in_both("`retry.maxAttempts`", v2="`retry.limit`", executions="`max_attempts`, 3"),
    ),
    "retry.minTimeoutInMs": Setting(
        "retry=Retry(min_timeout_ms=…)",
        "the first wait, in milliseconds",
        _in_both("`retry.minTimeoutInMs`", v2="`retry.minTimeoutInMs`", executions="250 ms"),
    ),
    "retry.maxTimeoutInMs": Setting(
        "retry=Retry(max_timeout_ms=…)",
        "the longest wait: at least the first, at most ten years",
        _in_both("`retry.maxTimeoutInMs`", v2="`retry.maxTimeoutInMs`"),
    ),
    "retry.factor": Setting(
        "retry=Retry(factor=…)",
        "1 or more: by what each wait is longer than the one before",
        _in_both("`retry.factor`", v2="`retry.factor`", executions="2"),
    ),
    "retry.randomize": Setting(
        "retry=Retry(randomize=…)",
        "whether a wait is made up to twice as long, by chance",
        _in_both("`retry.randomize`", v2="`retry.randomize`", executions="with jitter"),
    ),
    "retry.outOfMemory.machine": Setting(
        "retry=Retry(out_of_memory_machine=…)",
        "the machine on which a run that was out of memory goes on; such a run has crashed if left out",
        _in_both("`retry.outOfMemory.machine`"),
    ),
    "ttl": Setting(
        "ttl",
        "milliseconds, ten years at most: a run not started so long after it was queued expires; more than 14 days"
        " counts as 14",
        Terms("`ttl`"),
    ),
    "maxDuration": Setting(
        "max_duration",
        "milliseconds that one attempt may take, 1 or more, ten years at most; no limit if left out",
        _in_both("`maxDuration`", v2="maximum run duration", executions="`timeout_seconds`"),
    ),
    "retryOnCrash": Setting(
        "retry_on_crash", "whether `retry` also holds when the process dies, which other systems never retry", Terms()
    ),
    "machine": Setting("machine", "only workers that stand for this machine get its runs", _in_both("`machine`")),
    "payloadSchema": Setting(
        "the type of the payload",
        "a JSON Schema that payloads are checked against before a run is queued",
        _in_both("`schema` of `schemaTask`", v2="`schema` of the trigger"),
    ),
    "authResolver": Setting(
        "auth", "whether a worker has to say first for whom a run acts", Terms(v2="`defineAuthResolver`")
    ),
    "connections": Setting(
        "connections", "the names of the credentials that a run waits for", Terms(v2="`integrations`")
    ),
    "schedule.cron": Setting(
        "cron",
        "five fields of cron; the task then runs by itself: [schedules](schedules.md) has the rules",
        _in_both("`cron` of `schedules.task`", v2="`cronTrigger`", executions="`schedule.cron`"),
    ),
    "schedule.timezone": Setting(
        "timezone",
        "the IANA time zone in which `cron` is read",
        _in_both("`cron.timezone`", executions="`schedule.timezone`"),
    ),
    "schedule.every": Setting(
        "schedule=Schedule(every=…)",
        "1 to 1,440 minutes, in place of `cron`",
        Terms(v2="`intervalTrigger`", executions="`schedule.every_n_minutes`"),
    ),
    "schedule.dstGap": Setting(
        "schedule=Schedule(dst_gap=…)",
        "`run_after` or `skip`: what becomes of a time that the clocks leave out",
        Terms(),
    ),
    "schedule.dstFold": Setting(
        "schedule=Schedule(dst_fold=…)", "`first` or `both`: what becomes of a time that the clocks show twice", Terms()
    ),
    "schedule.jitter": Setting(
        "schedule=Schedule(jitter=…)", "milliseconds up to which each tick is put off, a day at most", Terms()
    ),
    "schedule.overlap": Setting(
        "schedule=Schedule(overlap=…)",
        "`allow`, `skip`, `buffer_one` or `cancel_other`: what becomes of a tick while a run goes on",
        Terms(),
    ),
    "schedule.catchUp": Setting(
        "schedule=Schedule(catch_up=…)",
        "`latest`, `all` or `none` of the ticks that were missed and are not too late",
        Terms(),
    ),
    "schedule.catchUpWindow": Setting(
        "schedule=Schedule(catch_up_window=…)",
        "milliseconds that a tick may be late, seven days at most; the time to the next tick if left out, an hour at"
        " most",
        Terms(),
    ),
    "schedule.catchUpMax": Setting(
        "schedule=Schedule(catch_up_max=…)", "how many are caught up at once, 1 to 100", Terms()
    ),
    "event.name": Setting(
        "on_event",
        "the name of the events that [start the task](../how-to/start-tasks-by-events.md), 1 to 128 characters,"
        " or a list of up to 50 names",
        Terms(v2="`name` of `eventTrigger`"),
    ),
    "event.filter": Setting(
        "event_filter",
        "an object that mirrors the payload: [which events](../how-to/start-tasks-by-events.md#filter) start the task",
        Terms(v2="`filter` of `eventTrigger`"),
    ),
}
"""By the path in what a worker registers."""
