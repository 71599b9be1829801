"""Looking names up with the resolver of this machine, which may hang for each of them as long as it likes."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakValueDictionary

LOOKUPS_MAX = 64
"""How many names are looked up at once: those whose servers are silent may take their threads for half a minute."""
LOOKUPS_OF_DOMAIN_MAX = 4
"""How many of these may be of one domain: one server that is silent must not hold up the names of all others."""


class _Lookup:
    """One name that is looked up, for all that wait for it."""

    def __init__(self) -> None:
        self.has_begun = False
        self.waiting = 0
        self.task: asyncio.Task[list[str]]


class SystemResolver:
    """Looks names up in threads of its own. Who asks for a name that is being looked up waits for the same look-up.

    A look-up that hangs cannot be ended: it goes on when nobody waits for it any more, and serves who asks next.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, "lookup")
        self._room = asyncio.Semaphore(LOOKUPS_MAX)
        self._rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._lookups: dict[str, _Lookup] = {}

    async def __call__(self, host: str, _port: int) -> list[str]:
        """The numeric addresses of a name, best first; none where it has none. What is numeric is not looked up."""
        number = numeric(host)
        if number is not None:
            return [number]
        lookup = self._lookups.get(host) or self._begin(host)
        lookup.waiting += 1
        try:
            return await asyncio.shield(lookup.task)
        finally:
            lookup.waiting -= 1
            if not lookup.waiting and not lookup.has_begun:
                self._forget(host, lookup)
                lookup.task.cancel()

    def _begin(self, host: str) -> _Lookup:
        lookup = self._lookups[host] = _Lookup()
        lookup.task = asyncio.create_task(self._look_up(host, lookup), name=f"look up {host}")
        return lookup

    async def _look_up(self, host: str, lookup: _Lookup) -> list[str]:
        # The last two labels: of names below a public suffix such as co.uk no more are looked up at once, either.
        domain = ".".join(host.rstrip(".").rsplit(".", 2)[-2:]).lower()
        room = self._rooms.setdefault(domain, asyncio.Semaphore(LOOKUPS_OF_DOMAIN_MAX))
        try:
            async with room, self._room:
                lookup.has_begun = True
                return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses_of, host)
        finally:
            self._forget(host, lookup)

    def _forget(self, host: str, lookup: _Lookup) -> None:
        if self._lookups.get(host) is lookup:
            del self._lookups[host]


def numeric(host: str) -> str | None:
    """The address that a host is, however it is written (127.1, 0x7f.1); None for a name. Asks nobody."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def _addresses_of(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
