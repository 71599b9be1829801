"""Tasks that ask on whose behalf they act, and tasks with credentials."""

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from runfold import Context, UnresolvedAuthError, task


@dataclass
class Place:
    city: str


async def find_user(place: Place, ctx: Context) -> dict[str, str] | None:
    if place.city == "Atlantis":
        raise UnresolvedAuthError("Nobody lives in Atlantis.")
    return {"user": place.city, "run": ctx.run.id, "task": ctx.task.id} if place.city else None


def find_user_in_process(ctx: Context) -> dict[str, int]:
    return {"process": os.getpid(), "attempt": ctx.attempt.number}


async def find_nobody_ever(ctx: Context) -> None:
    _looking.append(ctx.run.id)
    try:
        await asyncio.Event().wait()
    finally:
        _looking.remove(ctx.run.id)


def find_nobody_ever_in_process(marks: str, ctx: Context) -> str:
    try:
        Path(marks, "began").touch()
        time.sleep(3600)
    finally:
        Path(marks, "ended").touch()
    return ctx.run.id


def die_while_looking(payload: int, ctx: Context) -> None:
    os._exit(payload)


_looking: list[str] = []
"""The runs whose resolver is at work in this process."""


def is_looking(run: str) -> bool:
    return run in _looking


@task(auth=find_user)
async def authorized(place: Place) -> str:
    return place.city


@task(auth=find_user_in_process)
async def authorized_in_process(place: Place) -> str:
    return place.city


@task(auth=find_nobody_ever)
async def never_authorized() -> None: ...


@task(auth=find_nobody_ever_in_process)
def never_authorized_in_process(marks: str) -> str:
    return marks


@task(auth=die_while_looking)
def fatally_authorized(code: int) -> int:
    return code


@task(connections=("github",))
async def leak(payload: None, ctx: Context) -> None:
    logging.getLogger("runfold.task").info("%s %r", ctx, ctx.run)
    token = ctx.connections["github"]["token"]
    raise ValueError(f"cannot log in with {token}, as {ctx.auth['userName']}") from KeyError(token)


@task(connections=("github",))
def leak_in_process(payload: None, ctx: Context) -> None:
    raise ValueError(f"cannot log in with {ctx.connections['github']['token']}")
