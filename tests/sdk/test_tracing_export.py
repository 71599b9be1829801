"""`runfold worker` and a collector that speaks OTLP: what arrives there of an attempt, and of the code inside of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.sdk.fake_engine import FakeEngine
from tests.sdk.test_worker_command import serving, worker

TRIGGER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LETTERS = """
from opentelemetry import trace
from runfold import task

tracer = trace.get_tracer("letters")

@task
async def write(to: str) -> None:
    with tracer.start_as_current_span("dip the pen"):
        pass

@task
def send(to: str) -> None:
    with tracer.start_as_current_span("lick the stamp"):
        raise ValueError("no such city")
"""


class Received(NamedTuple):
    """A span as the collector got it."""

    service: str
    trace: str
    span: str
    parent: str
    links: list[tuple[str, str]]
    is_error: bool


class Collector:
    """Keeps what is sent to `address`, by the names of the spans."""

    def __init__(self) -> None:
        self.spans: dict[str, Received] = {}
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.paths.add(self.path)
                collector.take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name that the library has)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            known = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans[span.name] = Received(
                        known["service.name"],
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                        span.status.code == span.status.STATUS_CODE_ERROR,
                    )


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    serving = threading.Thread(target=collector.server.serve_forever)
    serving.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    yield collector
    collector.server.shutdown()
    serving.join()
    collector.server.server_close()


async def test_attempts_arrive_with_what_happened_inside_of_them(
    engine: FakeEngine, collector: Collector, tmp_path: Path
) -> None:
    (tmp_path / "letters.py").write_text(LETTERS)
    async with serving(engine) as address, worker(address, "letters.py", folder=tmp_path) as process:
        await engine.end(await engine.give("write", "ada", traceparent=TRIGGER))
        await engine.end(await engine.give("send", "ada"))
        process.terminate()
        _, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert collector.paths == {"/v1/traces"}
    write, send, pen, stamp = map(collector.spans.get, ("run write", "run send", "dip the pen", "lick the stamp"))
    assert write is not None
    assert send is not None
    assert (write.service, write.parent, write.is_error) == ("runfold-worker", "", False)
    assert write.links == [tuple(TRIGGER.split("-")[1:3])]
    assert (send.parent, send.links, send.is_error) == ("", [], True)
    assert pen is not None
    assert stamp is not None, "what a child process has is sent before it ends"
    assert (pen.trace, pen.parent) == (write.trace, write.span)
    assert (stamp.trace, stamp.parent) == (send.trace, send.span)


async def test_a_name_given_to_the_service_wins(
    engine: FakeEngine, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "post office")
    (tmp_path / "letters.py").write_text(LETTERS)
    async with serving(engine) as address, worker(address, "letters.py", folder=tmp_path) as process:
        await engine.end(await engine.give("write", "ada"))
        process.terminate()
        await process.communicate()

    assert {span.service for span in collector.spans.values()} == {"post office"}


async def test_a_collector_that_does_not_answer_keeps_no_worker_from_working_or_ending(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "letters.py").write_text(LETTERS)
    async with serving(engine) as address, worker(address, "letters.py", folder=tmp_path) as process:
        end = await engine.end(await engine.give("write", "ada"))
        process.terminate()
        await process.communicate()

    assert (process.returncode, end["kind"]) == (0, "succeeded")
