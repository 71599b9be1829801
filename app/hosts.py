"""So many calls at once to one host, and so many within some time, whatever else there is to call."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

from msgspec import Struct, field

from adapters.http.addresses import unwrapped
from adapters.http.lookups import numeric
from adapters.http.targets import target_of
from domain.durations import duration_text, parse_duration
from domain.errors import InvalidInput
from domain.events import RateLimit

SWEEP_AT = 1_000
"""With so many hosts known, those are forgotten whose last call is long over."""
_RATE = re.compile(r"([1-9][0-9]{0,5})/([0-9a-z]{1,20})")


class _Host(Struct):
    """The slots of a host, how many calls want one or have one, and when the last calls started or are to start."""

    slots: asyncio.Semaphore
    calls: int = 0
    starts: deque[float] = field(default_factory=deque[float])


class HostLimits:
    """Lets a call wait for a slot of its host, for its turn there, and then for a slot of all.

    `rate` bounds the starts of calls to one host. `changed` is called when a call has to wait. Only the first hop of a
    call counts: where it is redirected to is known too late.
    """

    def __init__(
        self,
        at_once: int,
        per_host: int,
        changed: Callable[[], None],
        rate: RateLimit | None = None,
        *,
        now: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._per_host = per_host
        self._changed = changed
        self._rate = rate
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}
        self.waiting = 0
        """How many calls wait for their host."""

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncGenerator[None]:
        """Wait until its host and all others leave room for a call to this URL; it is to be made within.

        What a call must not be late with, such as secrets and the time that is signed, is to be taken within, too.
        """
        name = _host_of(url)
        host = self._hosts.get(name)
        if host is None:
            self._forget()
            host = self._hosts[name] = _Host(asyncio.Semaphore(self._per_host))
        host.calls += 1
        try:
            await self._enter(host)
            try:
                await self._turn(host)
                async with self._slots:
                    yield
            finally:
                host.slots.release()
        finally:
            host.calls -= 1
            if not host.calls and not self._is_remembered(host):
                del self._hosts[name]

    async def _enter(self, host: _Host) -> None:
        if host.slots.locked():
            await self._wait(host.slots.acquire())
        else:
            await host.slots.acquire()

    async def _turn(self, host: _Host) -> None:
        """Wait until the call that started so many calls before this one is long enough ago."""
        rate = self._rate
        if rate is None:
            return
        now = self._now()
        start = now
        if len(host.starts) == rate.limit:
            start = max(now, host.starts.popleft() + rate.period_ms / 1_000)
        # Taken at once, so that those who come later queue up behind it.
        host.starts.append(start)
        if start > now:
            await self._wait(self._sleep(start - now))

    async def _wait(self, what: Awaitable[object]) -> None:
        self.waiting += 1
        self._changed()
        try:
            await what
        finally:
            self.waiting -= 1

    def _is_remembered(self, host: _Host) -> bool:
        if self._rate is None or not host.starts:
            return False
        return host.starts[-1] > self._now() - self._rate.period_ms / 1_000

    def _forget(self) -> None:
        if len(self._hosts) >= SWEEP_AT:
            kept = {name: host for name, host in self._hosts.items() if host.calls or self._is_remembered(host)}
            self._hosts = kept


def parsed_rate(text: str) -> RateLimit | None:
    """A rate such as `10/1s` or `600/1m`; None for no text. Raises InvalidInput."""
    if not text:
        return None
    found = _RATE.fullmatch(text)
    if found is None:
        raise InvalidInput("write how many calls in how long, such as 10/1s or 600/1m")
    period_ms = parse_duration(found[2])
    if period_ms <= 0:
        raise InvalidInput("write a time that is longer than none, such as 10/1s")
    return RateLimit(int(found[1]), period_ms)


def rate_text(rate: RateLimit) -> str:
    """The rate as `parsed_rate` reads it."""
    return f"{rate.limit}/{duration_text(rate.period_ms)}"


def _host_of(url: str) -> str:
    """The host, written in one way."""
    try:
        host = target_of(url).host.rstrip(".")
    except InvalidInput:
        # The caller says what is wrong with it.
        return ""
    number = numeric(host)
    return host if number is None else str(unwrapped(ip_address(number)))
