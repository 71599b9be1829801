"""`/api/v1/connections`: credentials go in, are kept encrypted, and never come out again."""

from typing import Any

import pytest
from msgspec import Raw

from adapters.secrets import MasterKey, Vault
from app.vault.connections import SECRET_MAX_BYTES, check_keys, credentials_of, open_auth, seal_auth
from domain.errors import InvalidInput, KeyMissing, NotFound, SealBroken
from tests.app.harness import KEY, MASTER_KEY, START, Engine, environment

CONNECTIONS = "/api/v1/connections"
GITHUB = f"{CONNECTIONS}/github"
TOKEN = "ghp_nobody_may_read_this"
CREDENTIALS: dict[str, Any] = {"credentials": {"token": TOKEN}}
ITEM = {"name": "github", "createdAt": START, "updatedAt": START, "keyName": MASTER_KEY.name}
NAMES = ["a", "a/b", "a b", "*", "a:b", "..a", "ä€😀", "rotate", "%2F", "x" * 128]


def id_of(engine: Engine, slug: str = "dev") -> str:
    return next(each.id for each in engine.service.environments() if each.slug == slug)


async def test_a_saved_connection_is_shown_without_its_credentials(engine: Engine) -> None:
    saved = await engine.put(GITHUB, CREDENTIALS)

    assert saved == await engine.get(GITHUB) == ITEM
    assert await engine.get(CONNECTIONS) == {"data": [ITEM]}


async def test_a_task_gets_the_credentials_as_they_were_given(engine: Engine) -> None:
    values = {"github": {"token": TOKEN}, "null": None, "number": 1.50, "text": "ä€😀"}
    for name, value in values.items():
        await engine.put(f"{CONNECTIONS}/{name}", {"credentials": value})

    opened = credentials_of(engine.service, id_of(engine), ["github", "null"])

    assert {name: bytes(value) for name, value in opened.items()} == {
        "github": b'{"token":"ghp_nobody_may_read_this"}',
        "null": b"null",
    }
    assert bytes(credentials_of(engine.service, id_of(engine), ["text"])["text"]).decode() == '"ä€😀"'


async def test_saving_again_replaces_the_credentials(engine: Engine) -> None:
    await engine.put(GITHUB, CREDENTIALS)
    await engine.advance(1_000)

    saved = await engine.put(GITHUB, {"credentials": 2})

    assert saved == ITEM | {"updatedAt": "2027-01-15T08:00:01.000Z"}
    assert bytes(credentials_of(engine.service, id_of(engine), ["github"])["github"]) == b"2"


async def test_a_removed_connection_is_gone(engine: Engine) -> None:
    await engine.put(GITHUB, CREDENTIALS)

    assert await engine.delete(GITHUB) == {"name": "github"}

    sentence = "There is no connection github in this environment."
    assert await engine.refused("GET", GITHUB, 404) == sentence
    assert await engine.refused("DELETE", GITHUB, 404) == sentence
    assert await engine.get(CONNECTIONS) == {"data": []}
    with pytest.raises(NotFound, match=sentence):
        credentials_of(engine.service, id_of(engine), ["github"])


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_data_whatever_is_in_it(engine: Engine, name: str) -> None:
    path = f"{CONNECTIONS}/" + "".join(f"%{byte:02X}" for byte in name.encode())

    await engine.put(path, CREDENTIALS)

    assert (await engine.get(path))["name"] == name
    assert [each["name"] for each in (await engine.get(CONNECTIONS))["data"]] == [name]
    assert await engine.delete(path) == {"name": name}


async def test_connections_are_listed_by_name(engine: Engine) -> None:
    for name in ("b", "c", "a"):
        await engine.put(f"{CONNECTIONS}/{name}", CREDENTIALS)
    await engine.delete(f"{CONNECTIONS}/c")

    assert [each["name"] for each in (await engine.get(CONNECTIONS))["data"]] == ["a", "b"]


async def test_another_environment_has_connections_of_its_own(engine: Engine) -> None:
    other = await environment(engine, "stg")
    await engine.put(GITHUB, CREDENTIALS)

    await other.refused("GET", GITHUB, 404)
    await other.refused("DELETE", GITHUB, 404)
    assert await other.get(CONNECTIONS) == {"data": []}
    with pytest.raises(NotFound):
        credentials_of(engine.service, id_of(engine, "stg"), ["github"])


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        (f"{CONNECTIONS}/", CREDENTIALS, 422, "A connection name has 1 to 128 printable characters."),
        (f"{CONNECTIONS}/{'x' * 129}", CREDENTIALS, 422, "A connection name has 1 to 128 printable characters."),
        (f"{CONNECTIONS}/a%09b", CREDENTIALS, 422, "A connection name has 1 to 128 printable characters."),
        (GITHUB, {}, 400, "missing required field `credentials`"),
        (GITHUB, [TOKEN], 400, "Expected `object`, got `array`"),
        (GITHUB, {"credentials": "x" * SECRET_MAX_BYTES}, 422, "The connection github has 65538 bytes"),
        (GITHUB, {"credentials": "x" * 2 * SECRET_MAX_BYTES}, 413, "Request body too large"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_not_told(
    engine: Engine, path: str, body: Any, status: int, reason: str
) -> None:
    sentence = await engine.refused("PUT", path, status, json=body)

    assert reason in sentence
    assert TOKEN not in sentence


async def test_a_body_that_is_no_json_is_not_told_either(engine: Engine) -> None:
    sentence = await engine.refused("PUT", GITHUB, 400, content=f'{{"credentials": "{TOKEN}'.encode())

    assert TOKEN not in sentence


async def test_what_an_auth_resolver_said_opens_for_its_run_only(engine: Engine) -> None:
    own, said = id_of(engine), Raw(b'{"user": 7}')

    sealed = seal_auth(engine.service, own, "run_1", said)

    assert "user" not in sealed
    assert bytes(open_auth(engine.service, own, "run_1", sealed)) == bytes(said)
    with pytest.raises(SealBroken, match="The authorization of run run_2 cannot be decrypted"):
        open_auth(engine.service, own, "run_2", sealed)
    with pytest.raises(InvalidInput, match="at most 65536 are kept"):
        seal_auth(engine.service, own, "run_1", Raw(b'"' + b"x" * SECRET_MAX_BYTES + b'"'))


async def test_the_key_of_the_caller_stands_in_the_ledger_and_no_secret(engine: Engine) -> None:
    await engine.put(GITHUB, CREDENTIALS)
    await engine.delete(GITHUB)

    feed = (await engine.get("/api/v1/ledger/events", limit=1_000))["events"]
    told = [each for each in feed if each["type"].startswith("Connection")]

    assert [(each["type"], each["cause"]) for each in told] == [
        ("ConnectionSaved", f"PUT {GITHUB}"),
        ("ConnectionRemoved", f"DELETE {GITHUB}"),
    ]
    assert {each["actor"] for each in told} == {"key:" + told[0]["actor"].removeprefix("key:")}
    assert KEY not in str(feed)
    assert TOKEN not in str(feed)
    assert told[0]["data"].keys() == {"name", "sealed", "key"}
    assert MasterKey(bytes(32)).name != told[0]["data"]["key"] == MASTER_KEY.name


async def test_a_run_whose_connection_is_removed_before_its_worker_hears_of_it_waits(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "connections": ["github"]})
    await engine.put(GITHUB, CREDENTIALS)
    run = await engine.trigger()
    turn = {"session": engine.session, "version": version, "sequence": 1, "received": 0, "want": 1}
    handed = await engine.post("/worker/v1/turn", turn)
    await engine.delete(GITHUB)

    again = await engine.post("/worker/v1/turn", turn)
    await engine.turn(version, sequence=2, received=1)
    waiting = await engine.retrieve(run)
    await engine.put(GITHUB, CREDENTIALS)

    assert [each["connections"] for each in handed["runs"]] == [{"github": {"token": TOKEN}}]
    assert (again["runs"], waiting["status"]) == ([], "WAITING_ON_CONNECTIONS")
    assert (await engine.retrieve(run))["status"] == "QUEUED"


async def test_an_engine_without_the_key_of_a_connection_says_so_when_it_starts(engine: Engine) -> None:
    await engine.put(GITHUB, CREDENTIALS)
    check_keys(engine.service)
    engine.service.vault = Vault([MasterKey(bytes(32))], engine.service.vault.randbytes)

    with pytest.raises(KeyMissing, match=f"Connection github is encrypted with key {MASTER_KEY.name}, which is not"):
        check_keys(engine.service)
