"""The W3C trace context of a request: which span of the caller it belongs to."""

import re

from fastapi import Request

# Version, trace, span, flags. All zeros name no trace and no span; ff is no version.
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(request: Request) -> str | None:
    """The caller's span; None if there is none, or if it cannot be read: tracing is no reason to refuse a request."""
    # Looked for in the raw headers: this is done for every trigger, and most have none.
    for name, value in request.scope["headers"]:
        if name == b"traceparent":
            return value.decode() if _TRACEPARENT.fullmatch(value) else None
    return None
