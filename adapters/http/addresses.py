"""Which addresses may be called: those that belong to the public internet, and what an operator allows besides.

The check is of numbers that a name was resolved to, never of the name: there are too many ways to write an address.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from domain.errors import InvalidInput

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# IPv6 has handed out nothing outside of 2000::/3 yet (IANA, "IPv6 Global Unicast Address Assignments"): whatever else
# there is, such as IPv4 in the forms of RFC 2765 and RFC 4291, is of some machine or network only.
PUBLIC: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("2000::/3"))
# Of these the registries of special-purpose addresses (IANA), multicast, and what clouds keep their metadata at.
_DENIED = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20
"""
DENIED: tuple[Network, ...] = tuple(map(ip_network, _DENIED.split()))
PORTS: tuple[range, ...] = (range(80, 81), range(443, 444))
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""Networks without IPv4 reach it under these (RFC 6052)."""
_PORT_MAX = 65_535


class AddressPolicy:
    """What may be called: public addresses at some ports, and the `allowed` networks at any."""

    def __init__(self, allowed: Iterable[Network] = (), ports: Sequence[range] = PORTS) -> None:
        self._allowed = tuple(allowed)
        self._ports = tuple(ports)

    def permits(self, address: str, port: int) -> bool:
        """Whether this numeric address may be called at this port."""
        if "%" in address:
            return False  # a zone is of this machine
        number = unwrapped(ip_address(address))
        if any(number in network for network in self._allowed):
            return True
        is_public = any(number in network for network in PUBLIC) and not any(number in network for network in DENIED)
        return is_public and any(port in ports for ports in self._ports)


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def parsed_networks(text: str) -> tuple[Network, ...]:
    """Networks such as `10.0.0.0/8,::1/128`. Raises InvalidInput."""
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise InvalidInput(f"write networks such as 10.0.0.0/8,::1/128: {error}") from None


def parsed_ports(text: str) -> tuple[range, ...]:
    """Ports such as `80,443,8000-8999`. Raises InvalidInput."""
    found: list[range] = []
    for each in text.split(","):
        first, _, last = each.strip().partition("-")
        if not (first.isascii() and first.isdigit() and (last or first).isascii() and (last or first).isdigit()):
            raise InvalidInput("write ports such as 80,443,8000-8999")
        ports = range(int(first), int(last or first) + 1)
        if not (ports and ports.start > 0 and ports[-1] <= _PORT_MAX):
            raise InvalidInput(f"ports are 1 to {_PORT_MAX}, the lower one first: {each.strip()[:20]} is not")
        found.append(ports)
    return tuple(found)
