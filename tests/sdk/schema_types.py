"""Types of payloads of every kind, and values that some of them take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pydantic
from hypothesis import strategies as st
from msgspec import Meta

T = TypeVar("T")


@dataclass
class Order:
    city: str
    count: int = 1
    notes: list[str] = field(default_factory=list[str])


class Tree(msgspec.Struct, rename="camel"):
    node_name: str
    sub_trees: list["Tree"] = []


class Cat(msgspec.Struct, tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog", forbid_unknown_fields=True):
    tricks: list[str]


class Row(msgspec.Struct, array_like=True):
    first: int
    second: str = ""


class Box(msgspec.Struct, Generic[T]):
    value: T


class Point(NamedTuple):
    x: float
    y: float = 0


class Note(TypedDict):
    text: str
    at: NotRequired[datetime]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Loose(Enum):
    KNOWN = "known"

    @classmethod
    def _missing_(cls, value: object) -> "Loose":  # noqa: ARG003 (the name is Enum's)
        return cls.KNOWN


class Account(pydantic.BaseModel):
    name: Annotated[str, pydantic.Field(min_length=2)]
    age: int = 0
    born: date | None = None
    balance: Decimal = Decimal()
    color: Color = Color.RED
    level: Level = Level.LOW
    id: UUID | None = pydantic.Field(default=None, alias="accountId")
    friends: list["Account"] = []
    flags: dict[str, bool] = {}
    kind: Literal["person"] = "person"
    pair: tuple[int, str] = (0, "")


class Closed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)
    code: Annotated[str, pydantic.Field(max_length=3)]


class ByName(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)
    name: str = pydantic.Field(alias="n")


class Guessing(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number", mode="before")
    @classmethod
    def guess(cls, value: object) -> object:
        return 0 if value is None else value


@pydantic.dataclasses.dataclass
class Parcel:
    weight: Annotated[float, pydantic.Field(gt=0)]


class Meow(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"


class Bark(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"


TYPES: Mapping[str, Any] = {
    "order": Order,
    "tree": Tree,
    "pet": Cat | Dog,
    "cat": Cat,
    "row": Row,
    "rows": list[Row],
    "box": Box[Box[int]],
    "boxes": tuple[Box[int], Box[str]],
    "point": Point,
    "note": Note,
    "color": Color | Level,
    "loose": dict[str, Loose],
    "literal": Literal["a", 1] | None,
    "scalars": tuple[int, float, bool, str, None],
    "times": datetime | int | None,
    "moments": tuple[date, time, timedelta],
    "exact": list[Decimal | UUID],
    "bytes": dict[str, bytes],
    "keys": dict[int, float],
    "set": Annotated[set[int], Meta(min_length=1, max_length=1)],
    "small": Annotated[int, Meta(ge=0, lt=3)],
    "short": Annotated[str, Meta(min_length=1, max_length=2, pattern="^(?P<one>a)?")],
    "even": Annotated[float, Meta(multiple_of=0.1, gt=-1)],
    "told": Annotated[str, Meta(extra_json_schema={"format": "email", "pattern": "[", "type": "integer"})],
    "raw": dict[str, msgspec.Raw],
    "mixed": tuple[Account, Order],
    "account": Account,
    "closed": Closed,
    "by-name": ByName,
    "guessing": Guessing,
    "parcel": Parcel | Order,
    "voices": Meow | Bark,
    "any": Any,
}

TEXTS = [
    "",
    "a",
    "abc",
    " abc ",
    "😀",
    "red",
    "person",
    "3",
    "true",
    "2030-01-02",
    "2030-01-02T03:04:05Z",
    "PT5S",
    "03:04:05",
    "AAA=",
    "1.10",
    "00000000-0000-0000-0000-000000000001",
    "cat",
    "dog",
]
NAMES = [
    *("city", "count", "notes", "nodeName", "subTrees", "type", "lives", "tricks", "value", "text", "at", "1", "01"),
    *("name", "n", "age", "born", "balance", "color", "level", "accountId", "id", "friends", "flags", "kind", "pair"),
    *("code", "number", "weight", "extra"),
]
scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
leaves = scalars | st.sampled_from(TEXTS) | st.sampled_from([0.1, 0.3, 1.0, 2.0**70])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
texts = st.sampled_from(TEXTS)
LIKELY: Mapping[str, st.SearchStrategy[Any]] = {
    "account": st.fixed_dictionaries(
        {"name": texts},
        optional={
            "age": leaves,
            "born": leaves,
            "balance": leaves,
            "level": leaves,
            "color": texts,
            "accountId": texts,
            "flags": st.dictionaries(texts, leaves, max_size=2),
            "pair": st.tuples(leaves, leaves),
            "extra": values,
        },
    ),
    "order": st.fixed_dictionaries({"city": texts}, optional={"count": leaves, "extra": values}),
    "pet": st.fixed_dictionaries({}, optional={"type": texts, "lives": leaves, "tricks": st.lists(texts), "x": leaves}),
    "scalars": st.tuples(leaves, leaves, leaves, leaves, st.none()),
    "moments": st.tuples(texts, texts, texts),
    "exact": st.lists(leaves),
    "row": st.lists(leaves, max_size=4),
    "set": st.lists(st.integers(0, 1), max_size=3),
    "short": st.text(max_size=3),
}
