"""The first shop and the first publisher, opened from a name and a domain, and their codes to copy."""

from urllib.parse import urlsplit

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.slot import Publisher, Site, Slot
from adserver.flows.manage import Reach, Refused
from adserver.web.console.visit import Desk
from adserver.web.schemas.fields import Name, Text
from adserver.web.schemas.inventory import show_slot
from adserver.writes import Scope
from creatives.formats import FORMATS, RESPONSIVE

OPERATOR = Reach(Scope.OPERATOR)
MOST_LETTERS = 100
NAME = Text(Name)


class First(msgspec.Struct, frozen=True):
    """What is there already: the shop with its tag, and the slot with its code."""

    shop: Advertiser | None
    shop_id: str
    tag: str
    publisher: Publisher | None
    slot: Slot | None
    embed: str

    @property
    def is_complete(self) -> bool:
        return self.shop is not None and self.slot is not None


def found(desk: Desk) -> First:
    shops = desk.manage.accounts.advertisers(OPERATOR, -1, 500)
    shop = min(shops, key=lambda one: one.created_at_ms, default=None)
    publisher, slot = _first_slot(desk)
    embed = "" if slot is None else show_slot(slot, desk.base_url).embed.script
    if shop is None:
        return First(None, "", "", publisher, slot, embed)
    return First(shop, write_id("adv", shop.key), tag_of(desk.base_url, shop), publisher, slot, embed)


def tag_of(base_url: str, shop: Advertiser) -> str:
    """What a shop's pages carry; its ids need no escaping."""
    return (
        "<script>window.rt=window.rt||function(){(rt.q=rt.q||[]).push(arguments)};\n"
        f"rt('init', '{shop.public_id}', {{dataLayer: true}});\n"
        f'</script><script async src="{base_url}/m/tag.js"></script>'
    )


def open_shop(desk: Desk, form: dict[str, str]) -> str | None:
    """The name of a refusal; None where the shop is there. The same domain once more makes no other."""
    network = desk.network.network()
    name, domain = NAME.read(form.get("name", "")), domain_of(form.get("domain", ""))
    if name is None:
        return "name_missing"
    if not (network.currency and network.timezone and network.country):
        return "identity_missing"
    if any(domain in one.domains for one in desk.manage.accounts.advertisers(OPERATOR, -1, 500)):
        return None
    draft = Advertiser(
        key=0,
        public_id="",
        name=name,
        domains=(domain,),
        currency=network.currency,
        timezone=network.timezone,
        country=network.country,
    )
    made = desk.manage.accounts.open_advertiser(OPERATOR, draft)
    return str(made.reason) if isinstance(made, Refused) else None


def open_publisher(desk: Desk, form: dict[str, str]) -> str | None:
    """A publisher, its site and a slot. What a failed attempt has left is used, not made again."""
    name, domain = NAME.read(form.get("name", "")), domain_of(form.get("domain", ""))
    format_ = FORMATS.get(form.get("size", ""))
    if name is None:
        return "name_missing"
    if format_ is None:
        return "unknown_format"
    owner = _publisher(desk, name)
    if isinstance(owner, Refused):
        return str(owner.reason)
    site = _site(desk, owner, name, domain)
    if isinstance(site, Refused):
        return str(site.reason)
    size = "" if format_.name == RESPONSIVE else f" {format_.name}"
    called = f"{name[: MOST_LETTERS - len(size)]}{size}"
    draft = Slot(key=0, site_key=site.key, name=called, width=format_.width, height=format_.height)
    made = desk.manage.inventory.create_slot(OPERATOR, draft)
    return str(made.reason) if isinstance(made, Refused) else None


def domain_of(text: str) -> str:
    """What people paste may be a whole address."""
    text = text.strip()
    try:
        return (urlsplit(text).hostname or "") if "://" in text else text.partition("/")[0].lower()
    except ValueError:  # an address that is none has no domain, which is refused
        return ""


def _publisher(desk: Desk, name: str) -> Publisher | Refused:
    known = next(
        (one for one in desk.manage.accounts.publishers(OPERATOR, -1, 500) if one.name == name), None
    )
    return known or desk.manage.accounts.open_publisher(OPERATOR, Publisher(key=0, name=name))


def _site(desk: Desk, owner: Publisher, name: str, domain: str) -> Site | Refused:
    sites = desk.manage.inventory.sites(OPERATOR, owner.key, -1, 500)
    if isinstance(sites, Refused):
        return sites
    known = next((one for one in sites if domain in one.domains), None)
    draft = Site(key=0, publisher_key=owner.key, name=name, domains=(domain,))
    return known or desk.manage.inventory.create_site(OPERATOR, draft)


def _first_slot(desk: Desk) -> tuple[Publisher | None, Slot | None]:
    owners = sorted(desk.manage.accounts.publishers(OPERATOR, -1, 500), key=lambda one: one.created_at_ms)
    for owner in owners:
        sites = desk.manage.inventory.sites(OPERATOR, owner.key, -1, 500)
        for site in () if isinstance(sites, Refused) else sites:
            slots = desk.manage.inventory.slots(OPERATOR, site.key, -1, 1)
            if not isinstance(slots, Refused) and slots:
                return owner, slots[0]
    return (owners[0], None) if owners else (None, None)
