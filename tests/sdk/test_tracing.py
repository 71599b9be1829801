"""Spans of attempts: each in a trace of its own, linked to the span that triggered the run."""

import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from runfold import Task
from runfold.tracing import current_traceparent
from runfold.worker import tracing
from runfold.worker.spans import Spans
from runfold.worker.tracing import exporters_wanted, set_up_tracing
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS, FakeApi
from tests.sdk.fake_engine import FakeEngine
from tests.sdk.test_triggering import MADE, Letter, send

TRIGGER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(memory: InMemorySpanExporter) -> Iterator[TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    yield provider
    provider.shutdown()


@pytest.fixture
def spans(provider: TracerProvider) -> Spans:
    return Spans(provider)


def the_one(memory: InMemorySpanExporter) -> ReadableSpan:
    (span,) = memory.get_finished_spans()
    return span


def context_of(span: ReadableSpan) -> SpanContext:
    context: SpanContext | None = span.context
    assert context is not None
    return context


def traceparent_of(span: ReadableSpan) -> str:
    context = context_of(span)
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def outcome_of(span: ReadableSpan) -> tuple[object, StatusCode, str | None]:
    return (span.attributes or {})["runfold.outcome"], span.status.status_code, span.status.description


async def test_an_attempt_is_a_new_trace_with_a_link_to_its_trigger(
    engine: FakeEngine, working: WORKERS, spans: Spans, memory: InMemorySpanExporter
) -> None:
    async with working(jobs.greet, spans=spans):
        run = await engine.give("greet", {"city": "Riga"}, traceparent=TRIGGER, attempt=2, queue="letters")
        assert (await engine.end(run))["output"] == "Hello Riga"

    span = the_one(memory)
    (link,) = span.links
    assert (span.name, span.kind, span.parent) == ("run greet", SpanKind.CONSUMER, None)
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == tuple(TRIGGER.split("-")[1:3])
    assert context_of(span).trace_id != link.context.trace_id
    assert context_of(span).trace_flags.sampled, "that the caller did not sample is the caller's affair"
    assert outcome_of(span) == ("succeeded", StatusCode.UNSET, None)
    attributes = dict(span.attributes or {})
    assert {name: attributes[name] for name in attributes if name.startswith("runfold.")} == {
        "runfold.run.id": run,
        "runfold.task": "greet",
        "runfold.attempt": 2,
        "runfold.queue": "letters",
        "runfold.environment": "dev",
        "runfold.outcome": "succeeded",
    }
    assert attributes["messaging.destination.name"] == "letters"


@pytest.mark.parametrize("traceparent", [None, "", "nonsense"])
async def test_without_the_span_of_a_trigger_there_is_no_link(
    engine: FakeEngine, working: WORKERS, spans: Spans, memory: InMemorySpanExporter, traceparent: str | None
) -> None:
    async with working(jobs.greet, spans=spans):
        await engine.end(await engine.give("greet", {"city": "Riga"}, traceparent=traceparent))

    assert the_one(memory).links == ()


@pytest.mark.parametrize("task", [jobs.fail, jobs.fail_in_process])
async def test_a_failure_sets_the_status_and_tells_the_exception(
    engine: FakeEngine, working: WORKERS, spans: Spans, memory: InMemorySpanExporter, task: Task[str, None]
) -> None:
    async with working(task, spans=spans):
        await engine.end(await engine.give(task.id, "no such city"))

    span = the_one(memory)
    (event,) = span.events
    told = dict(event.attributes or {})
    assert outcome_of(span) == ("failed", StatusCode.ERROR, "no such city")
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert (event.name, told["exception.type"], told["exception.message"]) == (
        *("exception", "ValueError", "no such city"),
    )
    assert "raise ValueError(message)" in str(told["exception.stacktrace"])


async def test_a_process_that_dies_leaves_a_span_that_says_so(
    engine: FakeEngine, working: WORKERS, spans: Spans, memory: InMemorySpanExporter
) -> None:
    async with working(jobs.kill_process, spans=spans):
        await engine.end(await engine.give("kill_process", 9))

    assert outcome_of(the_one(memory)) == ("crashed", StatusCode.ERROR, "The process was killed by signal 9 (SIGKILL).")


@pytest.mark.parametrize(
    ("reason", "status", "description"),
    [
        ("CANCELED", StatusCode.UNSET, None),
        ("TIMED_OUT", StatusCode.ERROR, "The attempt ran longer than its max duration."),
        ("GONE", StatusCode.ERROR, "The engine gave the run to another worker, or ended it."),
    ],
)
async def test_a_span_says_why_its_attempt_was_stopped(
    engine: FakeEngine,
    working: WORKERS,
    spans: Spans,
    memory: InMemorySpanExporter,
    reason: str,
    status: StatusCode,
    description: str | None,
) -> None:
    async with working(jobs.wait_for_ever, spans=spans):
        run = await engine.give("wait_for_ever")
        await engine.report(run, "started")
        await engine.cancel(run, reason)

    assert outcome_of(the_one(memory)) == (reason.lower(), status, description)


async def test_an_attempt_that_is_given_back_has_not_failed(
    engine: FakeEngine, working: WORKERS, spans: Spans, memory: InMemorySpanExporter
) -> None:
    async with working(jobs.wait_for_ever, grace_seconds=0, spans=spans) as worker:
        run = await engine.give("wait_for_ever")
        await engine.report(run, "started")
        worker.stop.set()
        await engine.report(run, "released")

    assert outcome_of(the_one(memory)) == ("released", StatusCode.UNSET, None)


async def test_the_code_of_a_task_runs_inside_of_its_attempt(
    engine: FakeEngine, working: WORKERS, spans: Spans, memory: InMemorySpanExporter
) -> None:
    async with working(jobs.which_span, spans=spans):
        ends = [await engine.end(await engine.give("which_span")) for _ in range(2)]

    told = [end["output"] for end in ends]
    assert told == [traceparent_of(span) for span in memory.get_finished_spans()]
    assert len(set(told)) == 2
    assert current_traceparent() is None


async def test_so_does_that_of_a_task_in_a_child_process(
    engine: FakeEngine,
    working: WORKERS,
    spans: Spans,
    memory: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")  # which the child has then set up for itself
    async with working(jobs.which_span_in_process, spans=spans):
        ends = [await engine.end(await engine.give("which_span_in_process")) for _ in range(2)]

    assert [end["output"] for end in ends] == [traceparent_of(span) for span in memory.get_finished_spans()]


def test_a_trigger_tells_the_span_that_it_is_made_in(api: FakeApi, provider: TracerProvider) -> None:
    api.answer(MADE)

    with provider.get_tracer("test").start_as_current_span("order") as span:
        send.trigger(Letter("ada"))
    inside = api.last.headers["traceparent"]
    send.trigger(Letter("ada"))

    assert isinstance(span, ReadableSpan)
    assert inside == traceparent_of(span)
    assert "traceparent" not in api.last.headers


async def test_a_worker_without_tracing_makes_no_spans(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.which_span):
        assert (await engine.end(await engine.give("which_span")))["output"] is None


def test_without_the_variables_nothing_is_imported() -> None:
    script = (
        "import sys, runfold.worker.command, runfold.worker.child\n"
        "from runfold.tracing import current_traceparent\n"
        "from runfold.worker.tracing import set_up_tracing\n"
        "assert (set_up_tracing({}), current_traceparent()) == (None, None)\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("variables", "exporters"),
    [
        ({}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "TRUE"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, []),
    ],
)
def test_the_standard_variables_say_who_gets_the_spans(variables: Mapping[str, str], exporters: list[str]) -> None:
    assert exporters_wanted(variables) == exporters


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "there are no traces: OTEL_TRACES_EXPORTER names ['zipkin']; known are ('otlp', 'console')",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "there are no traces: the protocol of OTLP is grpc; spoken is http/protobuf only",
        ),
    ],
)
def test_what_cannot_be_sent_is_said_and_keeps_no_worker_from_working(
    caplog: pytest.LogCaptureFixture, variables: Mapping[str, str], sentence: str
) -> None:
    assert set_up_tracing(variables) is None
    assert caplog.messages == [sentence]


def test_so_is_that_opentelemetry_is_not_installed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "runfold.worker.spans", None)

    assert set_up_tracing({"OTEL_TRACES_EXPORTER": "otlp"}) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "runfold[otel] brings it" in caplog.text


async def test_the_provider_that_the_users_code_has_set_up_gets_the_spans(
    engine: FakeEngine,
    working: WORKERS,
    provider: TracerProvider,
    memory: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)

    async with working(jobs.greet, spans=tracing.set_up_tracing({})):
        await engine.end(await engine.give("greet", {"city": "Riga"}))

    assert the_one(memory).name == "run greet"
