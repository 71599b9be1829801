"""Secrets of requests, sealed and opened: what the routes, and the executor, ask for."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from adapters.secrets import key_name_of
from app.engine.aggregates import states_of, until
from app.engine.reader import Reader
from app.requests import SecretMissing
from app.service import Service
from domain import commands, states
from domain.errors import InvalidInput, KeyMissing, NotFound, SealBroken
from domain.secret import SECRET, Secret, stream_of

VALUE_MAX_BYTES = 65_536
_PURPOSE = "secret"


async def secrets_of(reader: Reader, environment: str, *, upto: int | None = None) -> list[Secret]:
    """Those of an environment that have, or had at a position, a value, by name."""
    found = await states_of(reader, SECRET, environment, upto=upto)
    there = [each for each in found if isinstance(each, Secret) and each.sealed is not None]
    return sorted(there, key=lambda secret: secret.name)


async def secret_of(reader: Reader, environment: str, name: str, *, upto: int | None = None) -> Secret:
    """One that has, or had, a value. Raises NotFound."""
    found = states.fold(until(upto, await reader.history(stream_of(environment, name))))
    if not isinstance(found, Secret) or found.sealed is None:
        raise NotFound(f"There {'is' if upto is None else 'was'} no secret {name[:128]} in this environment.")
    return found


async def save(service: Service, name: str, value: str, origin: dict[str, Any]) -> Secret:
    """Seal the value, and let the secret have it. Raises KeyMissing, InvalidInput."""
    plain = value.encode()
    if not 0 < len(plain) <= VALUE_MAX_BYTES:
        raise InvalidInput(f"A secret has 1 to {VALUE_MAX_BYTES} bytes; this one has {len(plain)}.")
    sealed = service.vault.seal(plain, origin["environment"], _PURPOSE, name)
    command = commands.SaveSecret(name=name, sealed=sealed, key_name=key_name_of(sealed), **origin)
    secret = await service.loop.submit(command)
    assert isinstance(secret, Secret), "it replaces whatever was there"
    return secret


async def rotate(service: Service, origin: dict[str, Any]) -> tuple[int, int]:
    """Seal with the first key what is sealed with others; returns how many that were, and how many it had sealed.

    Raises KeyMissing, SealBroken when one of them cannot be opened; then all stay as they are.
    """
    found = await secrets_of(service, origin["environment"])
    first = service.vault.first_key().name if found else ""
    others = [each for each in found if each.key != first]
    opened = [_open(service, each) for each in others]
    rotated = 0
    for before, plain in zip(others, opened, strict=True):
        sealed = service.vault.seal(plain, before.environment, _PURPOSE, before.name)
        # What was saved meanwhile has the first key, and must not be replaced by what was there before.
        command = commands.SaveSecret(
            name=before.name, sealed=sealed, key_name=key_name_of(sealed), replaces=before.sealed, **origin
        )
        rotated += await service.loop.submit(command) is not None
    return rotated, len(found) - rotated


def value_of(service: Service, environment: str, name: str) -> str:
    """The value of a secret, as it is now. Raises SecretMissing, KeyMissing, SealBroken."""
    state = service.loop.engine.memory.states.get(stream_of(environment, name))
    if not isinstance(state, Secret) or state.sealed is None:
        raise SecretMissing(missing_sentence(name))
    return _open(service, state).decode()


def missing_sentence(name: str) -> str:
    """What is said of a secret that has no value."""
    return f"There is no secret {name} in this environment: save it with PUT /v1/secrets/{name}."


def known_values(service: Service, environment: str, names: Iterable[str]) -> dict[str, str]:
    """The values of those of the secrets that have one that can be opened here."""
    found: dict[str, str] = {}
    for name in names:
        with suppress(SecretMissing, KeyMissing, SealBroken):
            found[name] = value_of(service, environment, name)
    return found


def _open(service: Service, secret: Secret) -> bytes:
    return service.vault.open(secret.sealed or "", secret.environment, _PURPOSE, secret.name)
