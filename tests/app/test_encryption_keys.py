"""The keys that credentials are encrypted with: missing, kept in a file, exchanged for others."""

import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.secrets import KEY_BYTES, MasterKey, Vault, key_name_of
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app import settings
from app.engine.backends import open_vault
from app.settings import Settings
from app.transfer.copying import header_of, write_export
from app.vault.connections import credentials_of
from domain.commands import SaveConnection
from domain.errors import KeyMissing, SealBroken
from tests.app.harness import Engine, Log, running_engine

ONE, TWO = (MasterKey(bytes([number]) * KEY_BYTES) for number in (1, 2))
CONNECTIONS = "/api/v1/connections"
TOKEN = "ghp_nobody_may_read_this"
CREDENTIALS: dict[str, Any] = {"credentials": {"token": TOKEN}}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("RUNFOLD_ENCRYPTION_KEY", raising=False)
    return settings.load(database_url=f"sqlite:///{tmp_path}/ledger.db")


@asynccontextmanager
async def engine_on(found: Settings, vault: Vault | None = None) -> AsyncGenerator[Engine]:
    """An engine on the file that the settings name."""
    parts = SqliteLedger(found.database_path), SqliteReadModels(found.views_path)
    async with running_engine(*parts, vault=vault or open_vault(found)) as engine:
        yield engine


def opened(engine: Engine, name: str = "github") -> bytes:
    environment = engine.service.environments()[0].id
    return bytes(credentials_of(engine.service, environment, [name])[name])


async def key_names(engine: Engine) -> dict[str, str]:
    return {each["name"]: each["keyName"] for each in (await engine.get(CONNECTIONS))["data"]}


async def test_beside_a_file_a_key_is_kept_as_soon_as_one_is_needed(found: Settings) -> None:
    """Which is at the first start: the secret keys of environments are kept encrypted."""
    async with engine_on(found) as engine:
        await engine.put(f"{CONNECTIONS}/github", CREDENTIALS)

    assert stat.S_IMODE(found.key_path.stat().st_mode) == 0o600
    async with engine_on(found) as engine:
        assert opened(engine) == b'{"token":"ghp_nobody_may_read_this"}'
        assert await key_names(engine) == {"github": MasterKey.parse(found.key_path.read_text().strip()).name}


async def test_a_key_that_is_set_needs_no_file(found: Settings) -> None:
    async with engine_on(found.model_copy(update={"encryption_key": ONE.text})) as engine:
        await engine.put(f"{CONNECTIONS}/github", CREDENTIALS)

        assert await key_names(engine) == {"github": ONE.name}
    assert not found.key_path.exists()


async def test_a_key_that_is_set_later_takes_over_from_the_file(found: Settings) -> None:
    async with engine_on(found) as engine:
        await engine.put(f"{CONNECTIONS}/github", CREDENTIALS)

    async with engine_on(found.model_copy(update={"encryption_key": ONE.text})) as engine:
        before = opened(engine)
        answer = await engine.post(f"{CONNECTIONS}/rotate")
        assert (answer, await key_names(engine)) == ({"rotated": 1, "unchanged": 0}, {"github": ONE.name})
        found.key_path.unlink()
        assert key_name_of(next(iter(engine.service.environments()[0].sealed_keys.values()))) == ONE.name

    async with engine_on(found.model_copy(update={"encryption_key": ONE.text})) as engine:
        assert opened(engine) == before


async def test_without_a_key_credentials_are_refused_and_everything_else_goes_on() -> None:
    async with running_engine(vault=Vault([], os.urandom)) as engine:
        sentence = await engine.refused("PUT", f"{CONNECTIONS}/github", 422, json=CREDENTIALS)

        assert sentence == (
            "There is no key to encrypt this with: start the engine with RUNFOLD_ENCRYPTION_KEY, 32 random bytes"
            " in hex or base64, such as `openssl rand -hex 32` prints."
        )
        assert await engine.trigger()
        assert await engine.get(CONNECTIONS) == {"data": []}
        assert await engine.post(f"{CONNECTIONS}/rotate") == {"rotated": 0, "unchanged": 0}


def test_postgresql_has_no_file_beside_it() -> None:
    vault = open_vault(settings.load(database_url="postgresql://db/jobs"))

    with pytest.raises(KeyMissing):
        vault.first_key()


async def test_a_damaged_key_file_is_named(found: Settings) -> None:
    found.key_path.write_text("no key\n")

    async with engine_on(found) as engine:
        sentence = await engine.refused("PUT", f"{CONNECTIONS}/github", 422, json=CREDENTIALS)

    assert sentence == f"The key file {found.key_path} cannot be used: it holds no encryption key."


async def test_a_new_key_before_the_old_one_takes_over_all_at_once(found: Settings) -> None:
    async with engine_on(found, Vault([ONE], os.urandom)) as engine:
        for name in ("a", "b"):
            await engine.put(f"{CONNECTIONS}/{name}", CREDENTIALS)
    async with engine_on(found, Vault([TWO, ONE], os.urandom)) as engine:
        await engine.put(f"{CONNECTIONS}/c", CREDENTIALS)

        counts = [await engine.post(f"{CONNECTIONS}/rotate") for _ in range(2)]

        assert counts == [{"rotated": 2, "unchanged": 1}, {"rotated": 0, "unchanged": 3}]
    async with engine_on(found, Vault([TWO], os.urandom)) as engine:
        assert await key_names(engine) == dict.fromkeys("abc", TWO.name)
        assert {opened(engine, name) for name in "abc"} == {b'{"token":"ghp_nobody_may_read_this"}'}


async def test_when_one_cannot_be_opened_all_stay_as_they_are(found: Settings) -> None:
    async with engine_on(found, Vault([ONE], os.urandom)) as engine:
        await engine.put(f"{CONNECTIONS}/lost", CREDENTIALS)
    async with engine_on(found, Vault([MasterKey(bytes(KEY_BYTES))], os.urandom)) as engine:
        await engine.put(f"{CONNECTIONS}/known", CREDENTIALS)
    async with engine_on(found, Vault([TWO, MasterKey(bytes(KEY_BYTES))], os.urandom)) as engine:
        sentence = await engine.refused("POST", f"{CONNECTIONS}/rotate", 422)

        assert sentence.startswith(f"The connection lost is encrypted with key {ONE.name}, which is not here: ")
        with pytest.raises(KeyMissing, match=f"encrypted with key {ONE.name}"):
            opened(engine, "lost")


async def test_credentials_that_were_moved_do_not_open(found: Settings) -> None:
    async with engine_on(found, Vault([ONE], os.urandom)) as engine:
        await engine.put(f"{CONNECTIONS}/github", CREDENTIALS)
        service = engine.service
        environment = service.environments()[0].id
        saved = service.loop.engine.memory.connection(environment, "github")
        assert saved is not None
        assert saved.sealed is not None
        origin: dict[str, Any] = {
            "environment": environment,
            "actor": "thief",
            "cause": "test",
            "at": engine.clock.wall,
        }
        await service.loop.submit(SaveConnection(name="mine", sealed=saved.sealed, key_name=ONE.name, **origin))

        with pytest.raises(SealBroken, match="The connection mine cannot be decrypted: it was changed or moved"):
            opened(engine, "mine")


async def test_no_secret_is_in_the_database_an_export_or_a_log(found: Settings, tmp_path: Path, log: Log) -> None:
    async with engine_on(found) as engine:
        await engine.put(f"{CONNECTIONS}/github", CREDENTIALS)
        await engine.put(f"{CONNECTIONS}/github", {"credentials": TOKEN})
        await engine.client.put(f"{CONNECTIONS}/", json=CREDENTIALS)
        feed = await engine.client.get("/api/v1/ledger/events", params={"limit": 1_000})
        ledger = engine.service.ledger
        assert isinstance(ledger, SqliteLedger)
        with (tmp_path / "export").open("wb") as export:
            write_export(header_of(ledger, 0), ledger, export, lambda _: None)
        held = repr(engine.service.loop.engine.memory.states)

    files = _contents(tmp_path, but=found.key_path)
    secrets = [TOKEN, found.key_path.read_text().strip()]

    assert b"ConnectionSaved" in files["export"]
    assert {"ledger.db", "ledger.views.db", "export"} <= files.keys()
    for secret in secrets:
        assert [name for name, content in files.items() if secret.encode() in content] == []
        assert secret not in feed.text + repr(log) + held


def _contents(folder: Path, *, but: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each != but}
