"""Alert channels as they are saved."""

from collections.abc import Sequence
from typing import Any

from app.engine.reader import Reader
from app.service import Service
from app.vault.secrets import missing_sentence, secrets_of
from domain import commands, states
from domain.channel import CHANNEL, Channel
from domain.errors import NotFound
from domain.events import ChannelSpec
from domain.requests import secrets_in


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


async def with_errors(
    reader: Reader, environment: str, channels: Sequence[Channel]
) -> list[tuple[Channel, str | None]]:
    """Each channel with why what it tells would fail: the sentence about the first secret that it names in vain."""
    if not any(map(_secrets_of, channels)):
        return [(each, None) for each in channels]
    there = {each.name for each in await secrets_of(reader, environment)}
    missing = (next((name for name in _secrets_of(each) if name not in there), None) for each in channels)
    return [(each, name and missing_sentence(name)) for each, name in zip(channels, missing, strict=True)]


async def save(service: Service, spec: ChannelSpec, origin: dict[str, Any]) -> Channel:
    """Save an alert channel. Raises NotAllowed."""
    channel = service.ids.new(CHANNEL, origin["at"])
    saved: Channel = await service.loop.submit(commands.SaveChannel(channel=channel, spec=spec, **origin))
    return saved


def _secrets_of(channel: Channel) -> list[str]:
    spec = channel.spec
    signing = [spec.secret] if spec.secret else []
    return signing + [name for value in spec.headers.values() for name in secrets_in(value)]
