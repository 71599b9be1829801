"""Callbacks of jobs and alert channels: from what a user asks for to what is saved."""

from collections.abc import Sequence
from typing import Any

from app.engine.reader import Reader
from app.requests import check_request
from app.service import Service
from app.vault.secrets import missing_sentence, secrets_of
from app.web import bodies
from app.web.newruns import named
from domain import commands, durations, states
from domain.announcing import request_to
from domain.channel import CHANNEL, EMAIL, Channel
from domain.errors import InvalidInput, NotFound
from domain.events import Callback, ChannelSpec
from domain.mail import is_mail_address
from domain.requests import secrets_in

CALLBACKS_MAX = 10
SUBJECTS_MAX = 100
ADDRESSES_MAX = 20
DIGEST_MIN_MS, DIGEST_MAX_MS = 1_000, 7 * 86_400_000


def callbacks_of(asked: Sequence[bodies.CallbackBody]) -> tuple[Callback, ...]:
    """What is saved of the callbacks of a job. Raises InvalidInput."""
    if len(asked) > CALLBACKS_MAX:
        raise InvalidInput(f"A job has at most {CALLBACKS_MAX} callbacks; these are {len(asked)}.")
    found = tuple(Callback(_each_once(each.on), each.url, each.headers or {}, each.secret) for each in asked)
    for each in found:
        _check_target(each.url, each.headers, each.secret)
    return found


def spec_of(body: bodies.ChannelBody) -> ChannelSpec:
    """What is saved of an alert channel. Raises InvalidInput."""
    _check_kind(body)
    if len(body.tasks) > SUBJECTS_MAX or len(body.jobs) > SUBJECTS_MAX:
        raise InvalidInput(f"An alert channel names at most {SUBJECTS_MAX} tasks, and as many jobs.")
    return ChannelSpec(
        named(body.name, "channel name"),
        body.kind,
        _each_once(body.on),
        tuple(named(each, "task id") for each in body.tasks),
        tuple(named(each, "job id") for each in body.jobs),
        body.url or "",
        body.headers or {},
        body.secret,
        body.to,
        body.repeat,
        _digest_of(body.digest),
        body.certificate_days,
    )


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


async def save(service: Service, body: bodies.ChannelBody, origin: dict[str, Any]) -> Channel:
    """Save an alert channel. Raises InvalidInput, NotAllowed."""
    channel = service.ids.new(CHANNEL, origin["at"])
    saved: Channel = await service.loop.submit(commands.SaveChannel(channel=channel, spec=spec_of(body), **origin))
    return saved


def _secrets_of(channel: Channel) -> list[str]:
    spec = channel.spec
    signing = [spec.secret] if spec.secret else []
    return signing + [name for value in spec.headers.values() for name in secrets_in(value)]


def _digest_of(text: str | None) -> int | None:
    if text is None:
        return None
    window = durations.parse_duration(text)
    if not DIGEST_MIN_MS <= window <= DIGEST_MAX_MS:
        raise InvalidInput(f"The digest of an alert channel is 1 second to 7 days, not {text[:40]!r}.")
    return window


def _check_kind(body: bodies.ChannelBody) -> None:
    if body.kind == EMAIL:
        if body.url is not None or body.headers or body.secret is not None:
            raise InvalidInput("An alert channel of the kind email has addresses (to), and no url, headers or secret.")
        if not 1 <= len(body.to) <= ADDRESSES_MAX or not all(map(is_mail_address, body.to)):
            raise InvalidInput(f"to is a list of 1 to {ADDRESSES_MAX} e-mail addresses such as ops@example.com.")
        return
    if body.to:
        raise InvalidInput("An alert channel of the kind webhook has a url; to is for e-mails.")
    if body.url is None:
        raise InvalidInput("An alert channel of the kind webhook needs the url that is to be called.")
    _check_target(body.url, body.headers or {}, body.secret)


def _check_target(url: str, headers: dict[str, str], secret: str | None) -> None:
    check_request(request_to(url, headers, secret))


def _each_once(on: Sequence[str]) -> tuple[str, ...]:
    if not on:
        raise InvalidInput("on names one occasion at least, such as failure.")
    return tuple(dict.fromkeys(on))
