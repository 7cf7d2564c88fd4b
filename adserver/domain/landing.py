"""Where a click leads: the stored address, with the campaign's parameters and the click id."""

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

CLICK_ID = "rtclid"
# Nearly every address there is: splitting it otherwise and joining it again would take twice as long.
_PLAIN = re.compile(r"(https?://[!-\"$-.0->@-Z\\^-~][!-\"$->@-Z\\^-~]*)(?:\?([!-\"$-~]*))?(?:#([!-~]*))?")


def page_of(target: str) -> str:
    """The address of a page, whatever its query asks of it."""
    return urlunsplit(urlsplit(target)._replace(query="", fragment=""))


def landing_url(target: str, params: str, *, site: str, campaign: str, click_id: str) -> str:
    """`target` with `params` (`utm_source={site}&utm_campaign={campaign}`) filled in and `rtclid` added.

    The target's own query stays first and its fragment last.
    """
    added = [part for part in (_filled(params, site, campaign), f"{CLICK_ID}={click_id}") if part]
    plain = _PLAIN.fullmatch(target)
    if plain is None:
        parts = urlsplit(target)
        return urlunsplit(parts._replace(query=_joined(parts.query, added)))
    page, query, fragment = plain.groups("")
    return f"{page}?{_joined(query, added)}{fragment and '#'}{fragment}"


def _joined(own: str, added: list[str]) -> str:
    return "&".join([own, *added] if own else added)


@lru_cache(maxsize=1_024)  # a campaign's are the same for each of its clicks on a site
def _filled(params: str, site: str, campaign: str) -> str:
    return params.replace("{site}", quote(site, safe="")).replace("{campaign}", quote(campaign, safe=""))
