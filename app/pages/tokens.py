"""Waitpoint tokens, and a form that completes one."""

import msgspec
from msgspec import Raw
from starlette.responses import Response

from app.pages.api import ApiError
from app.pages.bulk import turned
from app.pages.visits import Visit, see
from domain.waitpoint import WaitpointStatus

LIST = "/api/v1/waitpoints/tokens"


async def show_all(visit: Visit) -> Response:
    """The tokens, newest first, as they are or were."""
    moment = await visit.look()
    status = visit.query("status")
    asked = {"filter[status]": status} if status else {}
    cursor = {f"page[{side}]": visit.query(side) for side in ("after", "before") if visit.query(side)}
    answer = await visit.api.get(LIST, **asked, **cursor, **moment.as_of)
    kept = {"status": status} if status else {}
    return visit.page(
        "tokens.html",
        tokens=answer["data"],
        pagination=turned(answer, "/tokens", moment.query(kept)),
        kept=kept,
        status=status,
        statuses=list(WaitpointStatus),
    )


async def show(visit: Visit) -> Response:
    """A token, as it is or was."""
    return await _form(visit, "", "")


async def complete(visit: Visit) -> Response:
    """Complete it with what was entered, which stays on the form if it is refused."""
    text = visit.field("data").replace("\r\n", "\n")
    try:
        body = {"data": Raw(text.encode())} if text.strip() else {}
        if body:
            msgspec.json.decode(text)
        await visit.api.post(f"{LIST}/{visit.named('token')}/complete", body)
    except (msgspec.DecodeError, RecursionError) as error:
        return await _form(visit, text, f"This is not JSON: {error}.", 422)
    except ApiError as error:
        return await _form(visit, text, str(error), error.status)
    return see(f"/tokens/{visit.named('token')}")


async def _form(visit: Visit, text: str, refusal: str, status: int = 200) -> Response:
    moment = await visit.look()
    token = await visit.api.get(f"{LIST}/{visit.named('token')}", **moment.as_of)
    is_open = token["status"] == WaitpointStatus.WAITING and not moment.is_past
    return visit.page("token.html", status, token=token, data=text, refusal=refusal, is_open=is_open)
