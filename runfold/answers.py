"""What an engine answers, read. Another server at its address may speak JSON as well."""

from typing import TypeVar

import msgspec

from runfold.errors import ConfigurationError, not_an_engine

T = TypeVar("T")


class Answer(bytes):
    """The body of an answer, with its status and the address that gave it."""

    status: int
    address: str


class Named(msgspec.Struct):
    """The answer to what made something: only its id counts."""

    id: str


def answer_of(content: bytes, status: int, address: str) -> Answer:
    """The body, which remembers where it comes from."""
    answer = Answer(content)
    answer.status, answer.address = status, address
    return answer


def read(content: bytes | msgspec.Raw, kind: type[T]) -> T:
    """The value that was answered. Raises ConfigurationError, which names the address, for one of another shape."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(content, error) from None  # what the reader is to do is in the sentence


def unreadable(content: bytes | msgspec.Raw, error: Exception) -> ConfigurationError:
    """What is said of an answer that no engine gives, and what is wrong with it."""
    status, address = (
        (content.status, content.address) if isinstance(content, Answer) else (200, "The engine's address")
    )
    return ConfigurationError(f"{not_an_engine(status, address)} What it answered cannot be read: {error}.")
