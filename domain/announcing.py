"""What is told of the end of a run, and the runs of built-in tasks that tell it."""

from collections.abc import Collection, Iterator

from msgspec import Raw, Struct, json
from msgspec.structs import replace

from domain.builtin import EMAIL_TASK, HTTP_TASK
from domain.channel import EMAIL, Channel
from domain.derived import derived_id
from domain.events import NOTHING, About, Callback
from domain.lifecycle import NewRun
from domain.requests import Asked, AskedMail, HttpRequest, RetryPolicy
from domain.run import Run

SUCCESS, FAILURE, COMPLETION, RECOVERY, AUTO_PAUSE = "success", "failure", "completion", "recovery", "auto_pause"
CERTIFICATE = "certificate"
CALLBACK_KINDS = (SUCCESS, FAILURE, COMPLETION, RECOVERY, AUTO_PAUSE)
ALERT_KINDS = (*CALLBACK_KINDS, CERTIFICATE)
ALERTED_BY_DEFAULT = (FAILURE, RECOVERY, AUTO_PAUSE, CERTIFICATE)
"""Of what nobody waits for, that a run succeeded, a channel tells only if it is asked to."""
JOB_PAUSED = "job.paused"
CERTIFICATE_ENDING = "certificate.ending"
SUMMARY = "alerts.summary"
"""Told of the channel itself: how many alerts there were of what."""
CHANNEL_TEST = "channel.test"
"""Told of the channel itself, so that somebody knows that news would arrive."""
CALLBACK, ALERT = "callback", "alert"
"""The sources of these runs."""
QUEUE = "runfold/alerts"
"""News must not wait behind the executions that it tells of."""
TIMEOUT_SECONDS = 15
RETRY = RetryPolicy(max_attempts=8, backoff_ms=5_000, backoff_factor=3.0)
"""From 15 seconds to an hour, two and a half hours in all: receivers are down at times, too."""


class Outcome(Struct, frozen=True):
    """How a run ended: `has_recovered` if what came before it failed, `has_paused` if its job paused itself by it."""

    has_failed: bool
    has_recovered: bool = False
    has_paused: bool = False


def types_of(on: Collection[str], outcome: Outcome, *, is_execution: bool) -> Iterator[str]:
    """What whoever wants to hear `on` these occasions is told: each end at most once, and that a job paused itself."""
    what = "execution" if is_execution else "run"
    if outcome.has_failed:
        if FAILURE in on or COMPLETION in on:
            yield f"{what}.failed"
    elif outcome.has_recovered and RECOVERY in on:
        yield f"{what}.recovered"
    elif SUCCESS in on or COMPLETION in on:
        yield f"{what}.succeeded"
    if outcome.has_paused and AUTO_PAUSE in on:
        yield JOB_PAUSED


def callback_run(callback: Callback, place: int, run: Run, type_: str, now: int) -> NewRun:
    """The run that tells of an execution by the callback at this place of its job's."""
    payload = _request(callback.url, callback.headers, callback.secret)
    return _new(HTTP_TASK, payload, About(run.id, type_), CALLBACK, now, str(place))


def alert_run(channel: Channel, run: Run, type_: str, now: int) -> NewRun:
    """The run that tells of another one by an alert channel."""
    return _alert(channel, About(run.id, type_, channel.id), now)


def summary_run(channel: Channel, now: int) -> NewRun:
    """The run that tells of all that waits in an alert channel: the next event of the channel says so."""
    return _alert(channel, About(channel.id, SUMMARY, channel.id, channel.version + 1), now)


def test_run(channel: Channel, run: str, now: int) -> NewRun:
    """The run with this id that tells by an alert channel that it is being tested."""
    return replace(_alert(channel, About(channel.id, CHANNEL_TEST, channel.id), now), id=run)


def _alert(channel: Channel, about: About, now: int) -> NewRun:
    spec = channel.spec
    if spec.kind == EMAIL:
        return _new(EMAIL_TASK, Raw(json.encode(AskedMail(spec.to, RETRY))), about, ALERT, now, channel.id)
    return _new(HTTP_TASK, _request(spec.url, spec.headers, spec.secret), about, ALERT, now, channel.id)


def request_to(url: str, headers: dict[str, str], secret: str | None) -> HttpRequest:
    """The request that brings a message, but for that."""
    sign_with = () if secret is None else (secret,)
    return HttpRequest(url, "POST", headers, NOTHING, TIMEOUT_SECONDS, sign_with=sign_with)


def _request(url: str, headers: dict[str, str], secret: str | None) -> Raw:
    return Raw(json.encode(Asked(request_to(url, headers, secret), RETRY)))


def _new(task: str, payload: Raw, about: About, source: str, now: int, by: str) -> NewRun:
    return NewRun(
        # Whoever decides the same end twice tells of it under the same name.
        derived_id("run", now, "about", about.run, about.type, by),
        task,
        payload,
        payload_size=len(payload),
        queue=QUEUE,
        tags=(f"about:{about.run}",),
        max_attempts=RETRY.max_attempts,
        source=source,
        about=about,
    )
