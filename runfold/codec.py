"""Payloads and results between Python types and JSON."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from runfold import pydantic_schemas, schemas
from runfold.errors import InvalidPayloadError, InvalidResultError, RunfoldError
from runfold.typevars import PayloadT, ResultT

T = TypeVar("T")


class Codec(Generic[T]):
    """Reads JSON as one type: what msgspec reads, and pydantic models at any depth."""

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self._adapter: Any = None
        """Pydantic's, if it is pydantic that reads the type."""
        self._read = self._reader(type_)

    def decode(self, content: bytes | msgspec.Raw) -> T:
        """The value; what it raises says what does not fit and where."""
        return cast("T", self._read(bytes(content)))

    def schema(self) -> schemas.Schema | None:
        """A JSON Schema that refuses nothing which `decode` reads; None where there is none worth telling."""
        return schemas.schema_of(self.type) if self._adapter is None else pydantic_schemas.schema_of(self._adapter)

    def _reader(self, type_: Any) -> Callable[[bytes], Any]:
        """Raises TypeError for a type that neither msgspec nor pydantic reads."""
        if hasattr(type_, "__pydantic_validator__"):
            return self._pydantic_reader(type_)
        try:
            return msgspec.json.Decoder(type_, dec_hook=_read_foreign).decode
        except TypeError as error:  # pydantic tells apart more kinds of unions
            if "pydantic" not in sys.modules:
                raise
            try:
                return self._pydantic_reader(type_)
            except RuntimeError:
                raise error from None

    def _pydantic_reader(self, type_: Any) -> Callable[[bytes], Any]:
        # Only for users who have it: whoever names such a type has imported it already.
        self._adapter = sys.modules["pydantic"].TypeAdapter(type_)
        return _reader_of(self._adapter)


def _reader_of(adapter: Any) -> Callable[[bytes], Any]:
    def read(content: bytes) -> Any:
        try:
            return adapter.validate_json(content)
        except ValueError as error:
            raise ValueError(_sentence(error)) from error

    return read


class Types(Generic[PayloadT, ResultT]):
    """How the payloads and the results of one task are read."""

    def __init__(self, payload: Any = Any, result: Any = Any) -> None:
        self._payload: Codec[PayloadT] = Codec(payload)
        self._result: Codec[ResultT] = Codec(result)

    def payload_schema(self) -> schemas.Schema | None:
        return self._payload.schema()

    def payload(self, content: bytes | msgspec.Raw) -> PayloadT:
        return _read(self._payload, content, "payload", InvalidPayloadError)

    def result(self, content: bytes | msgspec.Raw) -> ResultT:
        return _read(self._result, content, "result", InvalidResultError)


def encode(value: Any, *, order: Literal["deterministic"] | None = None) -> bytes:
    """JSON in UTF-8; by `order` the same for sets and dicts that are equal."""
    return msgspec.json.encode(value, enc_hook=_write_foreign, order=order)


def encode_payload(value: Any) -> msgspec.Raw:
    """The payload as JSON; raises InvalidPayloadError."""
    return _write(value, "payload", InvalidPayloadError)


def encode_result(value: Any) -> msgspec.Raw:
    """The result as JSON; raises InvalidResultError."""
    return _write(value, "result", InvalidResultError)


def _write(value: Any, what: str, refusal: type[RunfoldError]) -> msgspec.Raw:
    try:
        return msgspec.Raw(encode(value))
    except Exception as error:  # types of users may run any code of theirs here
        raise refusal(f"The {what} cannot be written as JSON: {error}") from error


def _read(codec: Codec[T], content: bytes | msgspec.Raw, what: str, refusal: type[RunfoldError]) -> T:
    try:
        return codec.decode(content)
    except Exception as error:  # types of users may run any code of theirs here
        name = codec.type.__name__ if isinstance(codec.type, type) else str(codec.type)
        raise refusal(f"The {what} does not fit {name}: {error}") from error


def _read_foreign(type_: Any, value: Any) -> Any:
    """Called by msgspec for a type that it does not know."""
    validate = getattr(type_, "model_validate_json", None)
    if validate is None:
        raise NotImplementedError(
            f"{type_!r} cannot be read from JSON: use a dataclass, msgspec Struct or pydantic model"
        )
    try:
        # By way of JSON text, in which strict models take dates and UUIDs as strings.
        return validate(msgspec.json.encode(value))
    except ValueError as error:
        raise ValueError(_sentence(error)) from error


def _write_foreign(value: Any) -> Any:
    """Called by msgspec for a value that it does not know."""
    dump = getattr(value, "model_dump_json", None)
    if dump is None:
        sentence = f"objects of {type(value)!r} have no JSON form"
        raise TypeError(f"{sentence}: is an `await` missing?" if isinstance(value, Awaitable) else sentence)
    return msgspec.Raw(dump(by_alias=True).encode())  # by alias, because that is what the model reads


def _sentence(error: ValueError) -> str:
    """Pydantic's list of errors in the manner of msgspec, which names paths from `$`."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    return "; ".join(f"{each['msg']} - at `{_path(each['loc'])}`" for each in errors())


def _path(location: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


PLAIN: Types[Any, Any] = Types()
"""Every type is as JSON has it."""
