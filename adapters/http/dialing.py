"""Connecting to a name: look it up, check every address that it has, and dial a number that was checked.

Nothing looks the name up again behind the check, so what it resolves to later does not matter. The name itself still
stands in the URL, from which the Host header and the name in the certificate come.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias, cast

import httpcore

from adapters.http.addresses import AddressPolicy

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""The numeric addresses of a name, best first. Raises OSError when it has none."""
NEXT_ADDRESS_SECONDS = 5.0
"""How long an address may be silent before the next one of the same name is tried."""
ADDRESSES_MAX = 4


class AddressNotAllowed(Exception):
    """The name has an address that must not be called; which one is told to nobody."""


class LookupFailed(Exception):
    """The name has no address."""


class Dialer(httpcore.AsyncNetworkBackend):
    """The network of one call. `looked_up` is called when the addresses are known and checked."""

    def __init__(self, resolve: Resolve, policy: AddressPolicy, looked_up: Callable[[], None]) -> None:
        self._resolve = resolve
        self._policy = policy
        self._looked_up = looked_up
        # Its name stands for two classes, one of them for those who have no anyio.
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature; the whole call has a deadline)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers. Raises LookupFailed, AddressNotAllowed, ConnectError."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise LookupFailed from error
        if not addresses:
            raise LookupFailed
        # One bad address is enough: whoever mixes them wants to be dialed there sooner or later.
        if not all(self._policy.permits(address, port) for address in addresses):
            raise AddressNotAllowed
        self._looked_up()
        *others, last = addresses[:ADDRESSES_MAX]
        for address in others:
            try:
                return await self._network.connect_tcp(
                    address, port, NEXT_ADDRESS_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)
