"""A mail server to be sent to, which keeps what it takes and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from adapters.smtp import MailServer, SmtpMailer

HOST = "127.0.0.1"
SENDER = "Runfold <alerts@example.com>"
OK = "250 OK"


class Mailbox:
    """What came, and what is answered to the next ones: those of `script`, and then that all is well."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.reached: list[str] = []
        """Who got them."""
        self.script: list[str] = []
        self.refusals: dict[str, str] = {}
        """What is answered to each of these addresses."""
        self.goodbye = "221 Bye"
        self.logins: list[tuple[str, str]] = []
        self.port = 0
        self._news = asyncio.Condition()

    @property
    def server(self) -> MailServer:
        return MailServer.parse(f"smtp://{HOST}:{self.port}")

    @property
    def mailer(self) -> SmtpMailer:
        return SmtpMailer(self.server, SENDER)

    async def came(self, count: int) -> list[EmailMessage]:
        """Wait until so many e-mails were taken."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.taken) >= count)
        return self.taken

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Called by the library."""
        answer = self.refusals.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by the library."""
        answer = self.script.pop(0) if self.script else OK
        if answer == OK:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            self.reached += envelope.rcpt_tos
            async with self._news:
                self.taken.append(message)
                self._news.notify_all()
        return answer

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        """Called by the library."""
        return self.goodbye

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)


@asynccontextmanager
async def a_mailbox(tls: ssl.SSLContext | None = None, *, has_login: bool = False) -> AsyncGenerator[Mailbox]:
    """A mail server that listens while the block runs; with `tls` it offers STARTTLS."""
    mailbox = Mailbox()

    def protocol() -> SMTP:
        return SMTP(
            mailbox,
            tls_context=tls,
            authenticator=mailbox.authenticate if has_login else None,
            auth_require_tls=tls is not None,
        )

    server = await asyncio.get_running_loop().create_server(protocol, HOST, 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
