"""The addresses of an engine with several nodes, and which of them is asked."""

from collections.abc import Sequence


def parsed_addresses(text: str) -> list[str]:
    """Addresses, joined by commas, without slashes at their ends. Raises ValueError for what is none."""
    addresses = [each.strip().rstrip("/") for each in text.split(",")]
    if not all(each.startswith(("http://", "https://")) for each in addresses):
        raise ValueError("an address must start with http:// or https://")
    return addresses


class Preferred:
    """One address is asked as long as it answers. Calls that are under way at the same time may share this."""

    def __init__(self) -> None:
        self._current = ""

    def current(self, addresses: Sequence[str]) -> str:
        """Which of these is asked."""
        if self._current not in addresses:
            self._current = addresses[0]
        return self._current

    def leave(self, address: str, addresses: Sequence[str]) -> None:
        """It did not answer: go on to the next one, unless another call has done so already."""
        if self.current(addresses) == address:
            self._current = addresses[(addresses.index(address) + 1) % len(addresses)]
