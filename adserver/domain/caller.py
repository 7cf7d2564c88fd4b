"""Who asks: what a request says of itself, once proxies, cookies and headers were read."""

import msgspec

from adserver.domain.sightings import Seen
from pixel.consent import Region
from pixel.events import Device, Family, Rejection


class Place(msgspec.Struct, frozen=True):
    """Where an address is: the country (ISO 3166, two capitals) and, if known, the region within it.

    Some regions have others `within` them, as England has its counties.
    """

    country: str
    region: str | None = None
    within: str | None = None


FOREIGN = "foreign"  # the flaw of a site's cookie that the browser sends on others too


class Caller(msgspec.Struct, frozen=True):
    """One request's sender. `origin` is the host of the page it came from, None where it does not say.

    `network` is its /24 or /48, as a number; None on this machine or network, where nothing is limited.
    `place` is where that is, if anybody knows.
    `family` and `device` are all that is kept of the user agent, `language` of those that its reader prefers.
    `from_own_site`: the browser itself says that the page and this address are of one site, as where the
    merchant's own server passes requests on to us.
    `visitor_key` is our cookie's, 0 without one; `cookie_flaw` names a cookie that was not ours.
    `seen_here` is what a page's site has of our ads by the cookie kept there, `seen_site_key` which site that
    is, `site_cookie_flaw` the cookie's flaw.
    `robot` is why the request is a machine's, None for a person's. `test` marks a browser that its owner
    has excluded: it sees everything and bills nothing.
    """

    region: Region
    origin: str | None = None
    visitor_key: int = 0
    cookie_flaw: str | None = None
    opted_out: bool = False
    global_privacy_control: bool = False
    robot: Rejection | None = None
    test: bool = False
    secure: bool = True
    network: int | None = None
    place: Place | None = None
    family: Family = Family.OTHER
    from_own_site: bool = False
    seen_here: tuple[Seen, ...] = ()
    seen_site_key: int = 0
    site_cookie_flaw: str | None = None
    device: Device | None = None
    language: str | None = None


def on_site(caller: Caller, site_key: int) -> Caller:
    """The caller as that site may know them: what was shown on another counts for nothing here."""
    if not caller.seen_here or caller.seen_site_key == site_key:
        return caller
    return msgspec.structs.replace(caller, seen_here=(), site_cookie_flaw=FOREIGN)


def is_from(origin: str | None, domains: tuple[str, ...]) -> bool:
    """Whether a request came from one of an account's domains, or a sub-domain of one."""
    if origin is None:
        return False
    return origin in domains or any(origin.endswith("." + domain) for domain in domains)
