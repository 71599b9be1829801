"""How events of the ledger are told: as they are, and as CloudEvents 1.0, for what collects those of many systems."""

from collections.abc import Iterable
from typing import Any

from domain.audit import kind_of
from domain.durations import iso
from domain.events import Recorded

SEQUENCE_DIGITS = 19
"""Positions have at most so many, and the extension `sequence` is compared as a text."""
_AUTH_TYPES = {"key:": "api_key", "admin": "api_key", "token:": "app_user", "worker:": "service_account"}
_NOBODY_KNOWS = frozenset({"webhook", "callback", "upload"})


def event_items(history: Iterable[Recorded]) -> list[dict[str, Any]]:
    """Events with all that the ledger knows of them."""
    return [
        {
            "position": each.position,
            "id": each.stream,
            "version": each.version,
            "type": type(each.event).__name__,
            "occurredAt": iso(each.occurred_at),
            "recordedAt": iso(each.recorded_at),
            "actor": each.actor,
            "cause": each.cause,
            "data": each.event,
        }
        for each in history
    ]


def cloud_events(records: Iterable[Recorded]) -> list[dict[str, Any]]:
    """Each with the extensions `sequence`, `recordedtime`, `authtype` and `authid` as their specifications have them.

    `cause` and `streamversion` are our own. The id is the position, the subject what it happened to.
    """
    return [
        {
            "specversion": "1.0",
            "id": str(each.position),
            "source": f"/environments/{each.environment}",
            "type": f"runfold.{type(each.event).__name__}",
            "subject": each.stream,
            "time": iso(each.occurred_at),
            "recordedtime": iso(each.recorded_at),
            "sequence": f"{each.position:0{SEQUENCE_DIGITS}}",
            "authtype": _auth_type(each.actor),
            "authid": each.actor,
            "cause": each.cause,
            "streamversion": each.version,
            "datacontenttype": "application/json",
            "data": each.event,
        }
        for each in records
    ]


def _auth_type(actor: str) -> str:
    if actor in _NOBODY_KNOWS:
        return "unauthenticated"
    # What the engine and its executors do by themselves.
    return _AUTH_TYPES.get(kind_of(actor), "system")
