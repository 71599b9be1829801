"""Whether a worker makes spans of its attempts. Unless it does, nothing of OpenTelemetry is imported."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from runfold.worker.spans import Spans

log = logging.getLogger("runfold.worker")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
OUR_PROTOCOL = "http/protobuf"
EXPORTERS = ("otlp", "console")


def set_up_tracing(environment: Mapping[str, str] = os.environ) -> "Spans | None":
    """Spans for whoever the user's code, which is loaded by now, or the standard variables name; None for nobody.

    What is not installed, or not known here, is logged: it is no reason not to work.
    """
    provider = _provider_of_user()
    exporters = exporters_wanted(environment) if provider is None else []
    if provider is None and not exporters:
        return None
    try:
        from runfold.worker.spans import Spans, exporting_to  # noqa: PLC0415 (it imports OpenTelemetry)

        return Spans(provider) if provider is not None else exporting_to(exporters)
    except ImportError as error:
        log.warning("there are no traces, because OpenTelemetry is not installed (%s): runfold[otel] brings it", error)
        return None


def _provider_of_user() -> "TracerProvider | None":
    """What the user's code has set up by itself."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415 (it is there already)

    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider) else provider


def exporters_wanted(environment: Mapping[str, str]) -> list[str]:
    """The exporters that the standard variables of OpenTelemetry ask for; an endpoint asks for OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    default = "otlp" if any(environment.get(name) for name in ENDPOINTS) else ""
    named = environment.get("OTEL_TRACES_EXPORTER") or default
    wanted = [name for each in named.split(",") if (name := each.strip()) not in ("", "none")]
    protocol = next(filter(None, map(environment.get, PROTOCOLS)), OUR_PROTOCOL)
    if unknown := [name for name in wanted if name not in EXPORTERS]:
        log.warning("there are no traces: OTEL_TRACES_EXPORTER names %s; known are %s", unknown, EXPORTERS)
        return []
    if "otlp" in wanted and protocol != OUR_PROTOCOL:
        log.warning("there are no traces: the protocol of OTLP is %s; spoken is %s only", protocol, OUR_PROTOCOL)
        return []
    return wanted
