"""Alert channels as they are saved."""

from collections.abc import Sequence
from typing import Any

from app.engine.aggregates import states_of, until
from app.engine.reader import Reader
from app.service import Service
from app.vault.secrets import missing_sentence, secrets_of
from domain import commands, states
from domain.channel import CHANNEL, Channel
from domain.errors import NotFound
from domain.events import ChannelSpec
from domain.requests import secrets_in


async def channels_of(reader: Reader, environment: str, *, upto: int | None = None) -> list[Channel]:
    """The alert channels that an environment has, or had at a position, newest first."""
    found = await states_of(reader, CHANNEL, environment, upto=upto)
    there = [each for each in found if isinstance(each, Channel) and not each.is_removed]
    return sorted(there, key=lambda channel: channel.id, reverse=True)


async def channel_of(reader: Reader, environment: str, channel: str, *, upto: int | None = None) -> Channel:
    """An alert channel that is, or was, there. Raises NotFound."""
    what = f"Alert channel {channel[:60]}"
    history = await reader.history(channel) if channel.startswith(f"{CHANNEL}_") else ()
    if not history or history[0].environment != environment:
        raise NotFound(f"{what} not found.")
    found = states.fold(until(upto, history))
    if not isinstance(found, Channel):
        raise NotFound(f"{what} did not exist yet.")
    if found.is_removed:
        raise NotFound(f"{what} not found." if upto is None else f"{what} was removed by then.")
    return found


async def with_errors(
    reader: Reader, environment: str, channels: Sequence[Channel], *, upto: int | None = None
) -> list[tuple[Channel, str | None]]:
    """Each channel with why what it tells fails, or failed: the sentence on the first secret that it names in vain."""
    if not any(map(_secrets_of, channels)):
        return [(each, None) for each in channels]
    there = {each.name for each in await secrets_of(reader, environment, upto=upto)}
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
