"""Between nodes and PostgreSQL: passes on what both say, until it is told to cut the line or to swallow it all."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from tests.nodes.proxy_session import Faults, Session, Streams


class Proxy(Faults):
    """Listens on a port of its own, in a thread of its own, until it is closed."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._server: dict[str, Any] = conninfo_to_dict(database_url)
        self._sessions: dict[asyncio.Task[Any], Session] = {}
        self._opened = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="proxy")
        self._thread.start()
        self._opened.wait()

    def cut(self) -> None:
        """Hang up on everybody."""
        self._call(lambda: [task.cancel() for task in self._sessions])

    def swallow(self) -> None:
        """Let no byte through from now on, though each connection stays. New ones are made, and not answered."""
        self._call(lambda: self._set_hole(is_hole=True))

    def pass_on(self) -> None:
        """Let new connections be as they should. Those of which something was swallowed are dead, and do not tell."""
        self._call(lambda: self._set_hole(is_hole=False))

    def close(self) -> None:
        """Hang up on everybody, and listen no more."""
        self._call(self._closed.set)
        self._thread.join()

    async def _connect(self) -> Streams:
        host, port = self._server.get("host", "127.0.0.1"), self._server.get("port", 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    def _call(self, function: Callable[[], object]) -> None:
        async def call() -> None:
            function()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _set_hole(self, *, is_hole: bool) -> None:
        self.is_hole = is_hole
        for session in self._sessions.values():
            session.is_hole |= is_hole

    async def _run(self) -> None:
        self._loop, self._closed = asyncio.get_running_loop(), asyncio.Event()
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        user, password = (quote(self._server.get(each) or "", safe="") for each in ("user", "password"))
        address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}/{self._server['dbname']}"
        # Without the questions for an encrypted line, the first thing on it is the startup packet.
        self.url = f"postgresql://{user}:{password}@{address}?sslmode=disable&gssencmode=disable"
        self._opened.set()
        await self._closed.wait()
        listening.close()
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve(self, *node: Any) -> None:
        task = asyncio.current_task()
        assert task, "each connection is served by a task"
        session = self._sessions[task] = Session(self, node, self._connect)
        # Either side may hang up at any time, and a cut is asked for.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await session.run()
        await session.close()
        del self._sessions[task]
