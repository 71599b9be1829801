"""Tasks with gates before their queue. What they return follows from the payload and from what the gates gave."""

import hashlib
from dataclasses import dataclass
from typing import Any

from runfold import Context, Retry, UnresolvedAuthError, task

MEMBERS = {"ada": "signature_that_nobody_may_read"}
RAISED = "eve"


def digest(text: str) -> str:
    """What may be shown of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()


async def member(payload: dict[str, Any], _context: Context) -> dict[str, str] | None:
    if payload["user"] == RAISED:
        raise UnresolvedAuthError("eve is no member.")
    signature = MEMBERS.get(payload["user"])
    return None if signature is None else {"signature": signature}


@task(auth=member, connections=["github"])
async def sync(payload: dict[str, Any], context: Context) -> dict[str, Any]:
    token = context.connections["github"]["token"]
    return {"n": payload["n"], "token": digest(token), "signature": digest(context.auth["signature"])}


@task(auth=member, connections=["github"])
async def leak(_payload: dict[str, Any], context: Context) -> None:
    raise ValueError(f"{context.connections['github']['token']} and {context.auth['signature']} are refused")


@dataclass
class Order:
    n: str
    pieces: int


@task
async def order(payload: Order) -> dict[str, Any]:
    return {"n": payload.n, "pieces": payload.pieces}


@task(machine="micro", retry=Retry(max_attempts=3, min_timeout_ms=20, out_of_memory_machine="large-1x"))
def hungry(payload: dict[str, Any], context: Context) -> dict[str, Any]:
    if context.run.machine != "large-1x":
        raise MemoryError("the machine is too small")
    return {"n": payload["n"], "machine": context.run.machine}
