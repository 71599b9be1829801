"""schedules.*: made, found, changed, switched off and on, deleted; and the time zones there are."""

from uuid import uuid4

import pytest

from tests.official_sdk.conftest import Sdk


def test_a_schedule_is_made_found_changed_and_deleted(sdk: Sdk) -> None:
    name = uuid4().hex
    made, found, listed, changed, deleted, after = sdk.run(
        """
        const asked = { task: "echo", cron: "0 9 * * 1", timezone: "Europe/Paris", externalId: args.name };
        const made = await sdk.schedules.create({ ...asked, deduplicationKey: args.name });
        const found = await sdk.schedules.retrieve(made.id);
        const page = await sdk.schedules.list({ page: 1, perPage: 100 });
        const changed = await sdk.schedules.update(made.id, { task: "told", cron: "30 4 L * *" });
        const deleted = await sdk.schedules.del(made.id);
        const after = (await sdk.schedules.list({ perPage: 100 })).data.map((each) => each.id);
        return [made, found, page.data.filter((each) => each.id === made.id), changed, deleted, after];
        """,
        name=name,
    )

    assert (made["type"], made["task"], made["active"], made["timezone"]) == (
        "IMPERATIVE",
        "echo",
        True,
        "Europe/Paris",
    )
    assert (made["deduplicationKey"], made["externalId"]) == (name, name)
    assert made["generator"] | {"description": ""} == {"type": "CRON", "expression": "0 9 * * 1", "description": ""}
    assert made["nextRun"]["$date"] > "2026"
    assert (found, listed) == (made, [made])
    assert (changed["id"], changed["task"], changed["timezone"]) == (made["id"], "told", "UTC")
    assert changed["generator"]["expression"] == "30 4 L * *"
    assert deleted == {"id": made["id"]}
    assert made["id"] not in after


def test_the_same_deduplication_key_changes_the_schedule_that_there_is(sdk: Sdk) -> None:
    first, second = sdk.run(
        """
        const asked = { task: "echo", deduplicationKey: args.name };
        const made = [await sdk.schedules.create({ ...asked, cron: "0 9 * * *" })];
        made.push(await sdk.schedules.create({ ...asked, cron: "0 10 * * *" }));
        await sdk.schedules.del(made[0].id);
        return made;
        """,
        name=uuid4().hex,
    )

    assert second["id"] == first["id"]
    assert second["generator"]["expression"] == "0 10 * * *"


def test_a_schedule_is_switched_off_and_on(sdk: Sdk) -> None:
    off, found, on = sdk.run(
        """
        const { id } = await sdk.schedules.create({ task: "echo", cron: "0 9 * * *", deduplicationKey: args.name });
        const off = await sdk.schedules.deactivate(id);
        const found = await sdk.schedules.retrieve(id);
        const on = await sdk.schedules.activate(id);
        await sdk.schedules.del(id);
        return [off, found, on];
        """,
        name=uuid4().hex,
    )

    assert (off["active"], found["active"], on["active"]) == (False, False, True)
    assert on["nextRun"]["$date"] > "2026"


def test_time_zones(sdk: Sdk) -> None:
    zones, others = sdk.run(
        """
        const { timezones } = await sdk.schedules.timezones();
        return [timezones, (await sdk.schedules.timezones({ excludeUtc: true })).timezones];
        """
    )

    assert {"UTC", "Europe/Paris"} <= set(zones)
    assert set(zones) - set(others) == {"UTC"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cron": "soon"}, "soon"),
        ({"timezone": "Mars/Base"}, "Mars/Base"),
        ({"deduplicationKey": ""}, "deduplicationKey"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(sdk: Sdk, options: dict[str, str], sentence: str) -> None:
    asked = {"task": "echo", "cron": "0 9 * * *", "deduplicationKey": uuid4().hex} | options

    told = sdk.refused("return sdk.schedules.create(args.asked);", asked=asked)

    assert (told["class"], told["status"]) == ("UnprocessableEntityError", 422)
    assert sentence in told["message"]


def test_a_schedule_of_a_task_that_no_worker_knows_yet_is_made(sdk: Sdk) -> None:
    """Its runs wait for a version that knows it, as all runs do."""
    made = sdk.run(
        """
        const made = await sdk.schedules.create({ task: "unborn", cron: "0 9 * * *", deduplicationKey: args.name });
        await sdk.schedules.del(made.id);
        return made;
        """,
        name=uuid4().hex,
    )

    assert (made["task"], made["active"]) == ("unborn", True)


@pytest.mark.parametrize("call", ["retrieve(args.id)", "deactivate(args.id)", "del(args.id)"])
def test_a_schedule_that_is_not_there(sdk: Sdk, call: str) -> None:
    told = sdk.refused(f"return sdk.schedules.{call};", id="sched_0")

    assert (told["class"], told["status"]) == ("NotFoundError", 404)
