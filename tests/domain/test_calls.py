"""What an attempt at a call found, judged: whether it succeeded, and whether and when another one may help."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from msgspec import Raw

from domain.calls import (
    RETRY_AFTER_MAX_MS,
    AttemptStatus,
    ErrorClass,
    Found,
    failed,
    judge,
    may_help,
    retry_after_ms,
    status_of,
)
from domain.errors import InvalidInput
from domain.nesting import NESTING_MAX
from domain.redaction import REDACTED, Redaction
from domain.requests import HttpRequest, RetryPolicy, as_body, filled, filled_body, given_by, variables_of

NOW = 1_800_000_000_000
HOPELESS = {"address_not_allowed", "secret_missing", "invalid_request", "redirect_refused", "mail_refused"}


def answered(status: int, **headers: str) -> Found:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Found(AttemptStatus.SUCCESS, 1, status, response_headers=told)


def test_a_status_is_success_if_the_request_says_so() -> None:
    assert judge(answered(200), HttpRequest("").success_statuses).error_class is None
    assert judge(answered(404), (404,)).error_class is None
    refused = judge(answered(404), HttpRequest("").success_statuses)
    assert (refused.status, refused.error_class) == (AttemptStatus.HTTP_ERROR, ErrorClass.HTTP_STATUS)


def test_what_failed_before_an_answer_stays_what_it_was() -> None:
    found = failed(ErrorClass.DNS_ERROR, "No address.")

    assert judge(found, (200,)) is found


@pytest.mark.parametrize("error_class", ErrorClass)
def test_each_error_has_a_word_of_the_document_and_may_be_tried_again_or_not(error_class: ErrorClass) -> None:
    found = failed(error_class, "It went wrong.")

    is_timeout = error_class.value.endswith("timeout") or error_class is ErrorClass.DEADLINE_EXCEEDED
    assert (status_of(error_class) is AttemptStatus.TIMEOUT) is is_timeout
    if error_class is not ErrorClass.HTTP_STATUS:
        assert may_help(found, ()) is (error_class.value not in HOPELESS)


def test_a_status_is_tried_again_if_it_is_among_those_that_are() -> None:
    found = judge(answered(503), (200,))

    assert may_help(found, RetryPolicy().retry_on_statuses)
    assert not may_help(found, (500,))


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("0", 0),
        ("120", 120_000),
        (" 5 ", 5_000),
        ("999999999999999999999", RETRY_AFTER_MAX_MS),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120_000),
        ("Fri, 15 Jan 2027 08:02:00 -0000", 120_000),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        ("٣", 0),
        ("Fri, 99 Foo 2027 08:02:00 GMT", 0),
        ("Fri, 15 Jan 99999999 08:02:00 GMT", 0),
        ("Jan 99999999999999999999 2027 08:02:00", 0),
        ("Fri, 15 Jan 2027 08:02:00 +99999999999999999999", 0),
        ("Mon, 01 Jan 0001 00:00:00 +0100", 0),
        ("Fri, 31 Dec 9999 23:59:59 -0100", RETRY_AFTER_MAX_MS),
    ],
)
def test_a_target_says_in_seconds_or_by_a_date_how_long_it_wants_to_be_left_alone(said: str, wait: int) -> None:
    assert retry_after_ms(answered(429, retry_after=said), NOW) == wait


def test_a_body_without_variables_and_secrets_is_sent_byte_for_byte() -> None:
    body = HttpRequest("", body=Raw(b'{"b": 1.0,  "a":[1e5]}')).body

    assert filled_body(body, {}, str) == (b'{"b": 1.0,  "a":[1e5]}', True)


@pytest.mark.parametrize(
    "text", [b'{"x":1e999}', b"[-1e400]", b"1e999", b'{"x":' + b"9" * 5_000 + b"}", b'{"x":"\xff"}']
)
def test_json_that_nobody_can_hold_is_refused_in_a_sentence(text: bytes) -> None:
    for refuse in (
        lambda: filled_body(Raw(text), {}, str),
        lambda: as_body(Raw(text)),
        lambda: given_by(Raw(text), None),
    ):
        with pytest.raises(InvalidInput, match=r"cannot be read: .*\.$"):
            refuse()


def test_a_body_that_is_nested_too_deep_to_be_filled_in_is_refused() -> None:
    def nested(levels: int) -> Raw:
        return Raw(b"[" * levels + b'"{{uuid}}"' + b"]" * levels)

    variables = variables_of("run_1", NOW)
    text = json.dumps(variables["uuid"]).encode()

    assert filled_body(nested(NESTING_MAX), variables, str) == (
        b"[" * NESTING_MAX + text + b"]" * NESTING_MAX,
        True,
    )
    with pytest.raises(InvalidInput, match=f"more than {NESTING_MAX} levels"):
        filled_body(nested(NESTING_MAX + 1), variables, str)


def test_variables_are_told_by_the_execution_alone() -> None:
    one, again, other = variables_of("run_1", NOW), variables_of("run_1", NOW), variables_of("run_2", NOW)

    assert one == again
    assert one["uuid"] != other["uuid"]
    assert (one["uuid"][14], one["uuid"][19] in "89ab", len(one["uuid"])) == ("8", True, 36)
    assert filled("{{uuid}}{{ timestamp }}{{uuid }}{{UUID}}", one, str) == (
        f"{one['uuid']}2027-01-15T08:00:00.000Z{one['uuid']}{{{{UUID}}}}"
    )


def test_short_values_are_left_in_texts_and_the_longest_is_taken_out_first() -> None:
    redaction = Redaction(["abc", "secret-1", "secret-1-longer"])

    assert redaction.text("abc secret-1 secret-1-longer") == "abc [redacted] [redacted]"
    assert redaction.beginning("x secret-1-lon") == "x [redacted]-lon"
    assert redaction.beginning("x secr") == "x "


SECRET = 'Pa/ss+wörd "(1)" ~=?'
IN_BASE64 = base64.b64encode(SECRET.encode()).decode()


@pytest.mark.parametrize(
    "form",
    [
        *(SECRET, json.dumps(SECRET), json.dumps(SECRET, ensure_ascii=False), json.dumps(SECRET).replace("/", "\\/")),
        *(quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), quote(SECRET, safe="!'()*")),
        *("Pa%2fss%2bw%c3%b6rd%20%22%281%29%22%20~%3d%3f", "Pa/ss+w%C3%B6rd%20%22(1)%22%20~=?"),
        *(
            IN_BASE64,
            base64.urlsafe_b64encode(SECRET.encode()).decode(),
            base64.b64encode(b"a:" + SECRET.encode()).decode(),
        ),
        *(SECRET.encode().hex(), SECRET.encode().hex().upper()),
    ],
)
def test_a_secret_is_known_in_all_forms_in_which_targets_repeat_it(form: str) -> None:
    redaction = Redaction([SECRET])

    left = redaction.text(f"before {form} behind")

    assert REDACTED in left
    # Of base64 the first and last characters may stand for bytes beside it, too.
    assert len(left) <= len("before  behind") + len(REDACTED) + 6
    assert redaction.beginning(f"before {form[: len(form) // 2]}").rstrip('"') in {"before ", "before YTp"}


def test_of_several_secrets_that_may_begin_at_the_end_of_a_text_none_is_left() -> None:
    redaction = Redaction(["secret-number-one", "e-and-much-longer-than-the-other-one"])

    assert redaction.beginning("x secre") == "x "
