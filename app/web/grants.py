"""What public tokens open: each route that takes one says what it does to which resources."""

from app.web.caller import Caller
from app.web.errors import NotGranted
from projections.run_row import RunRow


def must(caller: Caller, action: str, *resources: tuple[str, str]) -> None:
    """Raises NotGranted for a public token that does not allow this action on any of these; secret keys may do all."""
    grant = caller.grant
    if grant is None:
        return
    if grant.is_for_one_use and action not in {"trigger", "batchTrigger"}:
        raise NotGranted("This public token is for one trigger, and opens nothing else.")
    if not grant.allows(action, resources):
        wanted = " or ".join(f"{action}:{kind}:{name}" for kind, name in resources)
        raise NotGranted(f"This public token has no scope for this: {wanted[:400]} is needed.")


def may(caller: Caller, action: str, *resources: tuple[str, str]) -> bool:
    """Whether `must` would let it pass."""
    try:
        must(caller, action, *resources)
    except NotGranted:
        return False
    return True


def resources_of(row: RunRow) -> tuple[tuple[str, str], ...]:
    """By what a run may be opened."""
    batch = (("batch", row.batch),) if row.batch else ()
    return ("runs", row.id), ("tasks", row.task), *(("tags", tag) for tag in row.tags), *batch
