"""Runs in the words of the one who asks: by the API version of a client, or by the parameter `vocabulary`."""

from typing import Any

import pytest

from domain.status import Status
from domain.vocabulary import FULL, V2, V3, V4, VOCABULARIES, Vocabulary
from tests.app.harness import Engine
from tests.app.statuses import run_in

V4_API = {"x-trigger-api-version": "2025-07-16"}
LIST = "/api/v1/runs"
EACH = pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)


def _said(run: Any) -> tuple[str, dict[str, bool]]:
    return run["status"], {name: run[name] for name in FULL.helpers[Status.QUEUED]}


def _words(vocabulary: Vocabulary, status: Status) -> tuple[str, dict[str, bool]]:
    return vocabulary.words[status], dict(vocabulary.helpers[status])


@pytest.mark.parametrize("status", Status)
async def test_a_run_is_told_in_every_vocabulary(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    told = {name: await engine.retrieve(run, vocabulary=name) for name in VOCABULARIES}

    expected = {name: _words(vocabulary, status) for name, vocabulary in VOCABULARIES.items()}
    assert {name: _said(body) for name, body in told.items()} == expected
    # The same route by its other path, the list, and the run as it was, say it in the same words.
    assert await engine.get(f"/api/v1/runs/{run}", vocabulary="v2") == told["v2"]
    assert [_said(item) for item in (await engine.get(LIST, vocabulary="v2"))["data"]] == [_said(told["v2"])]
    assert await engine.retrieve(run, vocabulary="v3", asOf=engine.head) == told["v3"]


async def test_a_run_that_is_rescheduled_is_answered_in_the_vocabulary(engine: Engine) -> None:
    await engine.register()
    run = await engine.trigger(delay="1h")

    answer = await engine.post(f"/api/v1/runs/{run}/reschedule?vocabulary=v2", {"delay": "2h"})

    assert _said(answer) == _words(V2, Status.DELAYED)
    assert answer == await engine.retrieve(run, vocabulary="v2")


async def test_the_api_version_of_a_client_says_v4_and_the_parameter_wins(engine: Engine) -> None:
    run = await run_in(engine, Status.REATTEMPTING)
    other = {"x-trigger-api-version": "2024-01-01"}

    async def status(headers: dict[str, str], **parameters: str) -> str:
        response = await engine.client.get(f"/api/v3/runs/{run}", headers=headers, params=parameters)
        return str(response.json()["status"])

    assert [await status({}), await status(other), await status(V4_API)] == [
        "REATTEMPTING",
        "REATTEMPTING",
        "EXECUTING",
    ]
    assert await status(V4_API, vocabulary="v2") == "WAITING_TO_CONTINUE"
    assert await status(V4_API, vocabulary="full") == "REATTEMPTING"


async def _listed(engine: Engine, status: str, **parameters: str) -> set[str]:
    return set(await engine.listed(**{"filter[status]": status}, **parameters))


@EACH
async def test_statuses_are_filtered_by_the_names_of_the_vocabulary_and_by_ours(
    engine: Engine, vocabulary: Vocabulary
) -> None:
    # The worker of an interrupted run is lost, and with it all that it has.
    runs = {Status.INTERRUPTED: await run_in(engine, Status.INTERRUPTED)}
    for status in Status:
        if status not in {Status.SYSTEM_FAILURE, Status.INTERRUPTED}:
            runs[status] = await run_in(engine, status)
    names = [*vocabulary.words.values(), *Status]

    found = {name: await _listed(engine, name, vocabulary=vocabulary.name) for name in names}

    expected = {name: {runs[status] for status in vocabulary.named(name) if status in runs} for name in names}
    assert found == expected
    assert await _listed(engine, ",".join(names), vocabulary=vocabulary.name) == set(runs.values())


async def test_a_name_of_another_vocabulary_is_refused_with_the_names_that_there_are(engine: Engine) -> None:
    for vocabulary in (FULL, V4, V3):
        query = f"{LIST}?filter[status]=SUCCESS&vocabulary={vocabulary.name}"

        sentence = await engine.refused("GET", query, 400)

        assert sentence.startswith('There is no status "SUCCESS". Statuses are CANCELED, ')


@pytest.mark.parametrize("name", ["v5", "V4", "", "v2,v3", "full "])
async def test_a_vocabulary_that_there_is_not_is_refused_and_nothing_done(engine: Engine, name: str) -> None:
    run = await engine.trigger(delay="1h")

    told = [
        await engine.refused("GET", LIST, 400, params={"vocabulary": name}),
        await engine.refused("GET", f"/api/v3/runs/{run}", 400, params={"vocabulary": name}),
        await engine.refused(
            "POST", f"/api/v1/runs/{run}/reschedule", 400, params={"vocabulary": name}, json={"delay": "2h"}
        ),
    ]

    assert told == 3 * [f'There is no vocabulary "{name}". Vocabularies are full, v4, v3, v2, executions.']
