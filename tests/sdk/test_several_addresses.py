"""An engine of several nodes: the one that answered last is asked, and another when it fails."""

from collections.abc import Callable

import httpx
import msgspec
import pytest

import runfold
from runfold import errors, transport
from runfold.addresses import Preferred
from runfold.config import Settings
from runfold.transport import PassingError, Transport
from runfold.worker.connection import Connection
from runfold.worker.wire import Turn

NODES = Settings("http://a.test,http://b.test", "secret")
IDEMPOTENCY = "x-trigger-request-idempotency-key"
MADE = httpx.Response(200, json={"id": "run_1", "isCached": False})
EVENTS = {"content-type": "text/event-stream"}
Says = httpx.Response | httpx.TransportError


class Nodes:
    """Each says one thing, until it is made to say another; no time passes while a caller sleeps."""

    def __init__(self, **says: Says) -> None:
        self.says = says
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.recoveries: dict[int, str] = {}
        """Which node is well again after so many sleeps of a worker."""

    @property
    def asked(self) -> str:
        return "".join(request.url.host[0] for request in self.requests)

    def connect(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if node := self.recoveries.get(len(self.slept)):
            self.says[node] = ANSWER

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        said = self.says[request.url.host[0]]
        if isinstance(said, httpx.TransportError):
            raise said
        return httpx.Response(said.status_code, headers=said.headers, content=said.content)


def refusal(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": "No."}, headers=headers)


GONE = httpx.ConnectError("refused")
ANSWER = httpx.Response(200, json={"sequence": 1})
GOING = refusal(503, **{"retry-after": "1"})
NewNodes = Callable[..., Nodes]


@pytest.fixture
def new_nodes(monkeypatch: pytest.MonkeyPatch) -> NewNodes:
    def new(**says: Says) -> Nodes:
        nodes = Nodes(**says)
        fake = Transport(connect=nodes.connect, settings=lambda: NODES, sleep=nodes.sleep, chance=lambda: 1.0)
        monkeypatch.setattr(transport, "default", fake)
        return nodes

    return new


@pytest.mark.parametrize("failure", [GONE, httpx.ReadError(""), GOING])
def test_another_node_is_asked_at_once_the_same(new_nodes: NewNodes, failure: Says) -> None:
    nodes = new_nodes(a=failure, b=MADE)

    handle = runfold.tasks.trigger("send", 1)

    assert (handle.id, nodes.asked, nodes.slept) == ("run_1", "ab", [])
    assert len({request.headers[IDEMPOTENCY] for request in nodes.requests}) == 1
    assert {request.content for request in nodes.requests} == {b'{"payload":1}'}


def test_the_node_that_answered_last_is_asked_next(new_nodes: NewNodes) -> None:
    nodes = new_nodes(a=GONE, b=MADE)
    runfold.tasks.trigger("send", 1)
    nodes.says["a"] = MADE
    runfold.tasks.trigger("send", 1)
    nodes.says["b"] = GONE
    runfold.tasks.trigger("send", 1)

    assert nodes.asked == "abbba"


def test_when_no_node_answers_each_is_asked_before_the_caller_waits(new_nodes: NewNodes) -> None:
    nodes = new_nodes(a=GONE, b=GOING)

    with pytest.raises(errors.ServerError):
        runfold.tasks.trigger("send", 1)

    assert (nodes.asked, nodes.slept) == ("ab" * 5, [1.0] * 4)


@pytest.mark.parametrize("status", [408, 429, 500])
def test_what_is_not_the_fault_of_a_node_is_waited_for_there(new_nodes: NewNodes, status: int) -> None:
    nodes = new_nodes(a=refusal(status), b=MADE)

    with pytest.raises(errors.ApiError):
        runfold.tasks.trigger("send", 1)

    assert (nodes.asked, nodes.slept) == ("a" * 5, [0.25, 0.5, 1.0, 2.0])


def test_a_refusal_is_not_taken_elsewhere(new_nodes: NewNodes) -> None:
    nodes = new_nodes(a=refusal(404), b=MADE)

    with pytest.raises(errors.NotFoundError):
        runfold.tasks.trigger("send", 1)

    assert nodes.asked == "a"


@pytest.mark.parametrize("failure", [GONE, GOING])
async def test_a_stream_that_breaks_goes_on_at_another_node(new_nodes: NewNodes, failure: Says) -> None:
    nodes = new_nodes(a=failure, b=httpx.Response(200, text="data: 1\n", headers=EVENTS))

    with pytest.raises(PassingError):
        _ = [line async for line in transport.default.lines("/stream", {}, {})]
    told = [line.text async for line in transport.default.lines("/stream", {}, {})]

    assert (nodes.asked, told) == ("ab", ["data: 1"])


def connection_to(nodes: Nodes) -> Connection:
    return Connection(NODES, b"{}", http=nodes.connect(), sleep=nodes.sleep, chance=lambda: 1.0)


def a_turn() -> Turn:
    return Turn("worker_1", "", sequence=1, received=0, want=1, wait_ms=0, holds=[])


@pytest.mark.parametrize("failure", [GONE, GOING])
async def test_a_worker_takes_its_turn_at_another_node_with_what_it_holds_by_then(failure: Says) -> None:
    nodes = Nodes(a=failure, b=ANSWER)

    await connection_to(nodes).turn(a_turn(), lambda: [("run_1", 1)])

    assert (nodes.asked, nodes.slept) == ("ab", [])
    assert [msgspec.json.decode(request.content)["holds"] for request in nodes.requests] == [[], [["run_1", 1]]]


async def test_a_worker_waits_when_each_node_has_failed() -> None:
    nodes = Nodes(a=GONE, b=GONE)
    nodes.recoveries[3] = "b"

    await connection_to(nodes).turn(a_turn(), list)

    assert (nodes.asked, nodes.slept) == ("abababab", [0.25, 0.5, 1.0])


async def test_a_worker_stays_where_it_has_to_wait_anyway() -> None:
    nodes = Nodes(a=refusal(429, **{"retry-after": "3"}), b=ANSWER)
    nodes.recoveries[1] = "a"

    await connection_to(nodes).turn(a_turn(), list)

    assert (nodes.asked, nodes.slept) == ("aa", [3.0])


def test_of_calls_that_fail_together_one_goes_on_for_all() -> None:
    preferred, nodes = Preferred(), ["a", "b", "c"]
    first, second = preferred.current(nodes), preferred.current(nodes)
    preferred.leave(first, nodes)
    preferred.leave(second, nodes)

    assert preferred.current(nodes) == "b"


def test_other_addresses_begin_with_the_first() -> None:
    preferred = Preferred()
    preferred.leave("a", ["a", "b"])

    assert preferred.current(["c", "d"]) == "c"
