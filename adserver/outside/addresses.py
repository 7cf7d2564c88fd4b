"""Which network addresses we may connect to on behalf of somebody else: public ones only."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ip_network("::/96")
# `is_global` lets these through, on some versions of Python or on all.
_REFUSED = tuple(
    ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared by a provider's customers; Alibaba's metadata lives there
        "168.63.129.16/32",  # Azure's own services, as seen from a machine of theirs
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata lives there
        "64:ff9b:1::/48",  # NAT64 for local use
        "fec0::/10",  # site-local, before there were unique local addresses
    )
)


def is_public(text: str) -> bool:
    """Whether an address, and every address hidden in it, is one of the open internet."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    hidden = _hidden_addresses(address) if isinstance(address, IPv6Address) else ()
    return all(_is_open(one) for one in hidden or (address,))


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    refused = any(address in network for network in _REFUSED if network.version == address.version)
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not special and not refused


def _hidden_addresses(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that a gateway would unwrap from this one."""
    last_bits = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    return (last_bits,) if address in _NAT64 or address in _V4_COMPATIBLE else ()
