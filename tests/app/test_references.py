"""The references that are made from code are what the code says now, and every link in the docs leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import RunfoldError
from domain.events import EVENTS
from domain.status import Status
from tests.app.harness import Engine, application_of
from tests.app.references import options
from tests.app.references.errors import import_rooms, walk
from tests.app.references.pages import FOLDER, pages
from tests.app.routes import routes_of

DOCS = FOLDER.parent


async def test_the_pages_are_up_to_date() -> None:
    as_they_should_be = await pages()

    as_they_are = {name: (FOLDER / name).read_text(encoding="utf-8") for name in as_they_should_be}

    stale = [name for name, content in as_they_should_be.items() if as_they_are[name] != content]
    assert stale == [], "run python -m tests.app.references"


async def test_every_route_status_event_and_error_has_its_place(engine: Engine) -> None:
    import_rooms()
    expected = {
        "api.md": [f"### {method} {path}" for method, path in routes_of(application_of(engine))],
        "statuses.md": [f"| `{status}` |" for status in Status],
        "options.md": [f"| `{name.removeprefix(options.TASK_PREFIX)}` |" for name in options.names()],
        "events.md": [f"### {event.__name__}" for event in EVENTS],
        "errors.md": [f"| `{kind.__name__}` |" for kind in walk(RunfoldError)],
    }

    for name, places in expected.items():
        lines = (FOLDER / name).read_text(encoding="utf-8")
        assert [place for place in places if place not in lines] == [], name


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in _links(page) if not _exists(page, link)]

    assert broken == []


def _links(page: Path) -> Iterator[str]:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" not in link:
            yield link


def _exists(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
