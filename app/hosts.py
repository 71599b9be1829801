"""So many calls at once to one host, whatever else there is to call."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from adapters.http.targets import target_of
from domain.calls import Call, Found, HttpCaller
from domain.errors import InvalidInput


class _Host(Struct):
    """The slots of a host, and how many calls want one or have one."""

    slots: asyncio.Semaphore
    calls: int = 0


class HostLimits:
    """A caller that waits for a slot of the host, and then for one of all. `changed` is called when a call has to wait.

    Only the first hop of a call counts: where it is redirected to is known too late.
    """

    def __init__(self, caller: HttpCaller, at_once: int, per_host: int, changed: Callable[[], None]) -> None:
        self._caller = caller
        self._slots = asyncio.Semaphore(at_once)
        self._per_host = per_host
        self._changed = changed
        self._hosts: dict[str, _Host] = {}
        self.waiting = 0
        """How many calls wait for their host."""

    async def call(self, call: Call) -> Found:
        """Make one call when its host and all others leave room for it; its time begins then."""
        name = _host_of(call)
        host = self._hosts.setdefault(name, _Host(asyncio.Semaphore(self._per_host)))
        host.calls += 1
        try:
            await self._enter(host)
            try:
                async with self._slots:
                    return await self._caller.call(call)
            finally:
                host.slots.release()
        finally:
            host.calls -= 1
            if not host.calls:
                del self._hosts[name]

    async def _enter(self, host: _Host) -> None:
        if not host.slots.locked():
            await host.slots.acquire()
            return
        self.waiting += 1
        self._changed()
        try:
            await host.slots.acquire()
        finally:
            self.waiting -= 1


def _host_of(call: Call) -> str:
    try:
        return target_of(call.url).host
    except InvalidInput:
        # The caller says what is wrong with it.
        return ""
