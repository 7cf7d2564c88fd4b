"""What must hold of an entity by itself and beside its owner; links come back as every browser reads them."""

from collections.abc import Iterable
from functools import cache
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import available_timezones

from msgspec.structs import replace

from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import Feed, Product
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.link import LinkRejection, domain_from, read_link
from adserver.domain.slot import Site, Slot
from adserver.flows.manage.desk import Why
from creatives.formats import FORMATS
from pixel.amounts import CURRENCIES

MESSAGE = "message"
VOUCHED_FOR = (
    "domains", "currency", "country", "validation_days", "refund_days", "prepaid", "consent_hold",
    "categories",
)  # fmt: skip
Holder = TypeVar("Holder", Advertiser, Site)
WHY_NOT_LINK = {LinkRejection.BAD_LINK: Why.BAD_LINK, LinkRejection.FOREIGN_LINK: Why.WRONG_DOMAIN}


def sound_advertiser(advertiser: Advertiser, *, fetch_private: bool = False) -> Advertiser | Why:
    webhook = _webhook(advertiser.webhook_url, fetch_private)
    if isinstance(webhook, Why):
        return webhook
    if advertiser.currency not in CURRENCIES:
        return Why.UNKNOWN_CURRENCY
    if advertiser.timezone not in _timezones():
        return Why.UNKNOWN_TIMEZONE
    domains = _domains(advertiser.domains)
    return Why.BAD_DOMAIN if domains is None else replace(advertiser, domains=domains, webhook_url=webhook)


def owner_may(known: Advertiser, wished: Advertiser) -> bool:
    """Whether an advertiser may change this alone: for domains and terms, the operator vouches."""
    return all(getattr(known, name) == getattr(wished, name) for name in VOUCHED_FOR)


def dated_hold(known: Holder, wished: Holder, now_ms: int) -> Holder:
    """A hold tells since when."""
    if wished.consent_hold is known.consent_hold:
        return wished
    return replace(wished, consent_held_at_ms=now_ms if wished.consent_hold is ConsentHold.HELD else None)


def sound_campaign(campaign: Campaign, advertiser: Advertiser) -> Campaign | Why:
    """The campaign beside its advertiser: the same money, and links to their own pages."""
    if campaign.terms.currency != advertiser.currency:
        return Why.CURRENCY_MISMATCH
    if campaign.fallback_url is None:
        return campaign
    link = _link(campaign.fallback_url, advertiser.domains)
    return link if isinstance(link, Why) else replace(campaign, fallback_url=link)


def sound_creative(creative: Creative, advertiser: Advertiser) -> Creative | Why:
    """A message has words and a link of its own; cards have neither, they lead to their products."""
    if len({(copy.situation, copy.language) for copy in creative.copies}) < len(creative.copies):
        return Why.COPY_TWICE
    if creative.template != MESSAGE:
        if creative.message is not None or creative.link is not None:
            return Why.MESSAGE_UNUSED
        return Why.SITUATIONS_UNUSED if creative.situations else creative
    if creative.message is None or creative.link is None:
        return Why.MESSAGE_INCOMPLETE
    if creative.offer is not None:
        return Why.OFFER_UNUSED
    link = _link(creative.link, advertiser.domains)
    return link if isinstance(link, Why) else replace(creative, link=link)


def sound_site(site: Site) -> Site | Why:
    domains = _domains(site.domains)
    if domains is None:
        return Why.BAD_DOMAIN
    prefixes = [_prefix(prefix) for prefix in site.click_prefixes]
    if any(isinstance(prefix, Why) for prefix in prefixes):
        return Why.BAD_LINK
    return replace(site, domains=domains, click_prefixes=tuple(map(str, prefixes)))


def sound_slot(slot: Slot) -> Slot | Why:
    if slot.format_name not in FORMATS:
        return Why.UNKNOWN_FORMAT
    if slot.currency is not None and slot.currency not in CURRENCIES:
        return Why.UNKNOWN_CURRENCY
    return Why.FLOOR_WITHOUT_CURRENCY if slot.floor_cpm_micros and slot.currency is None else slot


def sound_feed(feed: Feed, advertiser: Advertiser) -> Feed | Why:
    """A feed lies wherever the merchant's shop software puts it; fetching it is guarded elsewhere."""
    if feed.currency not in (None, advertiser.currency):
        return Why.CURRENCY_MISMATCH
    if feed.url is None:
        return Why.SCHEDULE_WITHOUT_URL if feed.interval_minutes is not None else feed
    link = _link(feed.url, None)
    return link if isinstance(link, Why) else replace(feed, url=link)


def sound_product(product: Product, advertiser: Advertiser) -> Product | Why:
    """Its page must be the merchant's; its picture may lie anywhere, we fetch it and serve our own."""
    if product.currency not in CURRENCIES:
        return Why.UNKNOWN_CURRENCY
    if product.currency != advertiser.currency:
        return Why.CURRENCY_MISMATCH  # an amount off would be another money's
    if product.sale_price_micros is not None and product.sale_price_micros >= product.price_micros:
        return Why.BAD_SALE_PRICE
    link = _link(product.link, advertiser.domains)
    image = None if product.image_link is None else _link(product.image_link, None)
    more = tuple(read_link(one, None) for one in product.additional_image_links)
    if isinstance(link, Why) or isinstance(image, Why):
        return link if isinstance(link, Why) else Why.BAD_LINK
    if any(isinstance(one, LinkRejection) for one in more):
        return Why.BAD_LINK
    return replace(product, link=link, image_link=image, additional_image_links=more)


def _link(text: str, domains: tuple[str, ...] | None) -> str | Why:
    link = read_link(text, domains)
    return WHY_NOT_LINK[link] if isinstance(link, LinkRejection) else link


def _webhook(text: str | None, fetch_private: bool) -> str | Why | None:
    """Where notices go. They say what is spent, so plain http is for our own network only."""
    link = None if text is None else _link(text, None)
    if link is None or isinstance(link, Why):
        return link
    parts = urlsplit(link)
    allowed = parts.scheme == "https" or (fetch_private and _is_inside(parts.hostname or ""))
    return link if allowed else Why.WEBHOOK_NOT_HTTPS


def _is_inside(host: str) -> bool:
    """Whether a host is of a private network by its very name."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".internal"))


def _prefix(text: str) -> str | Why:
    """A click macro's beginning. Its path is at least `/`, so that its host ends where it was meant to."""
    link = _link(text, None)
    parts = urlsplit(link)
    return link if isinstance(link, Why) or parts.path else urlunsplit(parts._replace(path="/"))


def _domains(given: Iterable[str]) -> tuple[str, ...] | None:
    read = [domain_from(domain) for domain in given]
    return None if None in read else tuple(dict.fromkeys(domain for domain in read if domain))


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())
