"""The same as `orders` in code that is not async. Each life of its process takes a while, so it has fewer of them."""

from typing import Any

from runfold import SyncContext, task, wait
from tests.crash.moments import LEFT, OF_STEPS, Moments
from tests.crash.orders import PATIENT, WAIT_SECONDS, body, child

__all__ = ["child"]  # the processes of a worker load this file


@task(retry=PATIENT)
def plain_order(payload: dict[str, Any], ctx: SyncContext) -> list[str]:
    done = [ctx.step("first", body, ctx.run.id, "first")]
    for moment in OF_STEPS:
        done.append(ctx.step(moment, body, ctx.run.id, moment))
        Moments.of_environment().in_code(LEFT, moment)
    done.append(child.trigger_and_wait({"n": f"{payload['n']} unsent"}).unwrap())
    wait.for_(WAIT_SECONDS)
    return [*done, ctx.step("last", body, ctx.run.id, "last")]
