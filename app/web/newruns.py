"""From the options of a trigger to a new run: limits, durations, keys. Raises InvalidInput with a sentence."""

import hashlib
import math
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.schemas import Judge, judge_of
from app.web.bodies import KeyOptions, TriggerBody, TriggerOptions
from domain import durations, keys
from domain.environment import Environment
from domain.errors import InvalidInput
from domain.events import API, JSON_TYPE, NOTHING, BlobRef
from domain.lifecycle import Debounce, NewRun
from domain.nesting import NESTING_MAX, is_too_deep

INLINE_MAX_BYTES = 32_768
PAYLOAD_MAX_BYTES = 3_145_728
METADATA_MAX_BYTES = 262_144
TAGS_MAX = 10
TAG_MAX = 128
NAME_MAX = 128
KEY_MAX = 2_048
ATTEMPTS_MAX = 250
DEBOUNCE_KEY_MAX = 512
MACHINES = ("micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x")
KEY_TTL_MS = 30 * 86_400_000
DURATION_MIN_SECONDS = 1
DURATION_MAX_SECONDS = 2**31 - 1
PRIORITY_MAX = 10**9


def new_run(
    run: str,
    task: str,
    body: TriggerBody,
    environment: str,
    now: int,
    traceparent: str | None = None,
    batch: str | None = None,
    source: str = API,
) -> tuple[NewRun, dict[str, bytes]]:
    """The run that a trigger asks for, and the large values to keep beside it."""
    payload, blob, blobs = stored(body.payload, f"{run}/payload", PAYLOAD_MAX_BYTES, "payload")
    options = body.options
    if options is None:
        # The same as with options of which none is said, in a fraction of the time.
        name, size = named(task, "task id"), len(body.payload)
        new = NewRun(run, name, payload, blob, JSON_TYPE, size, batch=batch, traceparent=traceparent, source=source)
        return new, blobs
    _refuse_unknown(options)
    key = options.idempotency_key
    user_key = (options.idempotency_key_options and options.idempotency_key_options.text()) or key
    for given in (key, user_key):
        if given is not None and not 0 < len(given) <= KEY_MAX:
            raise InvalidInput(f"An idempotency key has 1 to {KEY_MAX} characters; this one has {len(given)}.")
    ttl = options.idempotency_key_ttl
    return NewRun(
        id=run,
        task=named(task, "task id"),
        payload=payload,
        payload_blob=blob,
        payload_type=options.payload_type or JSON_TYPE,
        payload_size=len(body.payload),
        queue=named(options.queue.name, "queue name") if options.queue else None,
        tags=tags_of([] if options.tags is None else options.tags),
        metadata=_metadata(options.metadata),
        priority=_priority(options.priority or 0),
        concurrency_key=named(str(options.concurrency_key), "concurrency key")
        if options.concurrency_key is not None
        else None,
        delay_until=_delay_until(options, now),
        ttl_ms=durations.parse_ttl(options.ttl) if options.ttl is not None else None,
        max_attempts=_attempts(options.max_attempts),
        max_duration_ms=_duration(options.max_duration),
        is_test=bool(options.test),
        batch=batch,
        key=keys.stream_of(environment, "run", task, key) if key is not None else None,
        key_until=now + (KEY_TTL_MS if ttl is None else durations.parse_key_ttl(ttl)),
        idempotency_key=user_key,
        traceparent=traceparent,
        source=source,
        lock=named(options.lock_to_version, "version") if options.lock_to_version else None,
        machine=known_machine(options.machine) if options.machine is not None else None,
        parent=options.parent_run_id or None,
        payload_digest=_digest_of(body.payload) if key is not None else None,
        keeps_failed=_keeps_failed(options.idempotency_key_options),
        debounce=_debounce(options, task, environment) if options.debounce is not None else None,
    ), blobs


def stored(value: Raw, key: str, max_bytes: int, what: str) -> tuple[Raw, BlobRef | None, dict[str, bytes]]:
    """A value as the event holds it: inline, or beside the ledger under `key` when it is large."""
    text = bytes(value)
    if len(text) > max_bytes:
        raise InvalidInput(f"The {what} has {len(text)} bytes; at most {max_bytes} are taken.")
    if not text:
        # Only NOTHING itself is left out of the event's JSON.
        return NOTHING, None, {}
    json_of(text, what)
    if len(text) <= INLINE_MAX_BYTES:
        return value, None, {}
    return NOTHING, BlobRef(key, hashlib.sha256(text).hexdigest(), len(text)), {key: text}


def tags_of(tags: str | list[str], what: str = "run") -> tuple[str, ...]:
    """The tags, each once, in their order. Raises InvalidInput when there are too many or one is too long."""
    given = [tags] if isinstance(tags, str) else tags
    if any(not 0 < len(tag) <= TAG_MAX for tag in given):
        raise InvalidInput(f"A tag has 1 to {TAG_MAX} characters.")
    unique = tuple(dict.fromkeys(given))
    if len(unique) > TAGS_MAX:
        raise InvalidInput(f"A {what} has at most {TAGS_MAX} tags; these are {len(unique)}.")
    return unique


def named(name: str, what: str) -> str:
    """A name that can stand in lists, filters and file names. Raises InvalidInput."""
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise InvalidInput(f"A {what} has 1 to {NAME_MAX} printable characters.")
    return name


def all_judged(runs: list[NewRun], environment: Environment, blobs: dict[str, bytes]) -> list[NewRun]:
    """The runs, with what the schemas of their tasks say of their payloads, where there are any."""
    # Those that come together are most often of one task.
    kinds = {(new.task, new.lock) for new in runs}
    judges = {kind: judge for kind in kinds if (judge := judge_of(environment, *kind))}
    return [_judged(new, judges.get((new.task, new.lock)), blobs) for new in runs] if judges else runs


def judged(new: NewRun, environment: Environment, blobs: dict[str, bytes]) -> NewRun:
    """The run, with what the schema of its task says of its payload."""
    return _judged(new, judge_of(environment, new.task, new.lock), blobs)


def _judged(new: NewRun, judge: Judge | None, blobs: dict[str, bytes]) -> NewRun:
    if judge is None:
        return new
    payload = blobs[new.payload_blob.key] if new.payload_blob else new.payload
    return replace(new, verdict=judge.verdict(payload, new.payload_type))


def json_of(text: bytes, what: str) -> Any:
    """The value, which every reader can read. Raises InvalidInput for what only some can.

    One value that a reader chokes on would take the list or the turn that it is part of with it.
    """
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"The {what} cannot be read everywhere: {error}.") from error
    if is_too_deep(text):
        raise InvalidInput(f"The {what} is nested too deeply: more than {NESTING_MAX} levels.")
    return value


def _metadata(metadata: Raw) -> Raw:
    text = bytes(metadata)
    if len(text) > METADATA_MAX_BYTES:
        raise InvalidInput(f"The metadata has {len(text)} bytes; at most {METADATA_MAX_BYTES} are taken.")
    value = json_of(text, "metadata") if text else None
    if value is not None and not isinstance(value, dict):
        raise InvalidInput("The metadata is a JSON object.")
    return NOTHING if value is None else metadata


def refuse_resuming(*, asked: bool | None) -> None:
    """Raises InvalidInput: that a run waits is an entry of its journal, which only its worker can report."""
    if asked:
        raise InvalidInput(
            "The option resumeParentOnCompletion is not supported: that a run waits is for its own worker to say"
            " (task.trigger_and_wait in Python). Leave it out, and ask for the new run until it has ended."
        )


def _refuse_unknown(options: TriggerOptions) -> None:
    # These change what happens; to ignore them would be a lie.
    refuse_resuming(asked=options.resume_parent_on_completion)
    for name, given in (("gates", options.gates), ("concurrency", options.concurrency)):
        if bytes(given) not in {b"", b"null"}:
            raise InvalidInput(f"The option {name} is not supported: limit the run by its queue and a concurrencyKey.")


def known_machine(machine: str) -> str:
    """A machine preset. Raises InvalidInput for one that there is not."""
    if machine not in MACHINES:
        raise InvalidInput(f"There is no machine {machine[:40]!r}; machines are {', '.join(MACHINES)}.")
    return machine


def machine_of(machine: str | None) -> str | None:
    """A machine preset, if one is named."""
    return None if machine is None else known_machine(machine)


def _digest_of(payload: Raw) -> str:
    """Tells one payload from another, however it is written."""
    value: Any = msgspec.json.decode(payload) if bytes(payload) else None
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]


def _keeps_failed(options: KeyOptions | None) -> bool:
    on_failure = options.on_failure if options else None
    if on_failure not in {None, "free", "return"}:
        raise InvalidInput(f'onFailure is "free" or "return", not {on_failure!r}.')
    return on_failure == "return"


def _delay_until(options: TriggerOptions, now: int) -> int | None:
    if options.debounce is not None:
        return now + durations.parse_duration(options.debounce.delay)
    return durations.parse_delay(options.delay, now) if options.delay is not None else None


def _debounce(options: TriggerOptions, task: str, environment: str) -> Debounce | None:
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


def _attempts(attempts: int | None) -> int | None:
    if attempts is not None and not 1 <= attempts <= ATTEMPTS_MAX:
        raise InvalidInput(f"maxAttempts is 1 to {ATTEMPTS_MAX}, not {attempts}.")
    return attempts


def _duration(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not math.isfinite(seconds) or not DURATION_MIN_SECONDS <= seconds <= DURATION_MAX_SECONDS:
        raise InvalidInput(f"maxDuration is at least {DURATION_MIN_SECONDS} second, not {seconds:g}.")
    # The largest number stands for no limit at all (Trigger.dev's convention).
    return None if seconds == DURATION_MAX_SECONDS else int(seconds * 1_000)


def _priority(seconds: float) -> int:
    if not math.isfinite(seconds) or abs(seconds) > PRIORITY_MAX:
        raise InvalidInput(f"priority is a number of seconds between -{PRIORITY_MAX} and {PRIORITY_MAX}.")
    return round(seconds)
