"""What payloads and results look like in JSON and in Python."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import msgspec
import pydantic.dataclasses
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from runfold import InvalidPayloadError, InvalidResultError
from runfold.codec import Types, encode_payload, encode_result

ID = UUID("00000000-0000-0000-0000-000000000001")


class Color(Enum):
    RED = "red"


@dataclass
class Letter:
    to: str
    copies: int = 1


class Note(TypedDict):
    text: str


class Card(msgspec.Struct, rename="camel"):
    sent_on: date


class Address(BaseModel):
    model_config = ConfigDict(strict=True)
    street: str
    id: UUID = Field(default=ID, alias="addressId")


class Model(BaseModel):
    name: str
    addresses: list[Address] = []
    at: datetime | None = None


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


@pydantic.dataclasses.dataclass
class Parcel:
    weight: Annotated[int, Field(gt=0)]


@dataclass
class Mixed:
    models: list[Address]
    letter: Letter


@pytest.mark.parametrize(
    ("type_", "value", "content"),
    [
        (Any, {"a": [1, None, "x", 1.5, True]}, '{"a":[1,null,"x",1.5,true]}'),
        (str, "x", '"x"'),
        (Letter, Letter("ada"), '{"to":"ada","copies":1}'),
        (Note, {"text": "x"}, '{"text":"x"}'),
        (Card, Card(date(2030, 1, 2)), '{"sentOn":"2030-01-02"}'),
        (Address, Address(street="Elm", addressId=ID), f'{{"street":"Elm","addressId":"{ID}"}}'),
        (
            Model,
            Model(name="a", addresses=[Address(street="Elm")], at=datetime(2030, 1, 2, tzinfo=UTC)),
            f'{{"name":"a","addresses":[{{"street":"Elm","addressId":"{ID}"}}],"at":"2030-01-02T00:00:00Z"}}',
        ),
        (
            Mixed,
            Mixed([Address(street="Elm")], Letter("ada", 2)),
            f'{{"models":[{{"street":"Elm","addressId":"{ID}"}}],"letter":{{"to":"ada","copies":2}}}}',
        ),
        (Cat | Dog, Dog(), '{"kind":"dog"}'),
        (list[Annotated[Cat | Dog, Field(discriminator="kind")]], [Cat()], '[{"kind":"cat"}]'),
        (Letter | Parcel, Parcel(2), '{"weight":2}'),
        (Parcel, Parcel(1), '{"weight":1}'),
        (list[Letter], [Letter("a"), Letter("b", 2)], '[{"to":"a","copies":1},{"to":"b","copies":2}]'),
        (Letter | None, None, "null"),
        (datetime, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), '"2030-01-02T03:04:05Z"'),
        (timedelta, timedelta(seconds=90), '"PT90S"'),
        (UUID, ID, f'"{ID}"'),
        (Decimal, Decimal("1.10"), '"1.10"'),
        (Color, Color.RED, '"red"'),
        (bytes, b"\x00\xff", '"AP8="'),
        (tuple[int, str], (1, "x"), '[1,"x"]'),
        (set[int], {1}, "[1]"),
    ],
)
def test_a_value_survives_the_journey(type_: Any, value: Any, content: str) -> None:
    types: Types[Any, Any] = Types(type_, type_)

    assert bytes(encode_payload(value)).decode() == content
    assert bytes(encode_result(value)).decode() == content
    assert types.payload(content.encode()) == value
    assert types.result(content.encode()) == value
    assert type(types.payload(content.encode())) is type(value)


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("is odd")
        return number


@dataclass
class Checked:
    number: int

    def __post_init__(self) -> None:
        _ = {2: "two"}[self.number]


@pytest.mark.parametrize(
    ("type_", "content", "sentence"),
    [
        (Letter, '{"to":3}', "does not fit Letter: Expected `str`, got `int` - at `$.to`"),
        (Letter, '{"to":"a","copies":"b"}', "does not fit Letter: Expected `int`, got `str` - at `$.copies`"),
        (Note, "[]", "does not fit Note: Expected `object`, got `array`"),
        (Card, '{"sentOn":"tomorrow"}', "does not fit Card: Invalid RFC3339 encoded date - at `$.sentOn`"),
        (list[int], "[1,null]", "does not fit list[int]: Expected `int`, got `null` - at `$[1]`"),
        (Annotated[int, msgspec.Meta(gt=3)], "3", "Expected `int` >= 4"),
        (Model, "{}", "does not fit Model: Field required - at `$.name`"),
        (
            Model,
            '{"name":1,"addresses":[{"street":2}]}',
            "valid string - at `$.name`; Input should be a valid string - at `$.addresses[0].street`",
        ),
        (Even, '{"number":3}', "does not fit Even: Value error, is odd - at `$.number`"),
        (Mixed, '{"models":[{}],"letter":{"to":"a"}}', "does not fit Mixed: Field required - at `$.street`"),
        (Parcel, '{"weight":0}', "does not fit Parcel: Input should be greater than 0 - at `$.weight`"),
        (Checked, '{"number":3}', "does not fit Checked: 3"),
        (Letter, "{", "does not fit Letter: Input data was truncated"),
        (object, "1", "does not fit object: <class 'object'> cannot be read from JSON: use a dataclass"),
    ],
)
def test_a_value_that_does_not_fit_says_where(type_: Any, content: str, sentence: str) -> None:
    types: Types[Any, Any] = Types(type_, type_)

    with pytest.raises(InvalidPayloadError) as payload:
        types.payload(content.encode())
    with pytest.raises(InvalidResultError) as result:
        types.result(content.encode())

    assert sentence in str(payload.value)
    assert str(result.value) == str(payload.value).replace("The payload", "The result", 1)


def circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize("value", [object(), [1, object()], {"a": object()}, circle(), {(1, 2): 3}, "\ud800"])
def test_a_value_without_a_json_form_is_refused(value: Any) -> None:
    with pytest.raises(InvalidPayloadError, match="The payload cannot be written as JSON: "):
        encode_payload(value)
    with pytest.raises(InvalidResultError, match="The result cannot be written as JSON: "):
        encode_result(value)


async def test_a_forgotten_await_is_guessed() -> None:
    async def letter() -> str:
        return "Dear all"

    forgotten = letter()
    with pytest.raises(InvalidResultError, match=r"<class 'coroutine'> have no JSON form: is an `await` missing\?$"):
        encode_result({"letter": forgotten})
    assert await forgotten == "Dear all"


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert bytes(encode_payload([float("nan"), float("inf"), -float("inf")])) == b"[null,null,null]"
