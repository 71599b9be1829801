"""Alert channels as they are saved."""

from typing import Any

from app.engine.reader import Reader
from app.service import Service
from domain import commands, states
from domain.channel import CHANNEL, Channel
from domain.errors import NotFound
from domain.events import ChannelSpec


async def channels_of(reader: Reader, environment: str) -> list[Channel]:
    """The alert channels of an environment, newest first."""
    histories = await reader.read(reader.ledger.read_kind, CHANNEL)
    found = [states.fold(history) for history in histories.values() if history[0].environment == environment]
    there = [each for each in found if isinstance(each, Channel) and not each.is_removed]
    return sorted(there, key=lambda channel: channel.id, reverse=True)


async def channel_of(reader: Reader, environment: str, channel: str) -> Channel:
    """An alert channel that is there. Raises NotFound."""
    found = states.fold(await reader.history(channel)) if channel.startswith(f"{CHANNEL}_") else None
    if not isinstance(found, Channel) or found.environment != environment or found.is_removed:
        raise NotFound(f"Alert channel {channel[:60]} not found.")
    return found


async def save(service: Service, spec: ChannelSpec, origin: dict[str, Any]) -> Channel:
    """Save an alert channel. Raises NotAllowed."""
    channel = service.ids.new(CHANNEL, origin["at"])
    saved: Channel = await service.loop.submit(commands.SaveChannel(channel=channel, spec=spec, **origin))
    return saved
