"""Connections with their credentials sealed and opened: what the routes, and the hand-outs of runs, ask for."""

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from adapters.secrets import key_name_of
from app.engine.aggregates import states_of, until
from app.engine.reader import Reader
from app.public_tokens import seal_key
from app.service import Service
from app.vault import variables
from domain import commands, states
from domain.connection import Connection, stream_of
from domain.errors import InvalidInput, KeyMissing, NotFound
from domain.run import Run
from domain.secret import Secret

SECRET_MAX_BYTES = 65_536
_CONNECTION = "connection"
_AUTH = "authorization of run"


async def connections_of(reader: Reader, environment: str, *, upto: int | None = None) -> list[Connection]:
    """Those of an environment that are, or were at a position, ready, by name."""
    found = await states_of(reader, "conn", environment, upto=upto)
    ready = [each for each in found if isinstance(each, Connection) and each.is_ready]
    return sorted(ready, key=lambda connection: connection.name)


async def connection_of(reader: Reader, environment: str, name: str, *, upto: int | None = None) -> Connection:
    """One that is, or was, ready. Raises NotFound."""
    found = states.fold(until(upto, await reader.history(stream_of(environment, name))))
    if not isinstance(found, Connection) or not found.is_ready:
        raise NotFound(f"There {'is' if upto is None else 'was'} no connection {name} in this environment.")
    return found


async def save(service: Service, name: str, credentials: Raw, origin: dict[str, Any]) -> Connection:
    """Seal the credentials, and make the connection ready with them. Raises KeyMissing, InvalidInput."""
    sealed = _seal(service, origin["environment"], _CONNECTION, name, credentials)
    command = commands.SaveConnection(name=name, sealed=sealed, key_name=key_name_of(sealed), **origin)
    connection = await service.loop.submit(command)
    assert isinstance(connection, Connection), "it replaces whatever was there"
    return connection


async def rotate(service: Service, origin: dict[str, Any]) -> tuple[int, int]:
    """Seal with the first key what is sealed with others, the secret keys and the variables too.

    Returns how many connections that were, and how many it had sealed. Raises KeyMissing, SealBroken when one of all
    cannot be opened; then all stay as they are.
    """
    found = await connections_of(service, origin["environment"])
    environment = service.loop.engine.memory.environment(origin["environment"])
    sealed_keys = environment.sealed_keys if environment else {}
    is_needed = found or sealed_keys or (environment and environment.variables)
    first = service.vault.first_key().name if is_needed else ""
    others = [each for each in found if each.key != first]
    opened = [_open(service, each.environment, _CONNECTION, each.name, each.sealed or "") for each in others]
    kept = {sha256: sealed for sha256, sealed in sealed_keys.items() if key_name_of(sealed) != first}
    keys = {sha256: service.keyring.open(origin["environment"], sha256, sealed) for sha256, sealed in kept.items()}
    values = variables.not_sealed_with(service, environment, first) if environment else {}
    rotated = 0
    for before, credentials in zip(others, opened, strict=True):
        sealed = _seal(service, before.environment, _CONNECTION, before.name, credentials)
        # What was saved meanwhile has the first key, and must not be replaced by what was there before.
        command = commands.SaveConnection(
            name=before.name, sealed=sealed, key_name=key_name_of(sealed), replaces=before.sealed, **origin
        )
        rotated += await service.loop.submit(command) is not None
    for sha256, key in keys.items():
        resealed = seal_key(service.vault, origin["environment"], sha256, key)
        assert resealed is not None, "there is a key to encrypt with"
        await service.loop.submit(commands.SealKey(sha256=sha256, sealed=resealed, **origin))
    for (name, is_secret), value in values.items():
        await variables.save(service, {name: value}, origin, is_secret=is_secret)
    return rotated, len(found) - rotated


def credentials_of(service: Service, environment: str, names: Iterable[str]) -> dict[str, Raw]:
    """The credentials of these connections of an environment (by its id), as JSON.

    Raises NotFound for one that is not ready, KeyMissing and SealBroken for one that cannot be opened.
    """
    opened: dict[str, Raw] = {}
    for name in names:
        connection = service.loop.engine.memory.connection(environment, name)
        if connection is None or connection.sealed is None:
            raise NotFound(f"There is no connection {name} in this environment.")
        opened[name] = _open(service, environment, _CONNECTION, name, connection.sealed)
    return opened


def check_keys(service: Service) -> None:
    """See to it that whatever unfinished runs may need can be opened. Raises KeyMissing."""
    needed: dict[str, str] = {}
    for state in service.loop.engine.memory.states.values():
        if isinstance(state, Connection) and state.key is not None:
            needed.setdefault(state.key, f"Connection {state.name} is")
        elif isinstance(state, Secret) and state.key is not None:
            needed.setdefault(state.key, f"Secret {state.name} is")
        elif isinstance(state, Run) and state.auth is not None:
            needed.setdefault(key_name_of(state.auth), f"What the auth resolver said of run {state.id} is")
    for name, what in needed.items():
        if not service.vault.has(name):
            raise KeyMissing(
                f"{what} encrypted with key {name}, which is not here:"
                " add it to RUNFOLD_ENCRYPTION_KEY, behind a comma, or bring its file back."
            )


def seal_auth(service: Service, environment: str, run: str, result: Raw) -> str:
    """What the auth resolver said of a run, as it may be stored. Raises KeyMissing, InvalidInput."""
    return _seal(service, environment, _AUTH, run, result)


def open_auth(service: Service, environment: str, run: str, sealed: str) -> Raw:
    """What the auth resolver said of a run. Raises KeyMissing, SealBroken."""
    return _open(service, environment, _AUTH, run, sealed)


def _seal(service: Service, environment: str, purpose: str, name: str, value: Raw) -> str:
    plain = bytes(value)
    if len(plain) > SECRET_MAX_BYTES:
        raise InvalidInput(f"The {purpose} {name} has {len(plain)} bytes; at most {SECRET_MAX_BYTES} are kept.")
    return service.vault.seal(plain, environment, purpose, name)


def _open(service: Service, environment: str, purpose: str, name: str, sealed: str) -> Raw:
    return Raw(service.vault.open(sealed, environment, purpose, name))
