"""Triggers whose payload was uploaded before."""

from app import packets
from app.engine.reader import Reader
from app.superjson import STORE_TYPE
from app.web.bodies import TriggerBody
from app.web.caller import Caller


async def unpacked(body: TriggerBody, reader: Reader, caller: Caller) -> TriggerBody:
    """The same trigger with what its payload stands for, if that names a packet. Raises InvalidInput."""
    options = body.options
    if options is not None and options.payload_type == STORE_TYPE:
        body.payload, options.payload_type = await packets.content_of(reader, caller.environment.id, body.payload)
    return body
