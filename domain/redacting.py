"""What is left of an event of a run when what users gave it is erased."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from domain import events as e
from domain.events import NOTHING, Event, RunError, RunEvent

NULL = Raw(b"null")


def redacted(event: Event, *, with_names: bool) -> Event:
    """The event without values, `with_names` also without tags and keys; the same event if it has none of them."""
    redact = _REDACTED.get(type(event))
    after = redact(event) if redact else event
    if with_names and (names := _NAMES.get(type(after))):
        after = replace(after, **names)
    return event if after == event else after


def is_redactable(event: Event, *, with_names: bool) -> bool:
    """Whether events of this type can have values at all."""
    return type(event) in _REDACTED or (with_names and type(event) in _NAMES)


def without_words(error: RunError) -> RunError:
    """The error with nothing but what the engine itself says of it."""
    return RunError("", code=error.code, exit_code=error.exit_code, signal=error.signal)


def _triggered(event: e.RunTriggered) -> e.RunTriggered:
    prefix = event.prefix and replace(event.prefix, edits=tuple(e.Edit(edit.index) for edit in event.prefix.edits))
    about = event.event and replace(event.event, context=NOTHING)
    return replace(event, payload=NOTHING, payload_blob=None, metadata=NOTHING, prefix=prefix, event=about)


def _without_value(event: Any) -> Any:
    return replace(event, output=NOTHING, output_blob=None)


def _failed(event: e.AttemptFailed) -> e.AttemptFailed:
    return replace(event, error=without_words(event.error), output=NOTHING, output_blob=None)


def _in_error(event: Any) -> Any:
    return replace(event, error=without_words(event.error))


def _in_journal(event: Any) -> Any:
    # The digest of arguments would tell whoever guesses them that the guess is right.
    return replace(event, entry=replace(event.entry, digest=None))


_REDACTED: dict[type[Event], Callable[[Any], Event]] = {
    e.RunTriggered: _triggered,
    e.RunDebounced: lambda event: replace(event, payload=NOTHING, payload_blob=None, metadata=NOTHING),
    e.AttemptSucceeded: _without_value,
    e.AttemptFailed: _failed,
    e.StepSucceeded: lambda event: replace(_in_journal(event), result=NOTHING, result_blob=None),
    e.StepFailed: lambda event: _in_journal(_in_error(event)),
    e.StepTryFailed: lambda event: _in_journal(_in_error(event)),
    e.ChildrenTriggered: _in_journal,
    e.WaitStarted: _in_journal,
    e.RunLogged: lambda event: replace(event, lines=()),
    e.MetadataUpdated: lambda event: replace(event, metadata=NULL),
    e.AuthResolved: lambda event: replace(event, sealed=""),
    e.RunCanceled: lambda event: replace(event, reason=None),
    **dict.fromkeys(
        (e.RunFailed, e.RunCrashed, e.RunInterrupted, e.RunSystemFailed, e.PayloadRejected, e.AuthUnresolved),
        _in_error,
    ),
}
_NAMES: dict[type[Event], dict[str, Any]] = {
    e.RunTriggered: {"tags": (), "idempotency_key": None, "concurrency_key": None},
    e.RunDebounced: {"tags": ()},
    e.TagsAdded: {"tags": ()},
}
assert all(issubclass(each, RunEvent) for each in (*_REDACTED, *_NAMES))
