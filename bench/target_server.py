"""A server that is called: whatever comes is answered at once, and each connection is closed after that."""

import asyncio
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nok"


class _Answering(asyncio.Protocol):
    """One connection. Requests have no bodies, so that the end of the head is that of the request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Those of uvloop are none of asyncio's, and write all the same.
        self._transport = cast("asyncio.Transport", transport)
        self._came = b""

    def data_received(self, data: bytes) -> None:
        self._came += data
        if b"\r\n\r\n" in self._came:
            self._transport.write(ANSWER)
            self._transport.close()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0, backlog=2_048)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"Runfold is listening on http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
