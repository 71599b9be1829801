"""An e-mail: what is to be sent, and the port that sends."""

import re
from typing import Protocol

from msgspec import Struct

from domain.calls import Found

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def is_mail_address(text: str) -> bool:
    """Whether it can be an address. That somebody reads what is sent there only sending tells."""
    return _ADDRESS.fullmatch(text) is not None


class Mail(Struct, frozen=True, gc=False):
    """A text to some addresses. `id` is the same however often it is sent, `at` when that is (milliseconds)."""

    id: str
    to: tuple[str, ...]
    subject: str
    text: str
    at: int


class Mailer(Protocol):
    """Sends e-mails."""

    async def send(self, mail: Mail) -> Found:
        """Hand one e-mail to the mail server; `status_code` is what that answered.

        Whatever goes wrong is in what it returns; it raises nothing but cancellation.
        """
        ...
