"""The role that the page about PostgreSQL makes is enough: to migrate, serve, take over, rebuild, verify and export."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.crash.processes import ROOT, Program
from tests.nodes.cluster import Cluster
from tests.nodes.test_takeover import request
from tests.postgres import administer, new_schema, url_of

PAGE = (ROOT / "docs/how-to/run-on-postgresql.md").read_text(encoding="utf-8")
PASSWORD = "of-the-test"
SCHEMA = "runfold"


@pytest.fixture
def name() -> Iterator[str]:
    """Of a role and of a database, which are dropped in the end."""
    name = new_schema()
    try:
        yield name
    finally:
        administer(f"drop database if exists {name} with (force)", f"drop role if exists {name}")


def as_documented(name: str) -> list[str]:
    found = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert found, "the page says how"
    return str(found[1]).replace("runfold", name).replace("…", PASSWORD).strip().split("\n")


def owned(name: str) -> None:
    """A database of the role's own."""
    administer(*as_documented(name))


def shared(name: str) -> None:
    """A database of others, in which an administrator makes the schema."""
    (statement,) = re.findall("`(create schema .*?)`", PAGE)
    role, _ = as_documented(name)
    administer(role, f"create database {name}")
    with psycopg.connect(url_of(name), autocommit=True) as connection:
        connection.execute(statement.replace("authorization runfold", f"authorization {name}").encode())


@pytest.mark.parametrize("prepare", [owned, shared], ids=lambda each: each.__name__)
async def test_it_may_do_all_that_is_needed_and_nothing_more(
    tmp_path: Path, name: str, prepare: Callable[[str], None]
) -> None:
    prepare(name)
    url = url_of(name, name, PASSWORD)
    cluster = Cluster(tmp_path, url, SCHEMA, seed=1, nodes=2)
    try:
        cluster.start()
        await cluster.until_roles("writer", "standby")
        cluster.start_worker(*cluster.nodes)
        await cluster.clients.ask(request("before"))
        writer = await cluster.writer()
        await writer.kill()
        await cluster.clients.ask(request("after"))
        writer.start()
        await cluster.until_roles("writer", "standby")
        await cluster.finish()
    finally:
        await cluster.close()

    environment = {"RUNFOLD_DATABASE_URL": url, "RUNFOLD_DATABASE_SCHEMA": SCHEMA}
    for command in (
        ["database", "migrate", "--dry-run"],
        ["projections", "rebuild"],
        ["projections", "verify"],
        ["ledger", "export", str(tmp_path / "ledger.jsonl")],
    ):
        program = await Program.start(environment, "app", *command)
        assert await program.ended() == 0, program.said
    assert rights(url) == (False, False, False, False)


def rights(url: str) -> tuple[bool, ...]:
    """Whether the role is a superuser, makes roles or databases, or replicates."""
    with psycopg.connect(url) as connection:
        (found,) = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = current_user"
        ).fetchall()
    return tuple(found)
