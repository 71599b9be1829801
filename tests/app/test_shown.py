"""Every status and every option is shown by a test, and the references know which."""

from app.web.bodies import TriggerOptions
from domain.status import Status
from tests.app.conftest import ON_EVERY_DATABASE
from tests.app.harness import Engine
from tests.app.references import api, options
from tests.app.references.terms import TASK, TRIGGER
from tests.app.statuses import run_in
from tests.shown import END_TO_END, reached, showings

NOT_YET_SHOWN_OPTIONS = {"resumeParentOnCompletion", "gates", "concurrency"}
"""Options that wait for their test: whoever writes it takes its option out of here."""


def test_every_status_is_reached_through_the_public_api() -> None:
    shown = {status for each in showings() for status in each.statuses}

    assert shown == set(Status)


def test_every_status_is_reached_on_both_databases() -> None:
    modules = {f"tests/app/{name}.py" for name in ON_EVERY_DATABASE}

    shown = {status for each in showings() for status in each.statuses if each.path in modules}

    assert shown == set(Status)


def test_only_tests_of_a_whole_engine_show_a_status() -> None:
    elsewhere = [each for each in showings() if each.statuses and not each.path.startswith(END_TO_END)]

    assert elsewhere == []
    assert all(each.test.startswith("test_") for each in showings())


async def test_what_a_test_reaches_is_read_from_the_ledger(engine: Engine) -> None:
    await run_in(engine, Status.REATTEMPTING)
    history = await engine.service.read(lambda: engine.service.ledger.read_after(0, limit=engine.head))

    assert reached(history) == {Status.QUEUED, Status.DEQUEUED, Status.EXECUTING, Status.REATTEMPTING}


def test_every_option_is_described_and_no_other() -> None:
    triggers, settings = [{name for name, _ in found} for found in (options.triggers(), options.settings())]

    assert settings == TASK.keys()
    assert triggers == TRIGGER.keys()
    assert triggers == api.OPTIONS.keys()
    assert len(triggers) == len(TriggerOptions.__struct_fields__)


def test_every_option_is_shown_by_a_test() -> None:
    shown = {option for each in showings() for option in each.options}

    assert shown - set(options.names()) == set(), "a test shows an option that there is not"
    assert set(options.names()) - shown == NOT_YET_SHOWN_OPTIONS
