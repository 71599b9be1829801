"""Variables of an environment, with their values sealed and opened."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.secrets import key_name_of
from app.engine.reader import Reader
from app.service import Service
from domain import commands
from domain.environment import Environment
from domain.errors import InvalidInput
from domain.events import Recorded, VariableRemoved, VariableSaved

NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,127}")
VALUE_MAX_BYTES = 32_768
_PURPOSE = "variable"


async def save(
    service: Service, values: Mapping[str, str], origin: dict[str, Any], *, is_secret: bool, replaces: bool = True
) -> None:
    """Keep these variables. Raises InvalidInput, KeyMissing; then all stay as they are."""
    for name, value in values.items():
        _check(name, value)
    environment = origin["environment"]
    sealed = tuple(
        (name, service.vault.seal(value.encode(), environment, _PURPOSE, name), is_secret)
        for name, value in values.items()
    )
    await service.loop.submit(commands.SaveVariables(variables=sealed, replaces=replaces, **origin))


def opened(reader: Reader, environment: Environment, name: str) -> str:
    """The value of a variable. Raises KeyMissing, SealBroken."""
    return reader.vault.open(environment.variables[name].sealed, environment.id, _PURPOSE, name).decode()


def untold(reader: Reader, history: Sequence[Recorded], then: Environment, position: int) -> set[str]:
    """Of the variables that there were at a position, those whose values of then are told to nobody.

    They were secret, were made so or removed since, or are sealed with a key that is no longer here.
    """
    later = (each.event for each in history if each.position > position)
    taken_back = {
        event.name
        for event in later
        if isinstance(event, VariableRemoved) or (isinstance(event, VariableSaved) and event.is_secret)
    }
    return {
        name
        for name, each in then.variables.items()
        if each.is_secret or name in taken_back or not reader.vault.has(key_name_of(each.sealed))
    }


def not_sealed_with(reader: Reader, environment: Environment, key: str) -> dict[tuple[str, bool], str]:
    """What another key has sealed, by name and whether it is secret. Raises KeyMissing, SealBroken."""
    return {
        (name, each.is_secret): opened(reader, environment, name)
        for name, each in environment.variables.items()
        if key_name_of(each.sealed) != key
    }


def _check(name: str, value: str) -> None:
    if not NAME.fullmatch(name):
        raise InvalidInput(f"A variable has a name of 1 to 128 letters, digits and underscores, not {name[:40]!r}.")
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > VALUE_MAX_BYTES or "\0" in value:
        raise InvalidInput(f"The value of {name} has {size} bytes; at most {VALUE_MAX_BYTES} are kept, none of them 0.")
