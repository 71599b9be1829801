"""Which addresses may be called: the table of those that must not be, however they are written."""

import pytest

from adapters.http.addresses import AddressPolicy, parsed_networks, parsed_ports
from domain.errors import InvalidInput

PUBLIC = [
    *("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    *("2000::1", "2001:4860:4860::8888", "2a00:1450::1", "3ffe::1"),
]
DENIED = [
    *(
        "0.0.0.0",  # noqa: S104 (what is asked, and bound nowhere)
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
    ),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::"),
    *("::ffff:0:a00:1", "::ffff:0:8.8.8.8", "1000::1", "4000::1", "8000::", "a000::1", "e000::1", "1fff:ffff::1"),
    *("100:0:0:1::1", "2002:808:808::", "2620:4f:8000::1", "64:ff9b:0:1::808:808", "64:ff9b::a00:1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "fe80::1%eth0"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_may_be_called(address: str) -> None:
    assert AddressPolicy().permits(address, 443)


@pytest.mark.parametrize("address", DENIED)
def test_what_belongs_to_a_network_of_its_own_may_not(address: str) -> None:
    assert not AddressPolicy().permits(address, 443)


def test_an_operator_allows_a_network_at_any_port() -> None:
    policy = AddressPolicy(parsed_networks("127.0.0.0/8, fd00::/8"))

    assert policy.permits("127.0.0.1", 5432)
    assert policy.permits("::ffff:127.0.0.1", 22)
    assert policy.permits("fd00::1", 80)
    assert not policy.permits("10.0.0.1", 80)


def test_public_addresses_are_called_at_the_ports_of_http_unless_an_operator_says_more() -> None:
    more = AddressPolicy(ports=parsed_ports("80,8000-8999"))

    assert [AddressPolicy().permits("8.8.8.8", port) for port in (80, 443, 25, 8080)] == [True, True, False, False]
    assert [more.permits("8.8.8.8", port) for port in (80, 443, 8000, 8999, 9000)] == [True, False, True, True, False]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"write networks such as"):
        parsed_networks(text)


@pytest.mark.parametrize("text", ["", "http", "0", "70000", "90-80", "80,"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"ports"):
        parsed_ports(text)
