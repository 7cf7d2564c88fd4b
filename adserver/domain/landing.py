"""Where a click leads: the stored address, with the campaign's parameters and the click id."""

from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

CLICK_ID = "rtclid"


def page_of(target: str) -> str:
    """The address of a page, whatever its query asks of it."""
    return urlunsplit(urlsplit(target)._replace(query="", fragment=""))


def landing_url(target: str, params: str, *, site: str, campaign: str, click_id: str) -> str:
    """`target` with `params` (`utm_source={site}&utm_campaign={campaign}`) filled in and `rtclid` added.

    The target's own query stays first and its fragment last.
    """
    parts = urlsplit(target)
    own = (parts.query, _filled(params, site, campaign), f"{CLICK_ID}={click_id}")
    query = "&".join([part for part in own if part])
    return urlunsplit(parts._replace(query=query))


@lru_cache(maxsize=1_024)  # a campaign's are the same for each of its clicks on a site
def _filled(params: str, site: str, campaign: str) -> str:
    return params.replace("{site}", quote(site, safe="")).replace("{campaign}", quote(campaign, safe=""))
