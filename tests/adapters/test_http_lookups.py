"""Looking names up with a resolver that hangs until it is let go."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from adapters.http.lookups import LOOKUPS_OF_DOMAIN_MAX, SystemResolver, numeric


class Names:
    """What getaddrinfo of the test knows. Names that begin with `slow` hang until `let_go` is set."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real = real
        self.asked: list[str] = []
        self.let_go = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Condition()

    def __call__(self, host: str, *more: Any, **options: Any) -> Any:
        if options.get("flags"):
            return self._real(host, *more, **options)
        asyncio.run_coroutine_threadsafe(self._note(host), self._loop).result()
        if host.startswith("slow"):
            self.let_go.wait()
        if "nowhere" in host:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    async def _note(self, host: str) -> None:
        async with self._news:
            self.asked.append(host)
            self._news.notify_all()

    async def came(self, count: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= count)


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Any:
    names = Names(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", names)
    yield names
    names.let_go.set()


def asking(resolver: SystemResolver, *hosts: str) -> list[asyncio.Task[list[str]]]:
    return [asyncio.create_task(resolver(host, 80)) for host in hosts]


async def given_up(tasks: list[asyncio.Task[list[str]]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_name_has_addresses_or_none(names: Names) -> None:
    resolver = SystemResolver()

    assert await resolver("good.test", 80) == ["192.0.2.1"]
    assert await resolver("nowhere.test", 80) == []
    assert await resolver("a..b", 80) in ([], ["192.0.2.1"])


async def test_who_asks_for_a_name_that_is_looked_up_waits_for_the_same_look_up(names: Names) -> None:
    resolver = SystemResolver()
    tasks = asking(resolver, "slow.test", "slow.test")
    await names.came(1)
    await given_up(tasks)

    later = asking(resolver, *["slow.test"] * 100, "good.test")
    assert await later[-1] == ["192.0.2.1"]
    names.let_go.set()

    assert await asyncio.gather(*later) == [["192.0.2.1"]] * 101
    assert sorted(names.asked) == ["good.test", "slow.test"]


async def test_the_names_of_one_silent_server_leave_room_for_others(names: Names) -> None:
    resolver = SystemResolver()
    slow = asking(resolver, *(f"slow{number}.evil.test" for number in range(50)))
    await names.came(LOOKUPS_OF_DOMAIN_MAX)

    assert await resolver("good.test.", 80) == ["192.0.2.1"]
    await given_up(slow)
    names.let_go.set()
    assert await resolver("good.evil.test", 80) == ["192.0.2.1"]
    assert len(names.asked) == LOOKUPS_OF_DOMAIN_MAX + 2, "those that nobody waits for are not looked up any more"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("2001:db8::0:1", "2001:db8::1"),
    ],
)
async def test_a_number_is_not_looked_up(names: Names, host: str, address: str) -> None:
    assert await SystemResolver()(host, 80) == [address]
    assert names.asked == []


@pytest.mark.parametrize("host", ["localhost", "a.test", "a..b", "x" * 70, "", "1.2.3.4.5"])
def test_a_name_is_no_number(host: str) -> None:
    assert numeric(host) is None
