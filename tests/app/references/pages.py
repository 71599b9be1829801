"""The pages that are made from code, by their file names."""

from pathlib import Path

from tests.app.harness import running_engine
from tests.app.references import api, errors, events, metrics, options, statuses
from tests.app.references.examples import record

FOLDER = Path(__file__).parents[3] / "docs" / "reference"


async def pages() -> dict[str, str]:
    """All of them, as they should be."""
    examples = await record()
    async with running_engine() as engine:
        routes, measured = api.text(engine.service, examples), await metrics.text(engine)
    return {
        "api.md": routes,
        "errors.md": errors.text(),
        "events.md": events.text(),
        "metrics.md": measured,
        "options.md": options.text(),
        "statuses.md": statuses.text(),
    }
