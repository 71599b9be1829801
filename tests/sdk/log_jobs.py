"""Tasks that log, and change the metadata of their runs."""

import asyncio
import threading

from runfold import Context, SyncContext, task


@task
async def tell(_: None, ctx: Context) -> None:
    ctx.log.debug("begun", payload=None)
    ctx.log.info("The key is ada-secret.", key="ada-secret", inner={"list": ["ada-secret", 123456, 5]})
    await asyncio.to_thread(ctx.log.warning, "from a thread")
    ctx.log.error("over")


@task
def tell_sync(_: None, ctx: SyncContext) -> None:
    ctx.log.debug("begun", payload=None)
    ctx.log.info("The key is ada-secret.", key="ada-secret", inner={"list": ["ada-secret", 123456, 5]})
    thread = threading.Thread(target=ctx.log.warning, args=("from a thread",))
    thread.start()
    thread.join()
    ctx.log.error("over")


@task
async def tell_and_fail(_: None, ctx: Context) -> None:
    ctx.log.info("before")
    raise ValueError("It fails.")


@task
def tell_and_fail_sync(_: None, ctx: SyncContext) -> None:
    ctx.log.info("before")
    raise ValueError("It fails.")


@task
async def tell_and_wait(_: None, ctx: Context) -> None:
    ctx.log.info("waiting")
    await asyncio.Event().wait()


@task
def tell_and_wait_sync(_: None, ctx: SyncContext) -> None:
    ctx.log.info("waiting")
    threading.Event().wait()


@task
async def tell_much(_: None, ctx: Context) -> None:
    for number in range(5_000):
        ctx.log.info("much", number=number)
