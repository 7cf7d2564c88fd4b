"""A scenario's world out of its JSON: accounts through the API's own schemas, and one browser before a slot."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel

from adserver.domain.audience import check
from adserver.domain.audience_size import AudienceSize
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, local_day
from adserver.domain.burn import Kind, kind_of
from adserver.domain.caller import Caller
from adserver.domain.campaign import Approval, Creative, Status
from adserver.domain.catalogue import Product
from adserver.domain.identity import product_key, write_id
from adserver.domain.in_flight import Expected
from adserver.domain.memory import Memory, new_memory
from adserver.domain.money import ZERO, Micros
from adserver.domain.page import Answered
from adserver.domain.pricing import AdEvent
from adserver.domain.rates import Rates
from adserver.domain.recommendation import pack
from adserver.domain.retention import Retention
from adserver.domain.shop_learning import OF_SHOP, Learnt
from adserver.domain.traffic import FLAT, Traffic
from adserver.domain.visitor import (
    Preference,
    Profile,
    Touch,
    fold_event,
    fold_preference,
    fold_touch,
)
from adserver.web.schemas.accounts import AdvertiserDraft, PublisherDraft
from adserver.web.schemas.audiences import AudienceDraft
from adserver.web.schemas.campaigns import CampaignDraft
from adserver.web.schemas.catalogue import ProductBody
from adserver.web.schemas.creatives import CreativeDraft
from adserver.web.schemas.experiments import ExperimentDraft
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.inventory import SiteDraft, SlotDraft
from adserver.web.schemas.product_sets import ProductSetDraft
from adserver.web.schemas.suppressions import SuppressionListDraft
from adserver.web.schemas.targeting import TargetingBody
from pixel.consent import Region
from pixel.events import Event, EventName, Item
from tests.scenarios.words import (
    Doing,
    Misspelt,
    check_keys,
    is_money,
    is_relative,
    read_doing,
    read_money,
    read_rate,
    read_time,
)

NOW = "2026-11-18T11:00:00Z"  # noon in Paris
VISITOR = 4_242
CAMPAIGN_KEYS = {"name", "shop", "rate", "creatives", "audiences", "product_set", "spent", "spent_today"} | {
    "pending", "pending_today", "under_way", "results", "expects", "targeting",
}  # fmt: skip
SHOP_KEYS = {"spent", "spent_today", "learnt"}
KEYS = {"now", "shops", "products", "product_sets", "audiences", "campaign", "campaigns", "publisher"} | {
    "site", "slot", "visitor", "site_cookie", "browser", "said", "image", "cards", "dice", "exchange_rates",
    "suppression_lists", "experiments", "beside", "page", "operator", "lot",
}  # fmt: skip
_AD_EVENTS = {event.name.lower(): event for event in AdEvent}


class World:
    """Everything a decision looks at, with a name for each key."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        check_keys(dict(given), KEYS, "the scenario")
        self.given = given
        self.now_ms = read_time(given.get("now", NOW), 0)
        self.memory: Memory = new_memory()
        self.names: dict[int, str] = {}  # of shops, campaigns, creatives, audiences and sets
        self.catalogue: dict[int, Product] = {}
        self.under_way: dict[int, Expected] = {}
        self.rates: dict[int, Rates] = {}
        self.learnt: dict[int, Learnt] = {}
        self.lists: set[int] = set()  # of suppression, that the visitor is on
        self._keys = itertools.count(1)
        self._found: dict[tuple[str, str], int] = {}
        for shop in given.get("shops", [{}]):
            self._put_shop(shop)
        self._put_products(given.get("products", [{"item": one} for one in ("boots", "scarf", "hat")]))
        self._learn()
        self._put_rules()
        for campaign in self._campaigns():
            self._put_campaign(campaign)
        self.memory.snapshot.rates = self.rates
        self.slot_key = self._put_places()
        self._put_aims()
        self._put_lists()
        self._put_experiments()
        self.profile = self._profile()
        self.caller = self._caller()

    # ---- names ----

    def key_of(self, kind: str, name: str) -> int:
        try:
            return self._found[kind, name]
        except KeyError:
            known = ", ".join(one for of, one in self._found if of == kind) or "none"
            raise Misspelt(f"there is no {kind} {name!r}; there are: {known}") from None

    def _new(self, kind: str, name: str) -> int:
        if (kind, name) in self._found:
            raise Misspelt(f"there are two {kind}s named {name!r}; give each a `name` of its own")
        key = self._found[kind, name] = next(self._keys)
        self.names[key] = name
        return key

    def _shop_of(self, given: Mapping[str, Any]) -> int:
        shops = [name for kind, name in self._found if kind == "shop"]
        return self.key_of("shop", given.get("shop", shops[0]))

    # ---- accounts ----

    def _read(self, schema: type[BaseModel], given: Mapping[str, Any]) -> Any:
        """The fields as a caller of the API would send them; what it does not know it refuses."""
        fields = self._spelt(given)
        for name in [
            name for name in fields if fields[name] is None and f"{name}_micros" in schema.model_fields
        ]:
            fields[f"{name}_micros"] = fields.pop(name)
        return schema.model_validate(fields)

    def _spelt(self, given: Any) -> Any:
        """Money and times as the API writes them, at any depth; a product's prices it reads as they are."""
        if isinstance(given, list):
            return [self._spelt(one) for one in given]
        if isinstance(given, str) and is_relative(given):
            return write_time(read_time(given, self.now_ms))
        if not isinstance(given, dict):
            return given
        spelt = {}
        for name, value in given.items():
            if isinstance(value, str) and is_money(value) and name not in ("price", "sale_price"):
                spelt[f"{name}_micros"] = read_money(value).micros
            else:
                spelt[name] = self._spelt(value)
        return spelt

    def _put_shop(self, given: Mapping[str, Any]) -> None:
        name = given.get("name", "Shop")
        usual = {"domains": [f"{name.lower().replace(' ', '-')}.example"], "currency": "EUR"}
        usual |= {"name": name, "timezone": "Europe/Paris", "country": "FR"}
        fields = {key: value for key, value in given.items() if key not in SHOP_KEYS}
        made = self._read(AdvertiserDraft, usual | fields).advertiser()
        shop = replace(made, key=self._new("shop", name), public_id=name)
        self.memory.snapshot.put(shop)
        self._put_spent(shop.key, given, (shop.total_budget_micros, shop.daily_budget_micros), shop.timezone)

    def _put_spent(
        self, key: int, given: Mapping[str, Any], caps: tuple[Micros | None, Micros | None], zone: str
    ) -> None:
        amounts = {
            name: read_money(given[name]).micros if name in given else ZERO
            for name in ("spent", "spent_today", "pending", "pending_today")
        }
        total = Bucket(caps[0], amounts["spent"], amounts["pending"])
        today = Bucket(caps[1], amounts["spent_today"], amounts["pending_today"])
        day = local_day(self.now_ms, zone)
        self.memory.snapshot.put_buckets([(BucketId(key, WHOLE_LIFE), total), (BucketId(key, day), today)])

    def _put_products(self, products: Sequence[Mapping[str, Any]]) -> None:
        for given in products:
            item, shop_key = given["item"], self._shop_of(given)
            currency = self.memory.snapshot.advertisers[shop_key].currency
            usual = {"title": f"The {item}", "link": f"https://shop.example/{item}"}
            usual |= {"price": f"89.90 {currency}"}
            fields = {name: value for name, value in given.items() if name not in ("item", "shop")}
            made = self._read(ProductBody, usual | fields).product(item)
            key = product_key(shop_key, item)
            self.catalogue[key] = replace(made, key=key, advertiser_key=shop_key)

    def _put_rules(self) -> None:
        """Audiences and product sets."""
        for given in self.given.get("audiences", ()):
            shop_key = self._shop_of(given)
            fields = {name: value for name, value in given.items() if name != "shop"}
            size = fields.pop("size", 0)
            draft = self._read(AudienceDraft, {"advertiser_id": write_id("adv", shop_key)} | fields)
            currency = self.memory.snapshot.advertisers[shop_key].currency
            audience = replace(draft.audience(Retention()), currency=currency)
            if (flaw := check(audience)) is not None:
                raise Misspelt(f"the audience {given['name']!r} is refused: {flaw}")
            key = self._new("audience", given["name"])
            self.memory.snapshot.put(replace(audience, key=key))
            self.memory.snapshot.audience_sizes[key] = AudienceSize(size)
        for given in self.given.get("product_sets", ()):
            shop_key = self._shop_of(given)
            fields = {name: value for name, value in given.items() if name != "shop"}
            made = self._read(ProductSetDraft, fields).product_set(shop_key, given["name"])
            self.memory.snapshot.put(replace(made, key=self._new("product set", given["name"])))

    def _learn(self) -> None:
        """What is learnt of a shop's visits: `near` and `bought_with` by item, and `bestsellers`."""
        for given in self.given.get("shops", ()):
            said, shop_key = given.get("learnt", {}), self.key_of("shop", given.get("name", "Shop"))
            check_keys(said, {"near", "bought_with", "bestsellers"}, "learnt")
            near, with_it = said.get("near", {}), said.get("bought_with", {})
            for item in {**near, **with_it}:
                known = [self._packed(shop_key, one.get(item, ())) for one in (near, with_it)]
                self.learnt[product_key(shop_key, item)] = Learnt(*known)
            if "bestsellers" in said:
                self.learnt[OF_SHOP] = Learnt(self._packed(shop_key, said["bestsellers"]))

    def _packed(self, shop_key: int, items: Sequence[str]) -> bytes:
        """The first of them is the likeliest."""
        return pack([product_key(shop_key, one) for one in items], [1 / n for n in range(2, len(items) + 2)])

    def _put_aims(self) -> None:
        """Targeting may name the site and the publisher, which are made after the campaigns."""
        snapshot = self.memory.snapshot
        for given in self._campaigns():
            if "targeting" in given:
                said = {name: self._with_ids(name, one) for name, one in given["targeting"].items()}
                campaign = snapshot.campaigns[self.key_of("campaign", given.get("name", "Autumn"))]
                targeting = TargetingBody.model_validate(said).targeting()
                snapshot.put(replace(campaign, targeting=targeting))

    def _with_ids(self, dimension: str, condition: Any) -> Any:
        """Sites and publishers by their names."""
        if isinstance(condition, list):
            return [self._with_ids(dimension, one) for one in condition]
        prefix = {"sites": "site", "publishers": "pub"}.get(dimension)
        if prefix is None:
            return condition
        keys = [self.key_of(dimension.removesuffix("s"), name) for name in condition["values"]]
        return condition | {"values": [write_id(prefix, key) for key in keys]}

    def _put_lists(self) -> None:
        """Suppression lists; the visitor is on each that does not say otherwise."""
        for given in self.given.get("suppression_lists", ()):
            check_keys(given, {"name", "shop", "campaigns", "active", "names_the_visitor"}, "a list")
            campaigns = [write_id("cmp", self.key_of("campaign", one)) for one in given.get("campaigns", ())]
            fields = {"name": given["name"], "campaign_ids": campaigns, "active": given.get("active", True)}
            made = SuppressionListDraft.model_validate(fields).suppression_list(self._shop_of(given))
            key = self._new("suppression list", given["name"])
            self.memory.snapshot.put(replace(made, key=key))
            if given.get("names_the_visitor", True):
                self.lists.add(key)

    def _put_experiments(self) -> None:
        for given in self.given.get("experiments", ()):
            campaign = given["campaign"]
            fields = {"name": "Which", "metric": "click_rate", "visitors_planned": 1000} | given
            fields["campaign_id"] = write_id("cmp", self.key_of("campaign", fields.pop("campaign")))
            fields["arms"] = [self._arm(one, campaign) for one in given["arms"]]
            made = self._read(ExperimentDraft, fields).experiment()
            self.memory.snapshot.put(replace(made, key=self._new("experiment", fields["name"])))

    def _arm(self, given: Mapping[str, Any], campaign: str) -> dict[str, Any]:
        fields = dict(given)
        if "creatives" in fields:
            keys = [self.key_of(f"creative of {campaign}", one) for one in fields.pop("creatives")]
            fields["creative_ids"] = [write_id("crv", key) for key in keys]
        if "audiences" in fields:
            keys = [self.key_of("audience", one) for one in fields.pop("audiences")]
            fields["audience_ids"] = [write_id("aud", key) for key in keys]
        return fields

    def beside(self) -> tuple[Answered, ...]:
        """What the page's other slots show."""
        answers = []
        for given in self.given.get("beside", ()):
            check_keys(given, {"shows", "cards"}, "beside")
            key = self.key_of("campaign", given["shows"])
            shop_key = self.memory.snapshot.campaigns[key].advertiser_key
            cards = tuple(product_key(shop_key, one) for one in given.get("cards", ()))
            answers.append(Answered(key, shop_key, self._first_creative(key), cards))
        return tuple(answers)

    def _first_creative(self, campaign_key: int) -> int:
        return next((one.key for one in self.memory.snapshot.creatives_of(campaign_key)), 0)

    def _campaigns(self) -> list[dict[str, Any]]:
        """Each is `campaign`, which all have in common, with what it says itself."""
        common = self.given.get("campaign", {})
        return [common | one for one in self.given.get("campaigns", [{}])]

    def _put_campaign(self, given: Mapping[str, Any]) -> None:
        shop_key, name = self._shop_of(given), given.get("name", "Autumn")
        shop, key = self.memory.snapshot.advertisers[shop_key], self._new("campaign", name)
        creatives = {
            one.get("name", f"{name} creative"): one for one in given.get("creatives", [{"name": "Cards"}])
        }
        keys = {made: self._new(f"creative of {name}", made) for made in creatives}
        fields = {field: value for field, value in given.items() if field not in CAMPAIGN_KEYS}
        fields |= {"name": name, "advertiser_id": write_id("adv", shop_key), **self._terms(given)}
        fields |= {"audiences": self._audiences(given, name)}
        if "product_set" in given:
            fields["product_set_id"] = write_id("set", self.key_of("product set", given["product_set"]))
        status = Status(fields.pop("status", "active"))  # none is born ended, but it may have come to it
        made = self._read(CampaignDraft, fields).campaign_for(shop)
        campaign = replace(made, key=key, status=status)
        self.memory.snapshot.put(campaign)
        for creative, said in creatives.items():
            self.memory.snapshot.put(self._creative(keys[creative], key, said))
        caps = (campaign.total_budget_micros, campaign.daily_budget_micros)
        self._put_spent(key, given, caps, shop.timezone)
        self._put_state(key, given)

    def _terms(self, given: Mapping[str, Any]) -> dict[str, Any]:
        model, money = read_rate(given.get("rate", "0.25 EUR CPC"))
        return {"pricing_model": model, "rate_micros": money.micros, "currency": money.currency}

    def _audiences(self, given: Mapping[str, Any], campaign: str) -> list[dict[str, Any]]:
        named = []
        for one in given.get("audiences", ()):
            check_keys(one, {"audience", "rate", "creatives"}, f"an audience of {campaign}")
            creatives = one.get("creatives", ())
            rate = read_rate(one["rate"])[1].micros if "rate" in one else None
            named.append(
                {
                    "audience_id": write_id("aud", self.key_of("audience", one["audience"])),
                    "rate_micros": rate,
                    "creative_ids": [
                        write_id("crv", self.key_of(f"creative of {campaign}", name)) for name in creatives
                    ],
                }
            )
        return named

    def _creative(self, key: int, campaign_key: int, given: Mapping[str, Any]) -> Creative:
        own = {"name", "approval", "approved_before"}
        is_message = given.get("template") == "message"
        usual: dict[str, Any] = {"template": "cards", "brand": {"name": "Shop"}}
        if is_message:
            words = {"headline": "Still here?", "body": "We kept it for you.", "button": "Go on"}
            usual |= {"message": words, "link": "https://shop.example/form"}
        fields = {name: value for name, value in given.items() if name not in own}
        fields["campaign_id"] = write_id("cmp", campaign_key)
        made = replace(self._read(CreativeDraft, usual | fields).creative(), key=key)
        approved = made if given.get("approved_before") else None
        return replace(made, approval=Approval(given.get("approval", "approved")), approved=approved)

    def _put_state(self, key: int, given: Mapping[str, Any]) -> None:
        """What has become of the campaign so far, and what it may expect of its day."""
        if "under_way" in given:
            self.under_way[key] = Expected(read_money(given["under_way"]).micros, 1.0)
        if "results" in given:
            check_keys(given["results"], {"impressions", "clicks", "conversions", "views"}, "results")
            self.rates[key] = Rates(**given["results"])
        if "expects" in given:
            expects = given["expects"]
            check_keys(expects, {"requests_per_day", "cost_of_each"}, "expects")
            cost = read_money(expects["cost_of_each"]).micros
            self.memory.snapshot.traffic[key] = Traffic(FLAT, expects["requests_per_day"], float(cost))

    # ---- the place ----

    def _put_places(self) -> int:
        snapshot = self.memory.snapshot
        publisher = self._read(PublisherDraft, {"name": "News"} | self._blocks("publisher")).publisher()
        publisher = replace(publisher, key=self._new("publisher", publisher.name))
        usual = {"publisher_id": write_id("pub", publisher.key), "name": "News", "domains": ["news.example"]}
        site = self._read(SiteDraft, usual | self._blocks("site")).site()
        site = replace(site, key=self._new("site", site.name))
        given = self._blocks("slot")
        width, _, height = given.pop("size", "300x250").partition("x")
        size = {"width": int(width), "height": int(height)} if height else {"width": None, "height": None}
        if "floor_cpm" in given:
            given["currency"] = read_money(given["floor_cpm"]).currency
        usual = {"site_id": write_id("site", site.key), "name": "Side"} | size
        slot = self._read(SlotDraft, usual | given).slot()
        slot = replace(slot, key=self._new("slot", slot.name))
        for place in (publisher, site, slot):
            snapshot.put(place)
        return slot.key

    def _blocks(self, place: str) -> dict[str, Any]:
        """What is said of a place, with shops by their names."""
        given = dict(self.given.get(place, {}))
        for field in ("blocked_advertisers", "approved_advertisers"):
            if field in given:
                given[field] = [self._party(name) for name in given[field]]
        return given

    def _party(self, name: str) -> str:
        known = self._found.get(("shop", name))
        return name if known is None else write_id("adv", known)

    # ---- the browser ----

    def _profile(self) -> Profile | None:
        """What the visitor's doings fold into; None of a browser that sends no cookie of ours."""
        doings = self.given.get("visitor", ["1 hour ago: view_item boots"])
        if doings == "unknown":
            return None
        profile = Profile(self.now_ms)
        for doing in sorted((read_doing(one, self.now_ms) for one in doings), key=lambda one: one.at_ms):
            profile.created_ms = min(profile.created_ms, doing.at_ms)
            for _ in range(doing.times):
                self._fold(profile, doing)
        return profile

    def _fold(self, profile: Profile, doing: Doing) -> None:
        items = [one.strip() for one in doing.whom.split(",") if one.strip()]
        shop_key = self._shop_of({} if doing.shop is None else {"shop": doing.shop})
        if doing.what in _AD_EVENTS or doing.what == "ghost":
            touch = self._touch(doing)
            fold_touch(profile, touch, self.memory.snapshot.campaigns[touch.campaign_key].advertiser_key)
        elif doing.what in set(Preference):
            key = product_key(shop_key, items[0]) if items else 0
            fold_preference(profile, shop_key, Preference(doing.what), key, doing.at_ms, self._kinds)
        elif doing.what in set(EventName):
            value, currency = doing.value or (None, None)
            named = tuple(map(Item, items))
            event = Event(EventName(doing.what), items=named, value_micros=value, currency=currency)
            fold_event(profile, shop_key, event, doing.at_ms, self._kinds)
        else:
            raise Misspelt(f"nobody can {doing.what!r}: use an event's name, `impression`, `click` or a wish")

    def _kinds(self, keys: Iterable[int]) -> dict[int, Kind]:
        return {key: kind_of(self.catalogue[key]) for key in keys if key in self.catalogue}

    def _touch(self, doing: Doing) -> Touch:
        """Of a campaign's first creative, unless another is named: `impression Autumn, Warm`."""
        campaign, _, creative = doing.whom.partition(", ")
        key, is_ghost = self.key_of("campaign", campaign), doing.what == "ghost"
        shown = self.key_of(f"creative of {campaign}", creative) if creative else self._first_creative(key)
        event = AdEvent.IMPRESSION if is_ghost else _AD_EVENTS[doing.what]
        return Touch(event, next(self._keys), key, 1, 0, shown, 0, doing.at_ms, ghost=is_ghost)

    def _caller(self) -> Caller:
        given = {"origin": "news.example", "region": Region.OPEN} | self.given.get("browser", {})
        check_keys(given, set(Caller.__struct_fields__), "browser")
        seen = []
        for text in self.given.get("site_cookie", ()):
            doing = read_doing(text, self.now_ms)
            hour = doing.at_ms // 3_600_000
            seen.append((self.key_of("campaign", doing.whom), hour, doing.times))
        caller = msgspec.convert(given, Caller)
        key = 0 if self.profile is None else self.given.get("lot", VISITOR)
        return replace(caller, visitor_key=key, seen_here=tuple(seen), seen_site_key=self._site_key())

    def _site_key(self) -> int:
        return self.memory.snapshot.slots[self.slot_key].site_key
