"""The mailer, with a real mail server: what is sent, what becomes of refusals, and when a password is."""

from pathlib import Path

import pytest

from adapters.smtp import MailServer, SmtpMailer
from domain.calls import AttemptStatus, ErrorClass, may_help
from domain.errors import InvalidInput
from domain.mail import Mail, is_mail_address
from tests.certificates import server_context, trusting
from tests.mailbox import HOST, SENDER, a_mailbox

MAIL = Mail("run_1", ("ada@example.com",), "Grüße", "It failed: ä.\n", 1_800_000_000_000)
NAME = "localhost"


class Elsewhere(MailServer):
    """A mail server that is taken for one of another machine."""

    @property
    def is_here(self) -> bool:
        return False


def server(port: int, login: str = "") -> MailServer:
    return Elsewhere(*MailServer.parse(f"smtp://{login}{NAME}:{port}"))


async def test_a_mail_is_sent_with_all_that_it_says() -> None:
    async with a_mailbox() as mailbox:
        found = await mailbox.mailer.send(MAIL)
        (mail,) = mailbox.taken

    assert (found.status, found.status_code, found.error_class) == (AttemptStatus.SUCCESS, 250, None)
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "ada@example.com", "Grüße")
    assert (mail["Message-ID"], mail["Date"]) == ("<run_1@runfold>", "Fri, 15 Jan 2027 08:00:00 +0000")
    assert mail.get_content().splitlines() == ["It failed: ä."]


@pytest.mark.parametrize(("answer", "code", "is_retried"), [("451 later", 451, True), ("550 never", 550, False)])
async def test_what_the_server_refuses_for_now_may_be_sent_again(answer: str, code: int, is_retried: bool) -> None:  # noqa: FBT001
    async with a_mailbox() as mailbox:
        mailbox.script = [answer]
        found = await mailbox.mailer.send(MAIL)

    assert (found.error_class, found.status_code) == (ErrorClass.MAIL_REFUSED, code)
    assert found.message == f"The mail server refused it with {code}: {answer[4:]}"
    assert may_help(found, ()) is is_retried


async def test_what_the_server_took_is_sent_whatever_it_says_then() -> None:
    async with a_mailbox() as mailbox:
        mailbox.goodbye = "421 too busy"
        found = await mailbox.mailer.send(MAIL)

    assert (found.status, found.error_class, len(mailbox.taken)) == (AttemptStatus.SUCCESS, None, 1)


TWO = Mail("run_1", ("ada@example.com", "bob@example.com"), "Hi", "Hello.", 1_800_000_000_000)


@pytest.mark.parametrize("answer", ["450 later", "550 never"])
async def test_who_is_refused_makes_nobody_get_it_again_and_is_named(answer: str) -> None:
    async with a_mailbox() as mailbox:
        mailbox.refusals = {"bob@example.com": answer}
        found = await mailbox.mailer.send(TWO)

    assert (found.status, found.status_code, found.error_class) == (AttemptStatus.SUCCESS, 250, None)
    assert found.body_preview == (
        f"The mail server took it, but not for bob@example.com ({answer.replace(' ', ': ')})."
    )
    assert mailbox.reached == ["ada@example.com"]


@pytest.mark.parametrize(
    ("answers", "code", "is_retried"),
    [(["450 later", "550 never"], 450, True), (["550 never", "451 later"], 451, True), (["550 no"] * 2, 550, False)],
)
async def test_what_is_refused_for_all_is_sent_again_if_it_may_go_better_for_one(
    answers: list[str],
    code: int,
    is_retried: bool,  # noqa: FBT001
) -> None:
    async with a_mailbox() as mailbox:
        mailbox.refusals = dict(zip(TWO.to, answers, strict=True))
        found = await mailbox.mailer.send(TWO)

    assert (found.error_class, found.status_code, may_help(found, ())) == (ErrorClass.MAIL_REFUSED, code, is_retried)
    assert mailbox.reached == []


async def test_a_password_goes_through_tls_alone(tmp_path: Path) -> None:
    async with a_mailbox(server_context(tmp_path, NAME), has_login=True) as mailbox:
        sent = await SmtpMailer(server(mailbox.port, "ada:right@"), SENDER, trusting(tmp_path)).send(MAIL)
        wrong = await SmtpMailer(server(mailbox.port, "ada:wrong@"), SENDER, trusting(tmp_path)).send(MAIL)
        stranger = await SmtpMailer(server(mailbox.port, "ada:right@"), SENDER).send(MAIL)
        logins = mailbox.logins
    async with a_mailbox(has_login=True) as mailbox:
        clear = await SmtpMailer(server(mailbox.port, "ada:right@"), SENDER).send(MAIL)

    assert sent.error_class is None
    # The library tries each way of logging in that the server offers.
    assert dict.fromkeys(logins) == dict.fromkeys([("ada", "right"), ("ada", "wrong")])
    assert (wrong.error_class, wrong.status_code) == (ErrorClass.MAIL_REFUSED, 535)
    assert stranger.error_class is ErrorClass.TLS_ERROR
    assert (clear.error_class, mailbox.logins) == (ErrorClass.MAIL_REFUSED, [])
    assert clear.message == "The mail server offers no TLS, and a password is not sent in the clear."


async def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    async with a_mailbox() as mailbox:
        gone = mailbox.mailer
    found = await gone.send(MAIL)

    assert (found.status, found.error_class) == (AttemptStatus.CONNECTION_ERROR, ErrorClass.CONNECT_ERROR)
    assert may_help(found, ())


def test_a_server_is_told_by_a_url() -> None:
    assert MailServer.parse("smtp://mail.example.com") == ("smtp", "mail.example.com", 587, None, None)
    assert MailServer.parse("smtps://ada:p%40ss@mail.example.com") == ("smtps", "mail.example.com", 465, "ada", "p@ss")
    assert MailServer.parse(f"smtp://{HOST}:25").is_here
    assert MailServer.parse("smtp://localhost").is_here
    assert not MailServer.parse("smtp://mail.example.com").is_here


@pytest.mark.parametrize(
    "url",
    ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://ada@host", "smtp://host:port", "smtp://h/x"],
)
def test_another_url_is_refused_and_the_password_not_told(url: str) -> None:
    with pytest.raises(InvalidInput, match="write smtp:"):
        MailServer.parse(url)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ada@example.com", True),
        ("ada+alerts@mail.example.com", True),
        ("ada", False),
        ("ada@", False),
        ("a da@example.com", False),
        ("ada@example.com\n", False),
        ("Ada <ada@example.com>", False),
        ("ada@example.com,bob@example.com", False),
    ],
)
def test_what_can_be_an_address(text: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_mail_address(text) is is_one
