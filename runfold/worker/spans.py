"""Spans of attempts. This module imports OpenTelemetry: `runfold.worker.tracing` says when it is itself imported."""

import os
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import runfold
from runfold.tracing import current_traceparent
from runfold.worker.outcomes import Crashed, Ended, Failed
from runfold.worker.wire import Error, HandOut

LAST_SPANS_SECONDS = 2.0
"""How long a process that ends waits for a collector to take its last spans."""
STOPPED = {
    "TIMED_OUT": Error("TimedOut", "The attempt ran longer than its max duration."),
    "GONE": Error("Gone", "The engine gave the run to another worker, or ended it."),
}
"""The reasons to stop an attempt that are failures; to be canceled or given back is none."""

_propagator = TraceContextTextMapPropagator()


class Spans:
    """Makes a span of each attempt, in a trace of its own, with a link to the span that triggered the run."""

    def __init__(self, provider: TracerProvider, close: Callable[[], object] | None = None) -> None:
        self._tracer = provider.get_tracer("runfold", runfold.__version__)
        self._close = close

    def begin(self, run: HandOut) -> "AttemptSpan":
        """Start the span of an attempt. What follows in the caller's own task is inside of it."""
        trigger = _read(run.traceparent)
        span = self._tracer.start_span(
            f"run {run.task}",
            context.Context(),  # a new trace, whatever the worker is doing
            SpanKind.CONSUMER,
            {
                "messaging.system": "runfold",
                "messaging.operation.type": "process",
                "messaging.operation.name": "run",
                "messaging.destination.name": run.queue,
                "messaging.message.id": run.id,
                "runfold.run.id": run.id,
                "runfold.task": run.task,
                "runfold.attempt": run.attempt,
                "runfold.queue": run.queue,
                "runfold.environment": run.environment.slug,
            },
            [Link(trigger)] if trigger.is_valid else [],
        )
        # It is not detached: the asyncio task of an attempt ends with it, and so does its context.
        context.attach(trace.set_span_in_context(span))
        return AttemptSpan(span, current_traceparent())

    @contextmanager
    def inside(self, traceparent: str | None) -> Generator[None]:
        """In a child process: be inside of the attempt's span, which the worker has begun and will end."""
        token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(_read(traceparent))))
        try:
            yield
        finally:
            context.detach(token)

    def close(self) -> None:
        """Send what is left, if the provider is ours; a collector that does not answer is not waited for long."""
        if self._close is not None:
            closing = threading.Thread(target=self._close, name="last spans", daemon=True)
            closing.start()
            closing.join(LAST_SPANS_SECONDS)


class AttemptSpan:
    """The span of an attempt that is under way. `traceparent` names it."""

    def __init__(self, span: trace.Span, traceparent: str | None) -> None:
        self._span = span
        self.traceparent = traceparent

    def end(self, outcome: Ended | None, stopped: str | None) -> None:
        """Say how the attempt ended, or why it was stopped. Only failures set the status, as conventions want it."""
        error = STOPPED.get(stopped or "")
        if isinstance(outcome, Failed | Crashed) and not stopped:
            error = outcome.error
        said = stopped or type(outcome).__name__
        self._span.set_attribute("runfold.outcome", said.lower())
        if error is not None:
            self._span.set_attribute("error.type", error.name)
            self._span.add_event(
                "exception",
                {
                    "exception.type": error.name,
                    "exception.message": error.message,
                    "exception.stacktrace": error.stack_trace or "",
                },
            )
            self._span.set_status(Status(StatusCode.ERROR, error.message))
        self._span.end()


def exporting_to(exporters: Iterable[str]) -> Spans:
    """Spans that these exporters send, as the standard variables tell them. Raises ImportError.

    The provider becomes that of the whole process, so that spans which the user's code makes go the same way.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 (users have their own SDK)
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    ours = Resource.create({"service.name": "runfold-worker", "process.pid": os.getpid()})
    provider = SdkTracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    for exporter in exporters:
        if exporter == "console":
            provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
            continue
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return Spans(provider, provider.shutdown)


def _read(traceparent: str | None) -> SpanContext:
    """The span that it names; an invalid one if it names none."""
    found = _propagator.extract({"traceparent": traceparent or ""}, context.Context())
    return trace.get_current_span(found).get_span_context()
