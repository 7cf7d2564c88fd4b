"""Products put and changed one by one or by the hundred, and the feeds that bring the rest."""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, Product
from adserver.domain.fetching import anew
from adserver.domain.identity import product_key
from adserver.domain.price_history import ReferencePrice, StrikeCount, counted_for, reference_price
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.checks import sound_feed, sound_product
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why
from adserver.writes import Result, SaveProducts

MOST_TRIES = 20  # to change what others are changing too

ProductEdit = tuple[str, Callable[[Product], Product]]  # an item id, and what becomes of that product


class ManageProducts:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def product(self, reach: Reach, advertiser_key: int, item_id: str) -> Product | Refused:
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        key = product_key(advertiser_key, item_id)
        return self._desk.catalogue.products([key]).get(key, NOT_FOUND)

    def reference_price(
        self, reach: Reach, advertiser_key: int, item_id: str
    ) -> tuple[Product, ReferencePrice] | Refused:
        """A product, and what is struck through beside its price now."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        product = self.product(reach, advertiser_key, item_id)
        if isinstance(owner, Refused) or isinstance(product, Refused):
            return NOT_FOUND
        history = self._desk.catalogue.price_history(product.key)
        return product, reference_price(product, history, owner, self._desk.clock())

    def sales(self, reach: Reach, advertiser_key: int) -> tuple[Advertiser, list[StrikeCount]] | Refused:
        """How many of the advertiser's products are on sale now, by what is struck through for them."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return owner, counted_for(owner, self._desk.catalogue.on_sale(advertiser_key, self._desk.clock()))

    def products(self, reach: Reach, advertiser_key: int, after: int, limit: int) -> list[Product] | Refused:
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.catalogue.page(advertiser_key, after, limit)

    def put(self, reach: Reach, advertiser_key: int, draft: Product) -> Product | Refused:
        """Insert or replace one product; its picture stays as long as its address is the same."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        key = product_key(advertiser_key, draft.item_id)
        known = self._desk.catalogue.products([key])
        saved = self._save(owner, known, [replace(draft, key=key, advertiser_key=advertiser_key)])
        return saved if isinstance(saved, Refused) else saved[0]

    def change_many(
        self, reach: Reach, advertiser_key: int, edits: Sequence[ProductEdit]
    ) -> list[Product] | Refused:
        """Change products that are in the catalogue, all or none.

        Where one of them was changed by somebody else meanwhile, all are read again and changed anew.
        """
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        changed = self._change(owner, edits)
        for _ in range(MOST_TRIES - 1):
            if not isinstance(changed, Refused) or changed.reason is not Result.CONFLICT:
                break
            changed = self._change(owner, edits)
        return changed

    def _change(self, owner: Advertiser, edits: Sequence[ProductEdit]) -> list[Product] | Refused:
        advertiser_key = owner.key
        known = self._desk.catalogue.products(product_key(advertiser_key, item) for item, _ in edits)
        changed = dict(known)
        for item_id, edit in edits:
            product = changed.get(product_key(advertiser_key, item_id))
            if product is None:
                return NOT_FOUND
            changed[product.key] = edit(product)
        return self._save(owner, known, list(changed.values()), tuple(known.values()))

    def _save(
        self,
        owner: Advertiser,
        known: Mapping[int, Product],
        wished: list[Product],
        was: tuple[Product, ...] = (),
    ) -> list[Product] | Refused:
        products = []
        for product in wished:
            sound = sound_product(product, owner)
            if isinstance(sound, Why):
                return Refused(sound)
            products.append(_with_picture(sound, known.get(sound.key)))
        write = SaveProducts(owner.key, tuple(products), at_ms=self._desk.clock(), was=was)
        outcome = self._desk.writer.commit(write)
        if outcome.result is not Result.SAVED:
            return Refused(outcome.result, outcome.figure)
        return products

    def feed(self, reach: Reach, advertiser_key: int, key: int) -> Feed | Refused:
        found = self._desk.feeds.feed(key) if reach.advertiser(advertiser_key) else None
        return found if found is not None and found.advertiser_key == advertiser_key else NOT_FOUND

    def feeds(self, reach: Reach, advertiser_key: int, after: int, limit: int) -> list[Feed] | Refused:
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.feeds.feeds(advertiser_key, after, limit)

    def create_feed(
        self, reach: Reach, draft: Feed, receipt_of: ReceiptOf[Feed] | None = None
    ) -> Feed | Refused:
        owner = self._accounts.advertiser(reach, draft.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        sound = sound_feed(draft, owner)
        if isinstance(sound, Why):
            return Refused(sound)
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return self._desk.create(replace(sound, key=key, created_at_ms=now_ms), receipt_of)

    def change_feed(
        self, reach: Reach, advertiser_key: int, key: int, edit: Callable[[Feed], Feed]
    ) -> Feed | Refused:
        """Where it lies, how it is read and how often; its products stay live until its next import."""
        known, owner = self.feed(reach, advertiser_key, key), self._accounts.advertiser(reach, advertiser_key)
        if isinstance(known, Refused) or isinstance(owner, Refused):
            return NOT_FOUND
        sound = sound_feed(edit(known), owner)
        if isinstance(sound, Why):
            return Refused(sound)
        return self._desk.replace(replace(sound, fetching=anew(known.fetching, self._desk.clock())))


def _with_picture(wished: Product, known: Product | None) -> Product:
    """Our thumbnail stays for as long as it is of the same picture."""
    same = known is not None and known.image_link == wished.image_link
    return replace(wished, picture=known.picture if same and known is not None else None)
