"""An order that takes days and survives everything: `runfold worker orders.py`."""

from dataclasses import dataclass

from runfold import Context, Retry, step_key, task
from runfold.aio import wait


@dataclass
class Order:
    id: str
    amount: int
    addresses: list[str]
    remind_after: str = "1d"


@task(retry=Retry(max_attempts=5, min_timeout_ms=500))
async def order(order: Order, ctx: Context) -> list[str]:
    receipt = await ctx.step("charge", charge, order.amount)
    token = await ctx.step("ask", ask_for_approval, order)
    approval = await wait.for_token(token, timeout=order.remind_after)
    if not approval.ok:
        await ctx.step("remind", note, f"{order.id}: still not approved")
        approval = await wait.for_token(token)
    parcels = await ship.aio.batch_trigger_and_wait(order.addresses)
    await ctx.step("thank", note, f"{order.id}: {receipt}, approved by {approval.unwrap()['by']}")
    return [*parcels.unwrap()]


@task(retry=Retry(max_attempts=5, min_timeout_ms=500))
async def ship(address: str, ctx: Context) -> str:
    return await ctx.step("hand over", note, f"a parcel to {address}")


async def charge(amount: int) -> str:
    # The same key however often this is tried, so that the bank would charge once.
    return await note(f"{amount} charged under {step_key()[:8]}")


async def ask_for_approval(order: Order) -> str:
    token = await wait.create_token(tags=[f"order {order.id}"], idempotency_key=step_key())
    await note(f"{order.id}: approve at {token.url}")
    return token.id


async def note(text: str) -> str:
    """What the outside world sees: one line in a file."""
    with open("diary.txt", "a", encoding="utf-8") as diary:  # noqa: ASYNC230, PTH123 (a line is written at once)
        diary.write(text + "\n")
    return text
