"""What the server answers in a scenario's world: the flow that serves, on ports that hold what the JSON says."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.decision import Decision, NoAd
from adserver.domain.in_flight import Expected
from adserver.domain.money import Micros
from adserver.domain.peace import PeacePolicy
from adserver.domain.pricing import CONTEXTUAL
from adserver.domain.shop_learning import Learnt
from adserver.domain.visitor import Profile
from adserver.flows.serve import CARDS_OF_IMAGE, ServingPolicy, SlotRequest
from adserver.flows.serve.asked import Stated
from adserver.flows.serve.judge import Judge
from adserver.storage.embedded import Storage
from pixel.consent import Said
from pixel.cookie import KeyRing
from tests.scenarios.words import Misspelt, check_keys
from tests.scenarios.world import World

OUTCOME_KEYS = {"shows", "cards", "creative", "audience", "situation", "ecpm", "because", "refused", "no_ad"}


class _Writer:
    """Nothing is written: it tells what is under way."""

    sequence = 0
    records = True

    def __init__(self, world: World) -> None:
        self._under_way = world.under_way

    def under_way(self, campaign_keys: Sequence[int]) -> Mapping[int, Expected]:
        return {key: self._under_way[key] for key in campaign_keys if key in self._under_way}

    def most_under_way(self, advertiser_key: int) -> Expected:
        return Expected(Micros(sum(one.micros for one in self._under_way.values())), 1.0)


class _Stores:
    """The world's visitor and catalogue; anything else is read of a storage that holds nothing."""

    def __init__(self, world: World, nothing: Storage) -> None:
        self.writer = _Writer(world)
        self.profiles = self.catalogue = self.suppressions = self.recommendations = self
        self._world = world
        self._nothing = nothing

    def profile(self, visitor_key: int) -> Profile | None:
        return self._world.profile

    def products(self, keys: Iterable[int]) -> Mapping[int, Product]:
        catalogue = self._world.catalogue
        return {key: catalogue[key] for key in keys if key in catalogue}

    def lists_of(self, visitor_key: int) -> frozenset[int]:
        return frozenset(self._world.lists)

    def learnt(self, advertiser_key: int, keys: Iterable[int]) -> Mapping[int, Learnt]:
        return {key: self._world.learnt[key] for key in keys if key in self._world.learnt}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nothing, name)


def answer(world: World, nothing: Storage) -> Decision | NoAd:
    """The decision for the scenario's slot and browser, at its time and with its dice."""
    given, dice = world.given, world.given.get("dice", 0.5)
    stores = _Stores(world, nothing)
    peace = msgspec.convert(given.get("operator", {}), PeacePolicy)
    check_keys(given.get("operator", {}), set(PeacePolicy.__struct_fields__), "operator")
    policy = ServingPolicy("", given.get("exchange_rates", {}), KeyRing(1, {1: b"c" * 32}), peace=peace)
    judge = Judge(world.memory, stores, _refresh, lambda: world.now_ms, lambda: dice, policy)  # type: ignore[arg-type]
    said = given.get("said", {})
    check_keys(said, set(Said.__struct_fields__), "said")
    ask = SlotRequest(world.slot_key, said=Said(**said), cards=given.get("cards", CARDS_OF_IMAGE))
    slot = world.memory.snapshot.slots[world.slot_key]
    site = world.memory.snapshot.sites[slot.site_key]
    consent = judge.consent(site, ask, world.caller)
    page = given.get("page", {})
    check_keys(page, {"keywords", "categories"}, "page")
    image_cards = ask.cards if given.get("image") else 0
    stated = Stated(page.get("keywords"), page.get("categories"), world.beside(), image_cards)
    return judge.judge(slot, site, consent, world.caller, world.now_ms, stated).answer


def _refresh(*, missing: bool = False) -> None:
    """The world stands still."""


def told(world: World, found: Decision | NoAd) -> dict[str, Any]:
    """The answer in the words of a scenario."""
    refused = {world.names[key]: str(no) for key, no in sorted(found.refusals.items())}
    if isinstance(found, NoAd):
        return {"no_ad": refused}
    audience = "the page" if found.audience_key == CONTEXTUAL else world.names.get(found.audience_key)
    return {
        "shows": found.campaign.name,
        "cards": [product.item_id for product in found.products],
        "creative": world.names[found.creative.key],
        "audience": audience,
        "because": {
            product.item_id: found.because[product.key].name.lower()
            for product in found.products
            if product.key in found.because
        },
        "situation": None if found.situation is None else str(found.situation),
        "ecpm": f"{found.ecpm_micros / 1_000_000:.4f}".rstrip("0").rstrip("."),
        "refused": refused,
    }


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What is otherwise than the scenario says, a line for each.

    Who wins, with which cards, and who is refused for what is always compared; the rest where it is named.
    """
    check_keys(dict(wanted), OUTCOME_KEYS, "then")
    if ("shows" in wanted) == ("no_ad" in wanted):
        raise Misspelt("then: say either `shows` or `no_ad`")
    if "no_ad" in found:
        usual = {"no_ad": {}} if "no_ad" in wanted else {}
    else:
        usual = {"cards": [], "refused": {}} if "shows" in wanted else {}
    expected = usual | dict(wanted)
    return [
        f"{name}: the scenario says {expected.get(name, 'nothing')!r}, the server {found.get(name, 'nothing')!r}"
        for name in sorted({*expected, *(found.keys() & {"shows", "no_ad"})})
        if expected.get(name) != found.get(name)
    ]
