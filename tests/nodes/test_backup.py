"""A dump of a schema under running nodes, restored elsewhere by the commands of the page about backups."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from adapters.postgres.ledger import PostgresLedger
from tests.crash.processes import ROOT, Program
from tests.nodes.cluster import Cluster
from tests.nodes.test_takeover import request
from tests.postgres import BINARIES, database_of_its_own

PAGE = (ROOT / "docs/how-to/back-up-and-restore.md").read_text(encoding="utf-8")
SCHEMA = "runfold"
DUMP, RESTORE = [each for each in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "pg_" in each]
COMMENT = re.compile(r"\s+#.*")


@pytest.fixture
def source() -> Iterator[str]:
    with database_of_its_own() as url:
        yield url


@pytest.fixture
def target() -> Iterator[str]:
    with database_of_its_own() as url:
        yield url


def run(command: str, folder: Path, environment: Mapping[str, str]) -> None:
    path = f"{BINARIES}:{os.environ['PATH']}"
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd=folder, env={**os.environ, **environment, "PATH": path})


async def test_a_dump_that_was_taken_while_a_node_ran_is_restored_and_verified(
    tmp_path: Path, source: str, target: str
) -> None:
    cluster = Cluster(tmp_path, source, SCHEMA, seed=1, nodes=1)
    try:
        cluster.start()
        await cluster.until_roles("writer")
        cluster.start_worker(*cluster.nodes)
        cluster.clients.begin()
        await cluster.until_answered(20)
        run(DUMP, tmp_path, {"RUNFOLD_DATABASE_URL": source})
        await cluster.finish()
    finally:
        await cluster.close()

    there = {"RUNFOLD_DATABASE_URL": target, "RUNFOLD_DATABASE_SCHEMA": SCHEMA}
    commands = [COMMENT.sub("", line) for line in RESTORE.splitlines()]
    assert [each.split()[0] for each in commands] == ["pg_restore", "runfold", "runfold", "runfold"]
    run(commands[0], tmp_path, there)
    with closing(PostgresLedger(target, SCHEMA)) as ledger, closing(PostgresLedger(source, SCHEMA)) as whole:
        head = ledger.head()
        assert head.position > 0
        assert whole.digest_at(head.position) == head.digest, "what is in the dump is the beginning of the ledger"

    (tmp_path / "restored").mkdir()
    restored = Cluster(tmp_path / "restored", target, SCHEMA, seed=2, nodes=1)
    try:
        for command in commands[1:]:
            _, *arguments = command.split()
            if arguments == ["serve"]:
                restored.start()
                await restored.until_roles("writer")
                await restored.clients.ask(request("after"))
                continue
            program = await Program.start(there, "app", *arguments)
            assert await program.ended() == 0, program.said
    finally:
        await restored.close()
