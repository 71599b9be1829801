"""Calls to the API of an engine that the SDK has no words for."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

import runfold
from app import settings
from runfold.answers import read
from runfold.blocking import blocking
from runfold.config import key_file
from runfold.errors import not_an_engine
from runfold.transport import default, origin


def connect(*, as_keeper: bool = False) -> None:
    """Speak to the engine that the settings name; a keeper of environments with its admin key, if it is set."""
    found = settings.load()
    is_admin = as_keeper and found.admin_key is not None
    runfold.configure(api_url=found.address, secret_key=found.admin_key if is_admin else found.secret_key)
    variable = "RUNFOLD_ADMIN_KEY" if is_admin else "RUNFOLD_SECRET_KEY" if found.secret_key else None
    _connected.key_from = variable or str(key_file())
    _connected.addresses = found.addresses


@dataclass
class _Connected:
    key_from: str = ""
    addresses: list[str] = field(default_factory=list[str])


_connected = _Connected()


def key_from() -> str:
    """The variable or the file with the key that this command showed."""
    return _connected.key_from


def call(method: str, *path: str, body: Any = None, below: str = "/api/v1/", **query: str) -> Any:
    """What the engine answers. The parts of the path are data, whatever is in them.

    Raises ApiError, and ConfigurationError for what no engine answers.
    """
    target = below + "/".join(quote(part, safe="") for part in path)
    sent = None if body is None else msgspec.json.encode(body)
    return read(blocking(default.call)(method, target, query=query or None, body=sent), dict[str, Any])


def said_of_other_server() -> str | None:
    """What is said if something else than an engine answers at the address of this command; None if an engine does.

    An engine says at `/readyz` what role its node has, also when that is not ready.
    """
    if not _connected.addresses:
        return None
    try:
        told = call("GET", "readyz", below="/")
    except runfold.ApiConnectionError:
        return None
    except runfold.ApiError as refusal:
        told = refusal.body
    except runfold.ConfigurationError as error:
        return str(error)
    if isinstance(told, dict) and {"role", "readModels"} <= told.keys():
        return None
    asked = (origin(httpx.Request("GET", each)) for each in _connected.addresses)
    return not_an_engine(200, " or ".join(asked))


def date_of(item: dict[str, Any], name: str) -> str:
    """A date of an answer to the second, in UTC; nothing where there is none."""
    return str(item.get(name, ""))[:19].replace("T", " ")
