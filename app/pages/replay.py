"""Running a run again: with the same payload or another one, from its beginning or from one of its steps."""

from typing import Any

import msgspec
from msgspec import Raw
from starlette.responses import Response

from app.pages.api import ApiError
from app.pages.run import pretty
from app.pages.visits import Visit, see


async def ask(visit: Visit) -> Response:
    """The form, with the payload that the run had."""
    run, text = await _run_of(visit)
    return await _form(visit, run, text, "", "")


async def start(visit: Visit) -> Response:
    """Make the new run, and go there. What was entered stays on the form if it is refused."""
    run, before = await _run_of(visit)
    # Browsers send line breaks as forms do.
    text, step = visit.field("payload").replace("\r\n", "\n"), visit.field("step")
    body: dict[str, Any] = {"fromStep": step} if step else {}
    try:
        # The payload as it is kept is taken over, unless somebody changed it.
        if text.strip() != before.strip():
            body["payload"] = _json_of(text)
        made = await visit.api.post(f"/api/v1/runs/{run['id']}/replay", body)
    except ApiError as error:
        return await _form(visit, run, text, step, str(error), error.status)
    return see(f"/runs/{made['id']}")


async def _run_of(visit: Visit) -> tuple[dict[str, Any], str]:
    answer = await visit.api.ask(f"/api/v3/runs/{visit.named('run')}")
    payload = answer.raw.get("payload")
    return answer.data, "" if payload is None else pretty(payload)


async def _form(visit: Visit, run: dict[str, Any], text: str, step: str, refusal: str, status: int = 200) -> Response:
    journal = await visit.api.get(f"/api/v1/runs/{run['id']}/journal")
    steps = [entry["name"] for entry in journal["entries"] if entry["kind"] == "step"]
    return visit.page(
        "replay.html", status, run=run, payload=text, step=step, steps=dict.fromkeys(steps), refusal=refusal
    )


def _json_of(text: str) -> Raw:
    if not text.strip():
        raise ApiError(422, "The payload is empty: write JSON, null if there is to be none.")
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApiError(422, f"The payload is not JSON: {error}.") from error
    return Raw(text.encode())
