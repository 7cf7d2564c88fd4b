"""Headers, cookies and trusted proxies become one Caller."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from adserver.domain.caller import Caller, Place
from adserver.ports import Geo
from pixel.browsers import family
from pixel.consent import Region
from pixel.cookie import KeyRing, names_for, read_visitor
from pixel.events import Rejection
from pixel.region import region_of
from pixel.robots import robot
from pixel.site_cookie import read_site

_TEST_COOKIE = b"rt-test=1"  # one name everywhere: it excludes, and proves nothing
_PURPOSE = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")  # today's name first, then older browsers'
_OWN_SITE = (b"same-origin", b"same-site")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
_WANTED = frozenset(
    {
        b"host", b"cookie", b"origin", b"referer", b"user-agent", b"sec-gpc", b"sec-purpose", b"purpose",
        b"sec-fetch-site", b"x-purpose", b"x-moz", b"x-forwarded-for", b"authorization",
    }
)  # fmt: skip


class CallerPolicy(msgspec.Struct, frozen=True):
    """How requests are read here: our hosts, the proxies we believe, regions, and the cookie's keys.

    `region_rules`: countries that the operator reads otherwise than they would be.
    `secure`: visitors reach us over HTTPS. Browsers take Secure cookies from `*.localhost` over http too.
    """

    hosts: frozenset[str]
    trusted_proxies: tuple[str, ...]
    default_region: Region
    loopback_region: Region | None
    robots_refused: bool
    cookie_keys: KeyRing
    secure: bool
    region_rules: Mapping[str, Region] = MappingProxyType({})


class Head(msgspec.Struct):
    """The few headers that matter, each once; a repeated one keeps its last value, cookies are joined."""

    values: dict[bytes, bytes]

    def text(self, name: bytes) -> str:
        return self.values.get(name, b"").decode("latin-1")


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    values: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _WANTED:
            joined = name == b"cookie" and name in values
            values[name] = values[name] + b"; " + value if joined else value
    return Head(values)


class Callers:
    """Reads who asks, by the operator's settings."""

    def __init__(self, policy: CallerPolicy, geo: Geo | None = None) -> None:
        self._policy = policy
        self._geo = geo
        self._proxies = tuple(ip_network(network, strict=False) for network in policy.trusted_proxies)

    def knows_host(self, head: Head) -> bool:
        """Whether the request names a host of ours; anything else may be a poisoned cache or link."""
        name = self._name(head)
        return name in self._policy.hosts or name in _LOOPBACK_HOSTS or name.endswith(".localhost")

    def _name(self, head: Head) -> str:
        host = head.text(b"host").lower()
        return host if host.endswith("]") else host.rsplit(":", 1)[0]

    def caller(self, head: Head, client: str, *, asks_only: bool = False) -> Caller:
        """Who asks; `asks_only` for a HEAD request, which looks without showing anybody anything."""
        policy = self._policy
        cookie_header = head.values.get(b"cookie", b"")
        secure = policy.secure or self._name(head).endswith(".localhost")
        cookie = read_visitor(cookie_header, policy.cookie_keys, names_for(secure))
        site_cookie = read_site(cookie_header, policy.cookie_keys, names_for(secure))
        purpose = next((text for name in _PURPOSE if (text := head.text(name))), "")
        address = self._address(head, client)
        place = self._geo.place(address) if self._geo is not None else None
        return Caller(
            region=self._region(address, place),
            origin=_host_of(head.text(b"origin")) or _host_of(head.text(b"referer")),
            visitor_key=cookie.visitor or 0,
            cookie_flaw=cookie.flaw,
            opted_out=cookie.opted_out,
            global_privacy_control=head.values.get(b"sec-gpc") == b"1",
            robot=Rejection.PREFETCH if asks_only else self._robot(head, purpose),
            test=is_test(cookie_header),
            secure=secure,
            network=network_of(address),
            place=place,
            family=family(head.text(b"user-agent")),
            from_own_site=head.values.get(b"sec-fetch-site") in _OWN_SITE,
            seen_here=site_cookie.seen,
            seen_site_key=site_cookie.site_key,
            site_cookie_flaw=site_cookie.flaw,
        )

    def _robot(self, head: Head, purpose: str) -> Rejection | None:
        return robot(head.text(b"user-agent"), purpose) if self._policy.robots_refused else None

    def _region(self, address: str, place: Place | None) -> Region:
        if self._policy.loopback_region is not None and address in ("127.0.0.1", "::1"):
            return self._policy.loopback_region
        country = place.country if place is not None else None
        return region_of(country, self._policy.default_region, self._policy.region_rules)

    def _address(self, head: Head, client: str) -> str:
        """The browser's address: through proxies of ours, the last hop that is none of them."""
        forwarded = head.text(b"x-forwarded-for")
        if not forwarded or not self._is_proxy(client):
            return client
        for hop in reversed([part.strip() for part in forwarded.split(",")]):
            if not self._is_proxy(hop):
                return hop
        return client

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._proxies)
        except ValueError:
            return False


def network_of(address: str) -> int | None:
    """The /24 or /48 of a public address, as a number; None for any other: ours, or nobody's."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if not ip.is_global:
        return None
    return int(ip) >> (8 if ip.version == 4 else 80)


def is_test(cookie_header: bytes) -> bool:
    """Whether the browser was excluded by its owner."""
    return any(pair.strip() == _TEST_COOKIE for pair in cookie_header.split(b";"))


def _host_of(address: str) -> str | None:
    """The host of an Origin or Referer; None for `null`, nonsense or nothing."""
    if not address:
        return None
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
