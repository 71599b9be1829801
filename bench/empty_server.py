"""What a request costs before anything is done for it: an empty POST on the server and framework of the engine."""

import socket

import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import Response


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(f"Runfold is listening on http://{host}:{port}", flush=True)


application = FastAPI()


@application.post("/api/v1/tasks/{task:path}/trigger")
async def empty(task: str, request: Request) -> Response:  # noqa: ARG001 (the path of the engine has it)
    """The answer of a trigger that triggers nothing."""
    await request.body()
    return Response(b'{"id":"run_0","isCached":false}', media_type="application/json")


if __name__ == "__main__":
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off")
    uvloop.run(_Server(config).serve())
