"""Product sets: advertisers say which part of their catalogue a campaign shows."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.product_set import ProductSet, check
from adserver.domain.set_survey import Survey
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, until_settled

READ_AT_ONCE = 500  # products


class ManageProductSets:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def product_set(self, reach: Reach, advertiser_key: int, key: int) -> ProductSet | Refused:
        found = self._desk.product_sets.product_set(key) if reach.advertiser(advertiser_key) else None
        return found if found is not None and found.advertiser_key == advertiser_key else NOT_FOUND

    def product_sets(
        self, reach: Reach, advertiser_key: int, after: int, limit: int
    ) -> list[ProductSet] | Refused:
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.product_sets.product_sets(advertiser_key, after, limit)

    def survey(self, reach: Reach, wished: ProductSet) -> Survey | Refused:
        """What a set would hold of its advertiser's catalogue now, whether it is saved or not."""
        refused = self._refused(reach, wished)
        if refused is not None:
            return refused
        survey, after = Survey(wished, self._desk.clock()), -1
        while page := self._desk.catalogue.page(wished.advertiser_key, after, READ_AT_ONCE):
            for product in page:
                survey.look(product)
            after = page[-1].key
        return survey

    def create(
        self, reach: Reach, draft: ProductSet, receipt_of: ReceiptOf[ProductSet] | None = None
    ) -> ProductSet | Refused:
        refused = self._refused(reach, draft)
        if refused is not None:
            return refused
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return self._desk.create(replace(draft, key=key, version=1, created_at_ms=now_ms), receipt_of)

    def change(
        self, reach: Reach, advertiser_key: int, key: int, edit: Callable[[ProductSet], ProductSet]
    ) -> ProductSet | Refused:
        """Change what its campaigns show from the next request on."""
        return until_settled(lambda: self._change(reach, advertiser_key, key, edit))

    def _change(
        self, reach: Reach, advertiser_key: int, key: int, edit: Callable[[ProductSet], ProductSet]
    ) -> ProductSet | Refused:
        known = self.product_set(reach, advertiser_key, key)
        if isinstance(known, Refused):
            return known
        changed = replace(edit(known), version=known.version + 1)
        return self._refused(reach, changed) or self._desk.replace(changed)

    def _refused(self, reach: Reach, wished: ProductSet) -> Refused | None:
        owner = self._accounts.advertiser(reach, wished.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        refusal = check(wished)
        return None if refusal is None else Refused(refusal)
