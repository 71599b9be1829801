"""URLs and headers as users write them, checked and in the form in which they are sent."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import httpx

from domain.errors import InvalidInput

URL_MAX = 8_192
HEADERS_MAX = 100
HEADER_MAX = 16_384
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
FORBIDDEN = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"),
        *("expect", "proxy-authorization", "proxy-connection", "accept-encoding"),
    }
)
"""What speaks of the connection is the caller's to say."""
OURS = ("x-cron-service-", "webhook-")
"""What these begin with says who calls, so that nobody else may say it."""


class Target(NamedTuple):
    """Where a request goes: `path` is what stands in its first line."""

    scheme: str
    host: str
    port: int
    path: bytes

    @property
    def origin(self) -> tuple[str, str, int]:
        """What secrets stay within."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """The host as the target is told it, with its port where that is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Where a URL leads. Raises InvalidInput."""
    if len(url) > URL_MAX:
        raise InvalidInput(f"The URL has {len(url)} characters; at most {URL_MAX} are taken.")
    if not url.isprintable() or any(each.isspace() for each in url):
        raise InvalidInput("The URL has spaces or control characters: write them as %20 and the like.")
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise InvalidInput(f"The URL cannot be read: {error}.") from None
    if parsed.scheme not in _DEFAULT_PORTS:
        raise InvalidInput("The URL begins with http:// or https://.")
    if not host:
        raise InvalidInput("The URL names no host: write one such as https://example.com/path.")
    if "%" in host:
        raise InvalidInput("The host of the URL has a zone or a percent sign, which is not allowed.")
    if parsed.userinfo:
        raise InvalidInput("The URL holds a user or password: send them in the header Authorization, from a secret.")
    port = _DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if not 0 < port < 65_536:
        raise InvalidInput(f"The URL names port {port}; ports are 1 to 65535.")
    return Target(parsed.scheme, host, port, parsed.raw_path)


def joined(url: str, location: str) -> str:
    """Where a redirect leads. Raises InvalidInput."""
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise InvalidInput(f"The target redirects to what is no URL: {error}.") from None


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """See to it that these can be sent, and that a user may set them. Raises InvalidInput, which tells no value."""
    found = list(headers)
    if len(found) > HEADERS_MAX:
        raise InvalidInput(f"A request has at most {HEADERS_MAX} headers; this one has {len(found)}.")
    for name, value in found:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name[:40]!r} is no name of a header.")
        if name.lower() in FORBIDDEN or name.lower().startswith(OURS):
            raise InvalidInput(f"The header {name} is set by Runfold: leave it out.")
        if len(value) > HEADER_MAX or not _VALUE.fullmatch(value):
            raise InvalidInput(
                f"The value of header {name} cannot be sent: it has at most {HEADER_MAX} characters of Latin-1,"
                " and no line breaks or control characters."
            )
