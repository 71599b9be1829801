"""OpenTelemetry, where a program uses it. A program that does not is never made to import it."""

import sys


def current_traceparent() -> str | None:
    """The span in which the caller runs, as W3C's Trace Context writes it; None outside of all spans."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415 (it is there already, or we would not be here)

    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
