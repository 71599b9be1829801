"""Whose certificates are believed."""

from functools import cache
from ssl import SSLContext

import httpx


@cache
def world() -> SSLContext:
    """The authorities that everybody believes, read once: that takes longer than many calls."""
    return httpx.create_ssl_context(trust_env=False)
