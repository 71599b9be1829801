"""The limits of a host, with a clock that the test moves: when calls start, and who waits."""

import asyncio

import pytest

from app.hosts import SWEEP_AT, HostLimits, parsed_rate
from domain.errors import InvalidInput
from domain.events import RateLimit


class Time:
    """A clock that goes on when everybody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        await future

    def go_on(self) -> None:
        """To the moment at which the next of them wakes."""
        self._sleepers.sort(key=lambda each: each[0])
        self.now, future = self._sleepers.pop(0)
        if not future.done():
            future.set_result(None)


class Limited(HostLimits):
    """Limits with calls that are over at once, and when each was made."""

    def __init__(self, rate: RateLimit | None, time: Time, at_once: int, per_host: int) -> None:
        super().__init__(at_once, per_host, lambda: None, rate, now=lambda: time.now, sleep=time.sleep)
        self.time = time
        self.made: list[tuple[str, float]] = []

    async def call(self, url: str) -> None:
        async with self.turn(url):
            self.made.append((url, self.time.now))


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def limited(rate: RateLimit | None, time: Time, at_once: int = 100, per_host: int = 100) -> Limited:
    return Limited(rate, time, at_once, per_host)


async def test_so_many_calls_to_a_host_start_in_each_window_in_the_order_in_which_they_came() -> None:
    time = Time()
    limits = limited(RateLimit(2, 1_000), time)
    urls = [f"https://a.test/{number}" for number in range(5)]
    async with asyncio.TaskGroup() as group:
        for url in urls:
            group.create_task(limits.call(url))
        await settle()
        waiting = limits.waiting
        for _ in range(3):
            time.go_on()
            await settle()

    assert waiting == 3
    assert limits.made == list(zip(urls, [100.0, 100.0, 101.0, 101.0, 102.0], strict=True))
    assert limits.waiting == 0


async def test_a_host_that_has_to_be_spared_keeps_no_other_one_waiting() -> None:
    time = Time()
    limits = limited(RateLimit(1, 1_000), time, at_once=1)
    async with asyncio.TaskGroup() as group:
        for url in ("https://a.test/1", "https://a.test/2", "https://b.test/1"):
            group.create_task(limits.call(url))
        await settle()
        made = [url for url, _ in limits.made]
        time.go_on()

    assert made == ["https://a.test/1", "https://b.test/1"]


@pytest.mark.parametrize(
    "hosts",
    [
        ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
        ["a.test", "A.test", "a.test.", "a.test:8080"],
        ["[2001:db8::1]", "[2001:DB8:0::1]"],
        ["bücher.test", "xn--bcher-kva.test"],
    ],
)
async def test_a_host_is_the_same_however_it_is_written(hosts: list[str]) -> None:
    time = Time()
    limits = limited(None, time, per_host=1)
    async with limits.turn(f"https://{hosts[0]}/"):
        waits = [asyncio.create_task(limits.call(f"https://{host}/")) for host in hosts[1:]]
        await settle()

        assert limits.waiting == len(waits)
    await asyncio.gather(*waits)


async def test_the_window_is_remembered_between_calls_and_forgotten_after_it() -> None:
    time = Time()
    limits = limited(RateLimit(1, 1_000), time)
    await limits.call("https://a.test/1")
    waits = asyncio.create_task(limits.call("https://a.test/2"))
    await settle()
    assert not waits.done()
    time.go_on()
    await waits
    time.now += 1
    for number in range(SWEEP_AT + 10):
        await limits.call(f"https://{number}.test/")
        time.now += 0.01

    assert [at for url, at in limits.made if "a.test" in url] == [100.0, 101.0]
    assert len(limits._hosts) < SWEEP_AT  # pyright: ignore[reportPrivateUsage]


async def test_a_call_that_is_given_up_while_it_waits_leaves_the_others_their_turns() -> None:
    time = Time()
    limits = limited(RateLimit(1, 1_000), time, per_host=1)
    await limits.call("https://a.test/1")
    second, third = (asyncio.create_task(limits.call(f"https://a.test/{each}")) for each in (2, 3))
    await settle()
    second.cancel()
    await settle()
    time.go_on()
    await settle()
    time.go_on()
    await third

    assert [url for url, _ in limits.made] == ["https://a.test/1", "https://a.test/3"]
    assert limits.waiting == 0


@pytest.mark.parametrize(
    ("text", "rate"), [("", None), ("10/1s", RateLimit(10, 1_000)), ("600/1m30s", RateLimit(600, 90_000))]
)
def test_a_rate_is_so_many_in_so_long(text: str, rate: RateLimit | None) -> None:
    assert parsed_rate(text) == rate


@pytest.mark.parametrize("text", ["10", "0/1s", "10/0s", "10/soon", "-1/1s", "10/1s/2s"])
def test_another_rate_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parsed_rate(text)
