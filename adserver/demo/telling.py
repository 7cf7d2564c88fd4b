"""What the story's page asks for once a second: steps, profile, places and the ledger, as one JSON."""

from typing import Any

import msgspec

from adserver.demo.seed import World
from adserver.demo.server import DemoServer
from adserver.demo.story import Story, pays_for
from adserver.demo.words import LEVELS, money
from adserver.domain.budget import WHOLE_LIFE, BucketId
from adserver.domain.campaign import Advertiser
from adserver.domain.visitor import Profile, Shop

MOST_TOLD = 60
MOST_CAMPAIGNS = 20  # the demo's own first, then what somebody made through the API


class Reader(msgspec.Struct, frozen=True):
    """Whose story is asked for: the browser's visitor (0 without a cookie), and whether it is excluded."""

    visitor_key: int
    cookie: str
    test: bool
    opted_out: bool


class Telling:
    def __init__(self, server: DemoServer, world: World, story: Story) -> None:
        self._server = server
        self._world = world
        self._story = story

    def tell(self, reader: Reader) -> dict[str, Any]:
        """Everything the page shows."""
        storage, key = self._server.storage, reader.visitor_key
        held = storage.profiles.export(key) if key else {}
        orders = self._story.conversions(held.get("conversions", []))
        steps = [*self._story.steps(key), *orders]
        steps.sort(key=lambda step: (step.at_ms, step.number), reverse=True)
        profile = storage.profiles.profile(key) if key else None
        return {
            "visitor": {"known": bool(key), "cookie": reader.cookie, "test": reader.test,
                        "opted_out": reader.opted_out},
            "strangers": not key and self._story.cookies_given > 0,
            "steps": [msgspec.to_builtins(step) for step in steps[:MOST_TOLD]],
            "profile": self._profile(profile) if profile else [],
            "places": msgspec.to_builtins(self._story.places(key)),
            "done": self._done(profile, held),
            "ledger": self._ledger(),
        }  # fmt: skip

    def _done(self, profile: Profile | None, held: dict[str, list[dict[str, object]]]) -> dict[str, bool]:
        """Which parts of the walk this browser has been through."""
        shop = profile.shop(self._world.shop_key) if profile else None
        service = profile.shop(self._world.service_key) if profile else None
        events = held.get("ad_events", [])
        kinds = {int(str(row["charge_id"])) & 3 for row in events}
        return {
            "view": bool(shop and shop.interests) or bool(shop and shop.purchases),
            "see": 0 in kinds,
            "click": 2 in kinds,
            "buy": bool(shop and shop.purchases),
            "form": bool(service and service.form_started_ms),
        }

    # ---- what is remembered ----

    def _profile(self, profile: Profile) -> list[dict[str, Any]]:
        snapshot = self._server.memory.snapshot
        return [self._shop(snapshot.advertisers[shop.advertiser_key], shop) for shop in profile.shops]

    def _shop(self, advertiser: Advertiser, shop: Shop) -> dict[str, Any]:
        keys = [interest.product_key for interest in shop.interests]
        bought = [purchase.product_key for purchase in shop.purchases]
        known = self._server.storage.catalogue.products([*keys, *bought])
        items = [
            {"title": known[interest.product_key].title, "level": LEVELS[interest.level],
             "picture": known[interest.product_key].picture}
            for interest in shop.interests
            if interest.product_key in known and interest.product_key not in bought
        ]  # fmt: skip
        items += [
            {"title": known[key].title, "level": "bought: not shown again", "picture": known[key].picture}
            for key in dict.fromkeys(bought)
            if key in known
        ]
        return {"name": advertiser.name, "items": items, "form": _form(shop)}

    # ---- what it costs ----

    def _ledger(self) -> list[dict[str, Any]]:
        """Each campaign's balance against its budgets, as the ledger holds it."""
        snapshot, ledger = self._server.memory.snapshot, self._server.storage.ledger
        rows = []
        ours = {key: snapshot.campaigns[key] for key in self._world.campaigns.values()}
        for key, campaign in list({**ours, **snapshot.campaigns}.items())[:MOST_CAMPAIGNS]:
            owner = snapshot.advertisers[campaign.advertiser_key]
            day = self._server.memory.calendar.span(self._server.clock(), owner.timezone).day
            cap = campaign.daily_budget_micros
            total, today = ledger.buckets([BucketId(key, WHOLE_LIFE), BucketId(key, day)])
            rows.append(
                {
                    "name": campaign.name,
                    "advertiser": owner.name,
                    "model": campaign.terms.pricing_model.upper(),
                    "status": campaign.status.value,
                    "pays": pays_for(campaign),
                    "spent_micros": total.spent,
                    "spent": money(total.spent),
                    "today": money(today.spent),
                    "budget": "no cap" if cap is None else money(cap),
                }
            )
        return rows


def _form(shop: Shop) -> str:
    if not shop.form_started_ms:
        return ""
    if shop.form_submitted_ms >= shop.form_started_ms:
        return "quote form sent"
    return "quote form begun, not sent (names and values of its fields were never read)"
