"""The two types of a task: what goes in and what comes out. Left open, they are plain JSON."""

from typing import TYPE_CHECKING, Any

# Type checkers know defaults of type variables through typing_extensions; Python itself from 3.13 on.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    PayloadT = TypeVar("PayloadT", default=Any)
    ResultT = TypeVar("ResultT", default=Any)
else:
    from typing import TypeVar

    PayloadT = TypeVar("PayloadT")
    ResultT = TypeVar("ResultT")
