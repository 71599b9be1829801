"""docs/reference/metrics.md: what /metrics tells, read off a scrape."""

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from app.nodes.metrics import of_node
from tests.app.harness import Engine
from tests.app.references.markdown import code, page, table

INTRODUCTION = """`GET /metrics` answers in Prometheus's text format, or as OpenMetrics where that is asked for. It
needs no key, as `/livez` needs none: it tells numbers and the names of environments, and nothing of single runs or
tasks. [Watch Runfold](../how-to/watch-runfold.md) says how to collect them."""

ABOUT = """Everything is read when it is asked for. Counters and histograms begin at 0 when a node becomes the writer.
`runfold_runs` comes from the read models, and is left out while they do not answer (within 5 seconds); all else comes
from memory. Nothing that is not committed is counted: `runfold_queued_runs`, `runfold_oldest_queued_age_seconds` and
`runfold_erasures_pending` wait for the commit that is under way, and are left out while it takes longer than 2 seconds.
With `process_…` come the usual numbers of the process (on Linux): memory, CPU time, open files."""


async def text(engine: Engine) -> str:
    """The whole page."""
    everywhere = {family.name for family in of_node(await engine.service.readiness())}
    families = [*text_string_to_metric_families((await engine.client.get("/metrics")).text)]
    ours = [family for family in families if family.name.startswith("runfold_")]
    assert everywhere < {family.name for family in ours}
    return page(
        "Metrics",
        INTRODUCTION,
        "## On every node",
        _table([family for family in ours if family.name in everywhere]),
        "## On the node that writes",
        _table([family for family in ours if family.name not in everywhere]),
        ABOUT,
    )


def _table(families: list[Metric]) -> str:
    return table(("metric", "type", "labels", "meaning"), [_row(each) for each in families])


def _row(family: Metric) -> tuple[str, str, str, str]:
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return code(name), family.type, code(*sorted(labels)), family.documentation
