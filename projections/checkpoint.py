"""The checkpoint: the state of every aggregate that the engine keeps, so that it starts without its whole history."""

import hashlib
from collections.abc import Iterable
from typing import cast

from msgspec import Struct, inspect, json

from domain import states
from domain.events import Recorded
from domain.states import KINDS, State


def project(state: State | None, recorded: Recorded) -> State | None:
    """The state after one event, None once it is not kept."""
    if state is None and recorded.version > 1:
        # It was let go of: what follows are annotations to a run that ended, or further claims of a key.
        return None
    after = states.evolve(state, recorded)
    return after if states.is_kept(after) else None


def shape() -> str:
    """A hash over the structure of every state, so that a checkpoint of other states is noticed."""
    return shape_of(KINDS[kind] for kind in sorted(KINDS))


def shape_of(structs: Iterable[type[Struct]]) -> str:
    """A hash over the fields of these structs and their types, all the way down."""
    return hashlib.sha256(json.encode([_shape(inspect.type_info(struct)) for struct in structs])).hexdigest()


def _shape(part: object) -> object:
    """What JSON of this type looks like, as lists of names."""
    match part:
        case inspect.StructType():
            fields = [[field.encode_name, field.required, _shape(field.type)] for field in part.fields]
            return [part.cls.__name__, *fields]
        case inspect.EnumType():
            return [part.cls.__name__, *sorted(str(member.value) for member in part.cls)]
        case inspect.Type():
            return [type(part).__name__, *(_shape(getattr(part, name)) for name in part.__struct_fields__)]
        case tuple():
            return [_shape(each) for each in cast("tuple[object, ...]", part)]
        case _:
            return repr(part)
