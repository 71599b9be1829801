"""One connection to a server: bytes out, bytes in, and errors as httpx names them."""

import asyncio
import socket
import ssl

import httpx

UNREAD_MAX_BYTES = 1_048_576
"""So much may have come that nobody has asked for; the other side has to wait then."""
NEXT_ADDRESS_SECONDS = 0.25
"""How long to try one address of a name alone before the next one is tried as well (RFC 8305)."""


class Socket(asyncio.Protocol):
    """What came stays here until it is taken, also when the connection has been lost meanwhile."""

    def __init__(self) -> None:
        self.idle_until = 0.0
        """Until when it may be used again, on the clock of its event loop."""
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._is_ended = False
        self._is_full = False
        self._waiting: asyncio.Future[None] | None = None
        self._lost = asyncio.get_running_loop().create_future()

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent: the other side is there, and has said nothing that was not asked for."""
        return not self._is_ended and not self._unread

    async def write(self, data: bytes, seconds: float | None) -> None:
        """Send it, or as much as the other side takes before it hangs up, as it does when it has answered already."""
        if self._transport is None or self._is_ended:
            return
        self._transport.write(data)
        while self._is_full and not self._is_ended:
            try:
                await self._change(seconds)
            except TimeoutError:
                raise httpx.WriteTimeout(f"nothing was taken for {seconds:g} seconds") from None

    async def until(self, mark: bytes, bytes_max: int, seconds: float | None) -> bytes:
        """All up to a mark, which is taken as well. Raises RemoteProtocolError when it does not come in time."""
        looked = 0
        while (place := self._unread.find(mark, looked)) < 0:
            if len(self._unread) > bytes_max:
                raise httpx.RemoteProtocolError(f"more than {bytes_max} bytes of headers")
            looked = max(0, len(self._unread) - len(mark) + 1)
            if not await self._more(seconds):
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        found = bytes(self._unread[:place])
        del self._unread[: place + len(mark)]
        return found

    async def some(self, bytes_max: int, seconds: float | None) -> bytes:
        """What has come, at most so much of it; nothing only if the other side has hung up."""
        if not self._unread:
            await self._more(seconds)
        taken = bytes(self._unread[:bytes_max])
        del self._unread[:bytes_max]
        return taken

    def abort(self) -> None:
        """Hang up at once."""
        self._is_ended = True
        if self._transport is not None:
            self._transport.abort()

    async def gone(self) -> None:
        """Wait until nothing is left of a connection that was hung up."""
        if self._transport is not None:
            await self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream was asked for"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > UNREAD_MAX_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (whoever reads finds that it ended)
        self._is_ended = True
        self._lost.set_result(None)
        self._wake()

    def eof_received(self) -> None:
        self._is_ended = True
        self._wake()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    async def _more(self, seconds: float | None) -> bool:
        """Wait until something comes; False if nothing ever will. Raises ReadTimeout."""
        before = len(self._unread)
        while len(self._unread) == before and not self._is_ended:
            assert self._transport is not None, "it was connected"
            self._transport.resume_reading()
            try:
                await self._change(seconds)
            except TimeoutError:
                raise httpx.ReadTimeout(f"nothing came for {seconds:g} seconds") from None
        return len(self._unread) > before

    async def _change(self, seconds: float | None) -> None:
        """Wait for news, at most so long. Raises TimeoutError."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


async def connected(url: httpx.URL, tls: ssl.SSLContext | None, seconds: float | None) -> Socket:
    """A connection to the server of this URL. Raises ConnectError, ConnectTimeout."""
    loop = asyncio.get_running_loop()
    port = url.port or (443 if tls else 80)
    try:
        async with asyncio.timeout(seconds):
            _, made = await loop.create_connection(
                Socket, url.host, port, ssl=tls, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS
            )
    except TimeoutError:
        raise httpx.ConnectTimeout("no connection in time") from None
    except (socket.gaierror, ssl.SSLError) as error:
        raise httpx.ConnectError(str(error)) from error
    except OSError as error:
        # Each address has a reason of its own, and asyncio's text of several is a riddle.
        raise httpx.ConnectError("All connection attempts failed") from error
    return made
