"""Why a slot shows what it shows: the same decision, with a verdict on each candidate; nothing is counted."""

import threading
from collections.abc import Callable, Mapping

import msgspec

from adserver.domain.burn import Kind, kind_of
from adserver.domain.caller import Caller, Place, on_site
from adserver.domain.campaign import Advertiser
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.memory import Memory
from adserver.domain.sightings import profile_of
from adserver.domain.slot import Slot
from adserver.domain.verdict import Verdict, verdicts
from adserver.domain.visitor import Profile, Purchase, Shop
from adserver.flows.serve.asked import CARDS_OF_IMAGE, ServingPolicy, SlotRequest, Stated, stated_in
from adserver.flows.serve.judge import Fetched, Judge, Viewer
from adserver.ports import Clock, Refreshed, Stores
from pixel.consent import Basis, Consent, Region
from pixel.cookie import visitor_behind
from pixel.events import Device

ALLOWED = Consent(Basis.OPEN_REGION, True, True, True, True, True)


class Looked(msgspec.Struct, frozen=True):
    """Where and by what a described page is looked at, and what it says of itself; None for unknown."""

    place: Place | None = None
    device: Device | None = None
    language: str | None = None
    keywords: str | None = None
    categories: str | None = None


NOWHERE = Looked()


class Question(msgspec.Struct, frozen=True):
    """A slot's question as somebody puts it who wants to know why.

    The visitor is one that an advertiser knows (`visitor_key`), or is described (`profile`), or sends no
    cookie. Whoever asks takes it that the page may choose by what is known. `at_ms` and `dice` None: now, and
    a new throw. `advertiser_key` asks for all campaigns of that account, candidates or not.
    """

    slot_key: int
    visitor_key: int = 0
    profile: Profile | None = None
    image: bool = False
    test: bool = False
    at_ms: int | None = None
    dice: float | None = None
    advertiser_key: int | None = None
    looked: Looked = NOWHERE


class Explained(msgspec.Struct, frozen=True):
    """What a slot would show, with which throw, and what became of each campaign."""

    slot: Slot
    at_ms: int
    dice: float
    answer: Decision | NoAd
    verdicts: list[Verdict]
    propensity: float


class Explain:
    """Asks the judge who serves."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        refresh: Refreshed,
        clock: Clock,
        dice: Callable[[], float],
        policy: ServingPolicy,
        parties: bytes = b"",
    ) -> None:
        self._memory = memory
        self._profiles = stores.profiles
        self._refresh = refresh
        self._clock = clock
        self._dice = dice
        self._parties = parties
        self._judge = Judge(memory, stores, refresh, clock, dice, policy)
        self._turn = threading.Lock()  # the API's threads ask; a judge is made for one

    def now_ms(self) -> int:
        return self._clock()

    @property
    def advertisers(self) -> Mapping[int, Advertiser]:
        return self._memory.snapshot.advertisers

    def visitor(self, advertiser_key: int, told: str) -> int | None:
        """Whom an advertiser knows by this id."""
        return visitor_behind(told, advertiser_key, self._parties)

    def ask(self, question: Question) -> Explained | None:
        """The answer and its reasons; None where there is no such slot."""
        slot = self._slot(question.slot_key)
        if slot is None:
            return None
        at_ms = self._clock() if question.at_ms is None else question.at_ms
        site = self._memory.snapshot.sites[slot.site_key]
        looked = question.looked
        cards = CARDS_OF_IMAGE if question.image else 0
        stated = Stated(looked.keywords, looked.categories, image_cards=cards)
        caller = Caller(
            Region.OPEN,
            test=question.test,
            place=looked.place,
            device=looked.device,
            language=looked.language,
        )
        viewer = self._viewer(question)
        with self._turn:
            fetched = self._judge.fetch_for(viewer, slot, site, caller, at_ms, stated)
        return self._explained(slot, fetched, question.dice, question.advertiser_key)

    def ask_as(self, ask: SlotRequest, caller: Caller) -> Explained | None:
        """The same for the very request of a browser, with all that its consent forbids."""
        slot = self._slot(ask.slot_key)
        if slot is None:
            return None
        now_ms = self._clock()
        site = self._memory.snapshot.sites[slot.site_key]
        consent = self._judge.consent(site, ask, caller)
        with self._turn:
            here = on_site(caller, site.key)
            fetched = self._judge.fetch(slot, site, consent, here, now_ms, stated_in(ask))
        if fetched is None:
            return Explained(slot, now_ms, 0.0, NoAd({}), [], 0.0)
        return self._explained(slot, fetched, None, None)

    def _slot(self, slot_key: int) -> Slot | None:
        self._refresh(missing=slot_key not in self._memory.snapshot.slots)
        return self._memory.snapshot.slots.get(slot_key)

    def _viewer(self, question: Question) -> Viewer:
        profile = question.profile
        if question.visitor_key:
            profile = self._profiles.profile(question.visitor_key)
        elif profile is not None:
            profile = self._completed(profile)
        return Viewer(ALLOWED, question.visitor_key, profile_of(()) if profile is None else profile)

    def _completed(self, described: Profile) -> Profile:
        """With what is noted beside each ad and order: whose it was, and what kind of thing was bought."""
        known = self._memory.snapshot.campaigns
        shown = [
            msgspec.structs.replace(one, advertiser_key=known[one.campaign_key].advertiser_key)
            for one in described.shown
            if one.campaign_key in known
        ]
        shops = [msgspec.structs.replace(shop, purchases=self._of_kinds(shop)) for shop in described.shops]
        return msgspec.structs.replace(described, shown=shown, shops=shops)

    def _of_kinds(self, shop: Shop) -> list[Purchase]:
        products = self._judge.products({shop.advertiser_key: [one.product_key for one in shop.purchases]})
        kinds = {key: kind_of(product) for key, product in products.items()}
        return [
            Purchase(one.product_key, one.at_ms, kind.group_key, kind.category_key)
            for one in shop.purchases
            for kind in (kinds.get(one.product_key, Kind()),)
        ]

    def _explained(
        self, slot: Slot, fetched: Fetched, dice: float | None, advertiser_key: int | None
    ) -> Explained:
        throw, at_ms = self._dice() if dice is None else dice, fetched.request.now_ms
        heard = fetched.heard(throw)
        found = verdicts(heard, fetched.candidates, fetched.viewer.profile, at_ms)
        if advertiser_key is not None:
            found += self._unasked(advertiser_key, {one.campaign.key for one in found})
        return Explained(slot, at_ms, throw, heard.answer, found, heard.propensity)

    def _unasked(self, advertiser_key: int, judged: set[int]) -> list[Verdict]:
        """The account's campaigns that were no candidates: not running, or never visited."""
        campaigns = list(self._memory.snapshot.campaigns.values())  # another thread may put more
        own = [one for one in campaigns if one.advertiser_key == advertiser_key and one.key not in judged]
        live = {one.key for one in self._memory.snapshot.live_campaigns(advertiser_key)}
        return [
            Verdict(one, Refusal.NOT_IN_AUDIENCE if one.key in live else Refusal.NOT_ACTIVE) for one in own
        ]
