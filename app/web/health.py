"""Whether the node lives, and whether it is ready."""

from typing import Any

from fastapi.responses import JSONResponse, Response

from app.service import Service
from app.web.caller import ReaderDep
from app.web.errors import answer
from app.web.ledger import compared_item, verified_item
from app.web.routing import room

router = room("health")


@router.get("/livez")
async def livez() -> dict[str, str]:
    """200 as long as the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(reader: ReaderDep) -> Response:
    """200 with the node's role, "writer" or "standby", when it does that work; 503 with the reasons when not."""
    role, head, position, problems = await reader.readiness()
    known: dict[str, Any] = {"role": role, "head": head, "readModels": position}
    if isinstance(reader, Service) and reader.verifier.per_second:
        known["verified"] = verified_item(reader.verifier)
    if isinstance(reader, Service) and reader.comparer.per_second:
        known["compared"] = compared_item(reader.comparer)
    return answer(503, " ".join(problems), **known) if problems else JSONResponse({"status": "ok"} | known)
