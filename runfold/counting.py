"""Counts as people read them."""


def counted(count: int, one: str, several: str | None = None) -> str:
    """`1 run`, `2 runs`; a word that makes its plural otherwise is given both."""
    return f"{count} {one if count == 1 else several or f'{one}s'}"
