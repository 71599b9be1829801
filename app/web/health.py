"""Whether the engine lives, and whether it is ready."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from app.web.caller import ServiceDep
from app.web.errors import answer

router = APIRouter(tags=["health"])
LAG_MAX = 50_000


@router.get("/livez")
async def livez() -> dict[str, str]:
    """200 as long as the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(service: ServiceDep) -> Response:
    """200 when commands are committed and the read models follow; 503 with the reasons when not."""
    head, position = service.loop.feed.head.position, service.follower.position
    problems = [
        service.failure and f"The engine ended: {service.failure}",
        service.loop.unavailable and f"The ledger cannot be written: {service.loop.unavailable}",
        service.follower.stopped and f"The read models do not follow: {service.follower.stopped}",
        f"The read models are {head - position} events behind." if head - position > LAG_MAX else None,
    ]
    reasons = [problem for problem in problems if problem]
    known = {"role": "writer", "head": head, "readModels": position}
    return answer(503, " ".join(reasons), **known) if reasons else JSONResponse({"status": "ok"} | known)
