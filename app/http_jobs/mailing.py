"""How one attempt of a run that sends an e-mail is made."""

from collections.abc import Callable

import msgspec

from app.http_jobs.executions import Attempt, Made
from domain.calls import ErrorClass, failed, may_help
from domain.mail import Mail, Mailer
from domain.requests import AskedMail

NOT_SET_UP = "The engine knows no mail server: set RUNFOLD_SMTP_URL where it runs."


async def send(attempt: Attempt, mailer: Mailer | None, now: Callable[[], int], chance: Callable[[], float]) -> Made:
    """Make one attempt; without a mail server it fails, and another one may find it set up."""
    asked = msgspec.json.decode(attempt.payload, type=AskedMail)
    if mailer is None:
        found = failed(ErrorClass.MAIL_NOT_SET_UP, NOT_SET_UP)
    else:
        found = await mailer.send(Mail(attempt.execution, asked.to, asked.subject, asked.text, now()))
    if found.error_class is None or not may_help(found, ()):
        return Made(found, None)
    return Made(found, asked.retry.delay_after(attempt.number, chance()))
