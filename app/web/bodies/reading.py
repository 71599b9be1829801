"""How a body is read, and the types that its fields share."""

from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from app.web.bodies.misspelling import misspelled
from app.web.errors import Malformed

T = TypeVar("T")


# JSON knows no end of numbers; what is reckoned with here, and stored, stays where every client can read it.
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]

Moment: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Dated: TypeAlias = Annotated[int, Meta(ge=-62_135_596_800_000, le=253_402_300_799_999)]
"""Milliseconds since 1970, of the years 1 to 9999, which a date can tell."""
Span: TypeAlias = Annotated[int, Meta(ge=0, le=3_650 * 86_400_000)]
"""Milliseconds, ten years at most."""


class StrictBody(Struct, forbid_unknown_fields=True):
    """A body that has no other fields: one that is misspelled is refused, as it would do nothing.

    The others belong to routes of Trigger.dev, whose SDK adds fields over time, or to workers, which may be newer than
    the engine.
    """


def text_as_json(text: str) -> Raw:
    """A text as a JSON string."""
    return Raw(msgspec.json.encode(text))


def decode(body: bytes, shape: type[T]) -> T:
    """A body of this shape. Raises Malformed with a sentence that names the place."""
    try:
        if not body.isascii():
            # What stays undecoded would take any bytes along, into the ledger and to every reader.
            body.decode()
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        unknown = misspelled(str(error), shape)
        raise Malformed(unknown or f"The body is not of the right shape: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"Invalid JSON: {error}.") from error
    except RecursionError as error:
        raise Malformed("Invalid JSON: it is nested too deeply.") from error
