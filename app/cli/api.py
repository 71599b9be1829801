"""Calls to the API of an engine that the SDK has no words for."""

from typing import Any
from urllib.parse import quote

import msgspec

import runfold
from app import settings
from runfold.blocking import blocking
from runfold.transport import default


def connect(*, as_keeper: bool = False) -> None:
    """Speak to the engine that the settings name; a keeper of environments with its admin key, if it is set."""
    found = settings.load()
    key = found.admin_key if as_keeper and found.admin_key else found.secret_key
    runfold.configure(api_url=found.address, secret_key=key)


def call(method: str, *path: str, body: Any = None, below: str = "/api/v1/", **query: str) -> Any:
    """What the engine answers. The parts of the path are data, whatever is in them. Raises ApiError."""
    target = below + "/".join(quote(part, safe="") for part in path)
    sent = None if body is None else msgspec.json.encode(body)
    return msgspec.json.decode(blocking(default.call)(method, target, query=query or None, body=sent))


def date_of(item: dict[str, Any], name: str) -> str:
    """A date of an answer to the second, in UTC; nothing where there is none."""
    return str(item.get(name, ""))[:19].replace("T", " ")
