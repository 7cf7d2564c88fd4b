"""Headers, cookies and trusted proxies become one Caller."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from adserver.domain.caller import Caller, Place
from adserver.ports import Geo
from pixel.browsers import device, family
from pixel.consent import Region
from pixel.cookie import KeyRing, names_for, read_visitor
from pixel.events import Device, Family, Rejection
from pixel.region import region_of
from pixel.robots import robot
from pixel.site_cookie import read_site

_TEST_COOKIE = b"rt-test=1"  # one name everywhere: it excludes, and proves nothing
_PURPOSE = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")  # today's name first, then older browsers'
_PURPOSES = frozenset(_PURPOSE)
_MOST_HOPS, _MOST_HOSTS, _MOST_AGENTS = 16_384, 4_096, 4_096  # that are remembered
_LONGEST_REMEMBERED = 100  # real ones are shorter; whoever sends more does not choose what we keep
_LONGEST_AGENT = 512
_OWN_SITE = (b"same-origin", b"same-site")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
_WANTED = frozenset(
    {
        b"host", b"cookie", b"origin", b"referer", b"user-agent", b"sec-gpc", b"sec-purpose", b"purpose",
        b"sec-fetch-site", b"x-purpose", b"x-moz", b"x-forwarded-for", b"authorization", b"if-none-match",
        b"accept-language",
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


class _Host(msgspec.Struct, frozen=True):
    """What is known of the host that a request names: whether it is ours, and reached over HTTPS."""

    is_ours: bool
    secure: bool


class _Hop(msgspec.Struct, frozen=True):
    """What is known of an address: whether it is a proxy of ours, and its network."""

    is_proxy: bool
    network: int | None


class Callers:
    """Reads who asks, by the operator's settings."""

    def __init__(self, policy: CallerPolicy, geo: Geo | None = None) -> None:
        self._policy = policy
        self._geo = geo
        self._proxies = tuple(ip_network(network, strict=False) for network in policy.trusted_proxies)
        self._remembered_own = lru_cache(maxsize=_MOST_HOSTS)(self._read_own)
        self._remembered_hop = lru_cache(maxsize=_MOST_HOPS)(self._read_hop)

    def knows_host(self, head: Head) -> bool:
        """Whether the request names a host of ours; anything else may be a poisoned cache or link."""
        return self._host(head).is_ours

    def _host(self, head: Head) -> "_Host":
        named = head.values.get(b"host", b"")
        return self._remembered_own(named) if len(named) <= _LONGEST_REMEMBERED else self._read_own(named)

    def _read_own(self, named: bytes) -> "_Host":
        host = named.decode("latin-1").lower()
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        is_local = name.endswith(".localhost")
        secure = self._policy.secure or is_local
        return _Host(name in self._policy.hosts or name in _LOOPBACK_HOSTS or is_local, secure)

    def caller(self, head: Head, client: str, *, asks_only: bool = False) -> Caller:
        """Who asks; `asks_only` for a HEAD request, which looks without showing anybody anything."""
        keys, header = self._policy.cookie_keys, head.values.get
        secure = self._host(head).secure
        names = names_for(secure)
        cookie_header = header(b"cookie", b"")
        cookie = read_visitor(cookie_header, keys, names)
        site_cookie = read_site(cookie_header, keys, names)
        address = self._address(head, client)
        place = self._geo.place(address) if self._geo is not None else None
        declared, family, device = _read_agent(header(b"user-agent", b"")[:_LONGEST_AGENT])
        return Caller(  # by place: of so many fields, the names cost each request more than all the rest
            self._region(address, place),
            _host_of(header(b"origin")) or _host_of(header(b"referer")),
            cookie.visitor or 0,
            cookie.flaw,
            cookie.opted_out,
            header(b"sec-gpc") == b"1",
            Rejection.PREFETCH if asks_only else self._robot(head, declared),
            is_test(cookie_header),
            secure,
            self._hop(address).network,
            place,
            family,
            header(b"sec-fetch-site") in _OWN_SITE,
            site_cookie.seen,
            site_cookie.site_key,
            site_cookie.flaw,
            device,
            _language(header(b"accept-language")),
        )

    def _robot(self, head: Head, declared: Rejection | None) -> Rejection | None:
        if not self._policy.robots_refused:
            return None
        if _PURPOSES.isdisjoint(head.values):
            return declared
        purpose = next((text for name in _PURPOSE if (text := head.text(name))), "")
        return robot(head.text(b"user-agent"), purpose)

    def _region(self, address: str, place: Place | None) -> Region:
        if self._policy.loopback_region is not None and address in ("127.0.0.1", "::1"):
            return self._policy.loopback_region
        country = place.country if place is not None else None
        return region_of(country, self._policy.default_region, self._policy.region_rules)

    def _address(self, head: Head, client: str) -> str:
        """The browser's address: through proxies of ours, the last hop that is none of them."""
        forwarded = head.values.get(b"x-forwarded-for")
        if not forwarded or not self._hop(client).is_proxy:
            return client
        for hop in reversed([part.strip() for part in forwarded.decode("latin-1").split(",")]):
            if not self._hop(hop).is_proxy:
                return hop
        return client

    def _hop(self, address: str) -> _Hop:
        short = len(address) <= _LONGEST_REMEMBERED
        return self._remembered_hop(address) if short else self._read_hop(address)

    def _read_hop(self, address: str) -> _Hop:
        return _Hop(self._is_proxy(address), network_of(address))

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
    if _TEST_COOKIE not in cookie_header:
        return False
    return any(pair.strip() == _TEST_COOKIE for pair in cookie_header.split(b";"))


@lru_cache(maxsize=_MOST_AGENTS)
def _read_agent(user_agent: bytes) -> tuple[Rejection | None, Family, Device | None]:
    """What a browser or robot says of itself."""
    text = user_agent.decode("latin-1")
    return robot(text), family(text), device(text)


def _language(preferred: bytes | None) -> str | None:
    """The first of the languages that a reader prefers, without its country; None for any or none."""
    if not preferred:
        return None
    first = preferred[:_LONGEST_REMEMBERED].split(b",", 1)[0].split(b";", 1)[0]
    tag = first.strip().split(b"-", 1)[0].lower()
    return tag.decode("ascii") if tag.isalpha() and 2 <= len(tag) <= 3 else None


def _host_of(address: bytes | None) -> str | None:
    """The host of an Origin or Referer; None for `null`, nonsense or nothing."""
    if not address:
        return None
    site = b"/".join(address.split(b"/", 3)[:3])  # without the page: a shop has one host and many pages
    return _remembered_host(site) if len(site) <= _LONGEST_REMEMBERED else _read_host(site)


def _read_host(address: bytes) -> str | None:
    if not address:
        return None
    try:
        return urlsplit(address.decode("latin-1")).hostname
    except ValueError:
        return None


_remembered_host = lru_cache(maxsize=_MOST_HOSTS)(_read_host)
