"""Payloads against the JSON Schemas of tasks. The verdict is an argument to the domain, which knows no schemas."""

from functools import lru_cache
from itertools import islice
from typing import Any, TypeGuard, cast

import jsonschema_rs
import msgspec

from app.superjson import SUPER_JSON_TYPE
from domain.environment import Environment
from domain.errors import InvalidInput
from domain.events import RunError
from domain.gates import Verdict

ERRORS_MAX = 10
SCHEMA_MAX_BYTES = 262_144
PATHS_MAX = 100_000
"""How many ways there may be through a schema, along its references. Each takes about 0.1 us of a small payload."""
_BACKTRACKS_MAX = 100_000
"""A pattern that would look for longer than this counts as not matched: no payload may stop the engine."""


def check_schema(schema: dict[str, Any], task: str) -> None:
    """Raises InvalidInput, with a sentence, for what is no JSON Schema that can be used here."""
    text = msgspec.json.encode(schema)
    if len(text) > SCHEMA_MAX_BYTES:
        raise InvalidInput(f"The payload schema of task {task} has {len(text)} bytes; at most {SCHEMA_MAX_BYTES}.")
    try:
        _validator(text)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise InvalidInput(
            f"The payload schema of task {task} cannot be used: {_first_line(error).rstrip('.')}."
        ) from error
    if paths_of(schema) > PATHS_MAX:
        raise InvalidInput(
            f"The payload schema of task {task} refers to its own parts so often that there are more than {PATHS_MAX}"
            " ways through it: no payload could be checked in time."
        )


def paths_of(schema: dict[str, Any]) -> int:
    """How many ways there are from a schema to the ends of its parts, along its own references; circles count once."""
    known: dict[int, int] = {}

    def count(part: Any) -> int:
        if id(part) not in known:
            known[id(part)] = 1
            found = 1 + sum(count(each) for each in _parts_of(part))
            reference = _members_of(part).get("$ref")
            if isinstance(reference, str) and reference.startswith("#"):
                found += count(_at(schema, reference))
            known[id(part)] = min(found, PATHS_MAX + 1)
        return known[id(part)]

    # What is only defined counts where it is referred to.
    own = {name: part for name, part in schema.items() if name not in {"$defs", "definitions"}}
    return count(own)


def _is_list(part: Any) -> TypeGuard[list[Any]]:
    return isinstance(part, list)


def _members_of(part: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}


def _parts_of(part: Any) -> list[Any]:
    """The objects and lists in an object or a list."""
    parts = part if _is_list(part) else list(_members_of(part).values())
    return [each for each in parts if isinstance(each, dict | list)]


def _at(schema: dict[str, Any], reference: str) -> Any:
    """What a reference within the schema names; one by an anchor counts as the whole."""
    place: Any = schema
    for step in reference[2:].split("/") if reference.startswith("#/") else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if _is_list(place):
            place = place[int(name)] if name.isdigit() and int(name) < len(place) else None
        else:
            place = _members_of(place).get(name)
    return place


def verdict_of(environment: Environment, task: str, lock: str | None, payload: bytes, kind: str) -> Verdict | None:
    """What the schema that counts for a run says of its payload; None where there is no schema (yet)."""
    judge = judge_of(environment, task, lock)
    return judge.verdict(payload, kind) if judge else None


def judge_of(environment: Environment, task: str, lock: str | None) -> "Judge | None":
    """The schema that counts for runs of a task; None where there is none (yet)."""
    version = lock or environment.home(task)
    settings = environment.settings(task, version) if version else None
    if version is None or settings is None or settings.payload_schema is None:
        return None
    return Judge(version, settings.payload_schema)


class Judge:
    """A schema of one version. What takes as long for one payload as for many is done when it is made."""

    def __init__(self, version: str, schema: dict[str, Any]) -> None:
        self._version = version
        self._schema = msgspec.json.encode(schema)
        self._fits = Verdict(version)

    def verdict(self, payload: bytes, kind: str) -> Verdict:
        """What the schema says of a payload."""
        found = self._mistakes(payload, kind)
        return Verdict(self._version, RunError("; ".join(found)[:8_192], "InvalidPayload")) if found else self._fits

    def _mistakes(self, payload: bytes, kind: str) -> list[str]:
        """What is wrong with a payload, and where. One that cannot be looked at is wrong: no worker could either."""
        try:
            validator, value = _validator(self._schema), value_of(payload, kind)
            # To say what is wrong takes several times as long, and mostly nothing is.
            if validator.is_valid(value):
                return []
            errors = islice(validator.iter_errors(value), ERRORS_MAX)
            return [f"{_path(error.instance_path)}: {error.message}" for error in errors]
        except msgspec.DecodeError as error:
            return [f"$: it is said to be {SUPER_JSON_TYPE} and cannot be read as that: {_first_line(error)}"]
        except (ValueError, RecursionError) as error:
            return [f"$: it cannot be checked: {_first_line(error)}"]


def value_of(payload: bytes, kind: str) -> Any:
    """A payload as workers see it; one that is absent counts as null."""
    value: Any = msgspec.json.decode(payload) if payload else None
    if kind != SUPER_JSON_TYPE:
        return value
    wrapped: Any = msgspec.json.decode(value) if isinstance(value, str) else value
    return cast("dict[str, Any]", wrapped).get("json") if isinstance(wrapped, dict) else wrapped


@lru_cache(maxsize=1_000)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(
        msgspec.json.decode(schema),
        # Whoever registers a task must not make the engine call addresses.
        retriever=_refuse,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS_MAX),
    )


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not part of the schema, and nothing is fetched.")


def _path(steps: list[str | int]) -> str:
    return "$" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if step.isidentifier() else f"[{step!r}]" for step in steps
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
