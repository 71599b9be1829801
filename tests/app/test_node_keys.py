"""The key in the settings of a node: who knows it when, and what becomes of it once somebody revoked it."""

import httpx

from app.engine.environments import digest_of
from tests.app.harness import ADMIN_KEY, KEY, sentence_of
from tests.app.nodes import TRIGGER, RunningNode, running_node

KEYS = "/api/v1/environments/dev/keys"
AS_ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}
LATER_KEY = "tr_dev_a_later_one_0123456789"
TOO_EARLY = "This key is in the settings of this node, which has not written yet: ask again."


async def both_with(node: RunningNode, key: str) -> list[httpx.Response]:
    """What a node answers to a read, which it does itself, and to a command, which a standby sends on."""
    headers = {"authorization": f"Bearer {key}"}
    return [
        await node.client.get("/api/v1/runs", headers=headers),
        await node.client.post(TRIGGER, json={}, headers=headers),
    ]


async def revoke(node: RunningNode, key: str) -> None:
    (await node.client.post(KEYS, headers=AS_ADMIN)).raise_for_status()
    (await node.client.delete(f"{KEYS}/{digest_of(key)[:12]}", headers=AS_ADMIN)).raise_for_status()


async def test_who_comes_too_early_with_the_key_of_a_standby_is_asked_to_come_again(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b", secret_key=LATER_KEY) as second:
        await second.until_standby_of(first.address)

        early, wrong = await both_with(second, LATER_KEY), await both_with(second, "tr_dev_of_nobody_at_all")

        assert [(each.status_code, each.headers["retry-after"], sentence_of(each)) for each in early] == [
            (503, "1", TOO_EARLY)
        ] * 2
        assert [each.status_code for each in wrong] == [401, 401]


async def test_a_key_that_was_revoked_is_refused_by_every_node_and_waited_for_by_none(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b", secret_key=KEY) as second:
        await second.until_standby_of(first.address)
        await revoke(first, KEY)
        second.clock.mono += 2_000

        answers = await both_with(first, KEY) + await both_with(second, KEY)

        assert [each.status_code for each in answers] == [401] * 4


async def test_the_key_of_a_node_that_was_left_behind_opens_again_what_another_one_closed(schema: str) -> None:
    async with (
        running_node(schema, "a", secret_key=KEY) as first,
        running_node(schema, "b", secret_key=LATER_KEY) as second,
    ):
        await second.until_standby_of(first.address)
        first.hand_lease_over(to=second)
        await second.until_writer()
        await first.until_standby_of(second.address)
        replaced = await both_with(second, KEY) + await both_with(second, LATER_KEY)
        second.hand_lease_over(to=first)
        await first.until_writer()
        back = await both_with(first, KEY) + await both_with(first, LATER_KEY)

        assert [each.status_code for each in replaced] == [401, 401, 200, 200]
        assert [each.status_code for each in back] == [200, 200, 401, 401]


async def test_a_key_that_was_revoked_opens_nothing_after_a_takeover(schema: str) -> None:
    async with (
        running_node(schema, "a", secret_key=KEY) as first,
        running_node(schema, "b", secret_key=KEY) as second,
    ):
        await second.until_standby_of(first.address)
        await revoke(first, KEY)
        first.hand_lease_over(to=second)
        await second.until_writer()
        await first.until_standby_of(second.address)
        first.clock.mono += 2_000

        answers = await both_with(first, KEY) + await both_with(second, KEY)

        assert [each.status_code for each in answers] == [401] * 4
