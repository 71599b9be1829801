"""E-mails by SMTP: one connection for each, encrypted wherever a server elsewhere offers it."""

import asyncio
import smtplib
import ssl
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from domain.calls import AttemptStatus, ErrorClass, Found, failed
from domain.errors import InvalidInput
from domain.mail import Mail

SECONDS = 30.0
PORTS = {"smtp": 587, "smtps": 465}


class MailServer(NamedTuple):
    """Where e-mails are handed in: `smtp` turns to TLS if the server offers it, `smtps` begins with it."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> "MailServer":
        """From smtp://user:password@host:port. Raises InvalidInput, which tells no password."""
        wrong = InvalidInput("write smtp://user:password@host:port, or smtps:// for a server that begins with TLS")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise wrong from None
        if parts.scheme not in PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise wrong
        if (parts.username is None) != (parts.password is None):
            raise wrong
        user, password = (None if each is None else unquote(each) for each in (parts.username, parts.password))
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme], user, password)

    @property
    def is_here(self) -> bool:
        """Whether what is sent there never leaves this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class SmtpMailer:
    """Hands e-mails to a mail server. `trust` is whose certificates are believed."""

    def __init__(self, server: MailServer, sender: str, trust: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._sender = sender
        self._trust = trust or ssl.create_default_context()

    async def send(self, mail: Mail) -> Found:
        """Hand it in within so many seconds for each step.

        It is sent once the server took it for anybody, and what is found says for whom it was refused: another attempt
        would bring it to the others a second time.
        """
        began = time.monotonic()
        try:
            answer = await asyncio.to_thread(self._send, mail)
        except Exception as error:  # noqa: BLE001 (smtplib raises errors of six kinds, and each is an answer)
            return _failed(error, _ms(began))
        return Found(AttemptStatus.SUCCESS, _ms(began), 250, body_preview=answer, bytes_received=len(answer))

    def _send(self, mail: Mail) -> str:
        server = self._server
        with closing(self._connect()) as line:
            line.ehlo()
            is_safe = server.scheme == "smtps" or server.is_here
            # A mail server of this machine has a certificate of its own making as a rule, and nobody listens between.
            if not is_safe and line.has_extn("starttls"):
                line.starttls(context=self._trust)
                line.ehlo()
                is_safe = True
            if server.user is not None and server.password is not None:
                if not is_safe:
                    raise _NoTlsError
                line.login(server.user, server.password)
            refused = line.send_message(self._message_of(mail))
            # It is sent, whatever the server says to the goodbye.
            with suppress(smtplib.SMTPException, OSError):
                line.quit()
        if not refused:
            return "The mail server took it."
        each = (f"{address} ({code}: {_said(answer)})" for address, (code, answer) in refused.items())
        return f"The mail server took it, but not for {', '.join(each)}."

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.scheme == "smtps":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=self._trust)
        return smtplib.SMTP(server.host, server.port, timeout=SECONDS)

    def _message_of(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(mail.to)
        message["Subject"] = mail.subject
        # The same in each attempt, so that a second copy is known as one.
        message["Message-ID"] = f"<{mail.id}@runfold>"
        message["Date"] = format_datetime(datetime.fromtimestamp(mail.at / 1_000, UTC))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


class _NoTlsError(Exception):
    pass


def _failed(error: Exception, latency_ms: int) -> Found:
    match error:
        case _NoTlsError():
            sentence = "The mail server offers no TLS, and a password is not sent in the clear."
            return failed(ErrorClass.MAIL_REFUSED, sentence, latency_ms)
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            # Nobody got it. The lowest status says whether it may go better for any of them.
            code, answer = min(recipients.values(), key=lambda each: each[0])
            return _refused(code, answer, latency_ms)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=answer):
            return _refused(code, answer, latency_ms)
        case TimeoutError():
            return failed(
                ErrorClass.CONNECT_TIMEOUT, f"The mail server did not answer within {SECONDS:g} s.", latency_ms
            )
        case ssl.SSLError():
            return failed(ErrorClass.TLS_ERROR, f"No TLS with the mail server: {error.reason}.", latency_ms)
        case OSError() if not isinstance(error, smtplib.SMTPException):
            return failed(ErrorClass.CONNECT_ERROR, f"No connection to the mail server: {error.strerror}.", latency_ms)
        case _:
            return failed(ErrorClass.PROTOCOL_ERROR, f"The mail server broke off: {type(error).__name__}.", latency_ms)


def _refused(code: int, answer: bytes | str, latency_ms: int) -> Found:
    sentence = f"The mail server refused it with {code}: {_said(answer)}"
    found = failed(ErrorClass.MAIL_REFUSED, sentence, latency_ms)
    return Found(found.status, latency_ms, code, found.error_class, found.message)


def _said(answer: bytes | str) -> str:
    return (answer if isinstance(answer, str) else answer.decode(errors="replace"))[:300]


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1_000)
