"""What a monitoring system asks a node, in Prometheus's text formats."""

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import choose_encoder

from app.nodes.metrics import Metrics
from app.web.caller import ReaderDep
from app.web.routing import room

router = room("health")


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, reader: ReaderDep) -> Response:
    """What the node does and how it is, for Prometheus, or as OpenMetrics where that is asked for."""
    exposition, content_type = choose_encoder(request.headers.get("accept", ""))
    of_application = request.app.state.metrics
    assert isinstance(of_application, Metrics)
    return Response(await of_application.text(reader, exposition), headers={"content-type": content_type})
