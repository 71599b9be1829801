"""Texts that JSON can carry: those with whole characters."""


def is_whole(text: str) -> bool:
    """Whether no character is half of a surrogate pair, which UTF-8 and so JSON cannot carry."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole(text: str) -> str:
    """The text with halves of surrogate pairs written out, as Python does it in `repr`."""
    return text if is_whole(text) else text.encode(errors="backslashreplace").decode()
