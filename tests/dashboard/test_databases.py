"""The pages are the same on both databases."""

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from app.pages.words import PAGES
from tests.app.harness import Engine, running_engine
from tests.dashboard.scene import open_shop
from tests.dashboard.visitor import Node, Visitor, visiting
from tests.postgres import database_url, schema_of_its_own


async def test_every_page_has_the_same_form_on_sqlite_and_postgresql() -> None:
    async with running_engine() as on_sqlite:
        expected = await _outlines(on_sqlite)
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        parts = PostgresLedger(database_url(), schema), PostgresReadModels(database_url(), schema)
        async with running_engine(*parts) as on_postgresql:
            found = await _outlines(on_postgresql)

    assert [name for name in expected if expected[name] != found[name]] == []
    assert found.keys() == expected.keys()


async def _outlines(engine: Engine) -> dict[str, list[str]]:
    """The elements of each page, by what the page is of."""
    shop = await open_shop(engine, 12)
    paths = {name: path for path, name in PAGES} | {
        "filtered": "/?status=FAILED,COMPLETED&task=charge-order&test=false&period=7d",
        "charts": "/charts?period=7d",
        "run": f"/runs/{shop.failed}",
        "run before": f"/runs/{shop.parent}?event=5",
        "batch": f"/batches/{shop.batch}",
        "key": "/search?q=charge%20A-1077",
    }
    then = {f"{name} then": path for name, path in paths.items() if "event=" not in path}
    moment = str(engine.head - 5)
    await engine.advance(3_600_000)
    async with visiting(engine) as client:
        visitor = Visitor(client)
        await visitor.sign_in()
        client.follow_redirects = True
        now = {name: _tags(await visitor.open(path)) for name, path in paths.items()}
        return now | {name: _tags(await visitor.open(_at(moment, path))) for name, path in then.items()}


def _at(moment: str, path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}moment={moment}"


def _tags(node: Node) -> list[str]:
    return [node.tag, *(tag for part in node.parts if isinstance(part, Node) for tag in _tags(part))]
