"""What an environment is made of: the versions of its tasks, the workers that have them, and its secret keys."""

from typing import Any

from starlette.responses import Response

from app.engine.environments import KEY_ID_LENGTH, digest_of
from app.pages.visits import Visit, see
from app.pages.words import segment

WORKERS = "50"


async def deployments(visit: Visit) -> Response:
    """The versions, newest first, as they are or were."""
    moment = await visit.look()
    cursor = {"page[after]": visit.query("after")} if visit.query("after") else {}
    answer = await visit.api.get("/api/v1/deployments", **cursor, **moment.as_of)
    following = answer["pagination"].get("next")
    return visit.page("deployments.html", deployments=answer["data"], next=following)


async def promote(visit: Visit) -> Response:
    """Let new runs get this version."""
    await visit.api.post(f"/api/v1/deployments/{segment(visit.field('version'))}/promote")
    return see("/deployments")


async def workers(visit: Visit) -> Response:
    """Who executes runs at present, or had runs then."""
    page, moment = visit.query("page") or "1", await visit.look()
    answer = await visit.api.get("/api/v1/workers", page=page, perPage=WORKERS, **moment.as_of)
    return visit.page("workers.html", workers=answer["data"], pagination=answer["pagination"])


async def keys(visit: Visit) -> Response:
    """The secret keys that open the environment, or opened it, by what is known of them."""
    return await _keys(visit, None)


async def make_key(visit: Visit) -> Response:
    """Make another one, which is shown in answer to this form alone."""
    return await _keys(visit, await visit.api.post(f"{_path(visit)}"))


async def revoke_key(visit: Visit) -> Response:
    """Take a key back."""
    await visit.api.send("DELETE", f"{_path(visit)}/{segment(visit.field('key'))}")
    return see("/keys")


async def _keys(visit: Visit, made: dict[str, Any] | None) -> Response:
    moment = await visit.look()
    found = await visit.api.get(_path(visit), **moment.as_of)
    mine = digest_of(visit.session.key)[:KEY_ID_LENGTH] if visit.session else ""
    return visit.page("keys.html", keys=found["data"], made=made, mine=mine)


def _path(visit: Visit) -> str:
    return f"/api/v1/environments/{segment(visit.environment.slug)}/keys"
