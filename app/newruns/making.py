"""From what a trigger asks for to a new run. Raises InvalidInput with a sentence."""

import hashlib
from typing import Any

import msgspec
from msgspec import Raw

from app.names import known_machine, named, tags_of
from app.newruns.asked import KeyOptions, TriggerBody, TriggerOptions
from app.newruns.options import attempts_of, debounce_of, delay_until, duration_of, metadata_of, priority_of
from app.values import PAYLOAD_MAX_BYTES, stored
from domain import durations, keys
from domain.errors import InvalidInput
from domain.events import API, JSON_TYPE
from domain.lifecycle import NewRun

KEY_MAX = 2_048
KEY_TTL_MS = 30 * 86_400_000


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
        metadata=metadata_of(options.metadata),
        priority=priority_of(options.priority or 0),
        concurrency_key=named(str(options.concurrency_key), "concurrency key")
        if options.concurrency_key is not None
        else None,
        delay_until=delay_until(options, now),
        ttl_ms=durations.parse_ttl(options.ttl) if options.ttl is not None else None,
        max_attempts=attempts_of(options.max_attempts),
        max_duration_ms=duration_of(options.max_duration),
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
        debounce=debounce_of(options, task, environment) if options.debounce is not None else None,
    ), blobs


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


def _digest_of(payload: Raw) -> str:
    """Tells one payload from another, however it is written."""
    value: Any = msgspec.json.decode(payload) if bytes(payload) else None
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]


def _keeps_failed(options: KeyOptions | None) -> bool:
    on_failure = options.on_failure if options else None
    if on_failure not in {None, "free", "return"}:
        raise InvalidInput(f'onFailure is "free" or "return", not {on_failure!r}.')
    return on_failure == "return"
