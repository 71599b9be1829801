"""The options of a trigger one by one, each within its limits. All raise InvalidInput with a sentence."""

import math

from msgspec import Raw

from app.newruns.asked import TriggerOptions
from app.values import object_of
from domain import durations, keys
from domain.errors import InvalidInput
from domain.events import NOTHING
from domain.lifecycle import Debounce

METADATA_MAX_BYTES = 262_144
ATTEMPTS_MAX = 250
DEBOUNCE_KEY_MAX = 512
DURATION_MIN_SECONDS = 1
DURATION_MAX_SECONDS = 2**31 - 1
PRIORITY_MAX = 10**9


def metadata_of(metadata: Raw) -> Raw:
    """Metadata as the event holds it; NOTHING for null."""
    value = object_of(metadata, "metadata", max_bytes=METADATA_MAX_BYTES)
    return NOTHING if value is None else metadata


def delay_until(options: TriggerOptions, now: int) -> int | None:
    """When the run may start, in milliseconds since 1970; None for at once."""
    if options.debounce is not None:
        return now + durations.parse_duration(options.debounce.delay)
    return durations.parse_delay(options.delay, now) if options.delay is not None else None


def debounce_of(options: TriggerOptions, task: str, environment: str) -> Debounce | None:
    """With which other triggers this one becomes one run."""
    asked = options.debounce
    if asked is None:
        return None
    if not 0 < len(asked.key) <= DEBOUNCE_KEY_MAX:
        raise InvalidInput(f"A debounce key has 1 to {DEBOUNCE_KEY_MAX} characters; this one has {len(asked.key)}.")
    if asked.mode not in {None, "leading", "trailing"}:
        raise InvalidInput(f'The mode of a debounce is "leading" or "trailing", not {asked.mode!r}.')
    delay = durations.parse_duration(asked.delay)
    max_delay = None if asked.max_delay is None else durations.parse_duration(asked.max_delay)
    if delay <= 0:
        raise InvalidInput("The delay of a debounce is longer than nothing.")
    if max_delay is not None and max_delay <= delay:
        raise InvalidInput("The maxDelay of a debounce is longer than its delay.")
    stream = keys.stream_of(environment, "debounce", task, asked.key)
    return Debounce(stream, delay, asked.mode == "trailing", max_delay)


def attempts_of(attempts: int | None) -> int | None:
    """At most so many attempts; None for as many as the task says."""
    if attempts is not None and not 1 <= attempts <= ATTEMPTS_MAX:
        raise InvalidInput(f"maxAttempts is 1 to {ATTEMPTS_MAX}, not {attempts}.")
    return attempts


def duration_of(seconds: float | None) -> int | None:
    """How long the run may execute, in milliseconds; None for without a limit."""
    if seconds is None:
        return None
    if not math.isfinite(seconds) or not DURATION_MIN_SECONDS <= seconds <= DURATION_MAX_SECONDS:
        raise InvalidInput(f"maxDuration is at least {DURATION_MIN_SECONDS} second, not {seconds:g}.")
    # The largest number stands for no limit at all (Trigger.dev's convention).
    return None if seconds == DURATION_MAX_SECONDS else int(seconds * 1_000)


def priority_of(seconds: float) -> int:
    """How many seconds earlier the run counts as queued."""
    if not math.isfinite(seconds) or abs(seconds) > PRIORITY_MAX:
        raise InvalidInput(f"priority is a number of seconds between -{PRIORITY_MAX} and {PRIORITY_MAX}.")
    return round(seconds)
