"""From the bodies of callbacks and alert channels to what is saved of them."""

from collections.abc import Sequence

from app.names import named
from app.requests import check_request
from app.web import bodies
from domain import durations
from domain.announcing import request_to
from domain.channel import EMAIL
from domain.errors import InvalidInput
from domain.events import Callback, ChannelSpec
from domain.mail import is_mail_address

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
