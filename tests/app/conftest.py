from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from adapters.postgres.migrate import migrate
from tests.app.databases import engine_on
from tests.app.harness import Engine, Log, ledger_mistakes
from tests.mailbox import Mailbox, a_mailbox
from tests.postgres import database_url, schema_of_its_own
from tests.shown import reached, statuses_of
from tests.targets import Target, a_target

ON_EVERY_DATABASE = frozenset(
    {
        *(
            "test_as_of",
            "test_as_of_kept",
            "test_as_of_others",
            "test_time_machine",
            "test_differences",
            "test_cancel",
            "test_ends",
            "test_idempotency",
            "test_ledger_feed",
            "test_audit",
            "test_verifier",
            "test_comparer",
            "test_list_filters",
        ),
        *("test_list_freshness", "test_list_model", "test_list_paging", "test_main_job", "test_payload_round_trip"),
        *(
            "test_queues",
            "test_queues_api",
            "test_replay",
            "test_request_idempotency",
            "test_reschedule",
            "test_result_and_events",
        ),
        *("test_retrieve", "test_journal", "test_trigger_batch", "test_batches", "test_bulk", "test_worker_reports"),
        *("test_connections", "test_deployments", "test_keepers"),
        *("test_gates", "test_families", "test_debounce", "test_tags", "test_metadata_api", "test_names"),
        *("test_explain", "test_explain_queue", "test_explain_waits", "test_machines", "test_waits", "test_tries"),
        *("test_tokens", "test_token_lists", "test_schedules_api", "test_events", "test_alerts"),
        "test_listings",
        *("test_executions_document", "test_jobs", "test_request_secrets"),
        *("test_streams", "test_realtime", "test_packets", "test_public_tokens", "test_variables"),
        *("test_erasing", "test_erased_executions"),
        "test_retaining",
        *("test_segments_checked", "test_proofs_of_archived"),
        "test_sinks",
        "test_workers",
    }
)
"""The modules whose answers rest on what is stored; the others ask nothing of the database that these do not."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of these modules on both databases."""
    if "database" in metafunc.fixturenames:
        is_on_all = metafunc.definition.path.stem in ON_EVERY_DATABASE
        metafunc.parametrize("database", ["sqlite", "postgres"] if is_on_all else ["sqlite"])


@pytest.fixture(autouse=True)
def log() -> Iterator[Log]:
    """What the engine logs while a test runs."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def engine(log: Log, database: str, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """An engine that has nothing to complain of; tests that break it start their own."""
    async with engine_on(database) as running:
        yield running
        await _check(running, request)
    assert [entry for entry in log if entry["log_level"] == "error"] == []


@pytest.fixture
async def broken_engine(database: str) -> AsyncIterator[Engine]:
    """An engine to break, which may complain."""
    async with engine_on(database) as running:
        yield running


async def _check(engine: Engine, request: pytest.FixtureRequest) -> None:
    assert await ledger_mistakes(engine) == []
    if said := statuses_of(request.function):  # pyright: ignore[reportUnknownMemberType] (pytest gives it no type)
        service = engine.service
        history = await service.read(lambda: service.ledger.read_after(0, limit=engine.head))
        assert said - reached(history) == frozenset(), "a test reaches every status that it is said to show"


@pytest.fixture
def schema() -> Iterator[str]:
    """One of its own in PostgreSQL, for the nodes that a test starts."""
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        yield schema


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with a_target() as target:
        yield target


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with a_mailbox() as mailbox:
        yield mailbox
