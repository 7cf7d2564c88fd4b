"""Shops' order webhooks: an advertiser sets the secret that its shop signs with, and takes it away."""

import msgspec
from msgspec.structs import replace

from adserver.domain.shop_hook import ShopHook, ShopSoftware, shop_hook_key
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import Desk, Reach, Refused, Why, until_settled


class NewHook(msgspec.Struct, frozen=True):
    """A hook as it was set; `minted` is the secret where it is ours, with this its only sight."""

    hook: ShopHook
    minted: str | None


class ManageHooks:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def hook(self, reach: Reach, advertiser_key: int, shop: ShopSoftware) -> ShopHook | Refused | None:
        """The hook; None where there is none, or none any more."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        known = self._desk.accounts.shop_hook(shop_hook_key(advertiser_key, shop))
        return known if known is not None and known.secret else None

    def put(
        self, reach: Reach, advertiser_key: int, shop: ShopSoftware, secret: str | None
    ) -> NewHook | Refused:
        """Put a secret in place of the one before; one is made where the shop takes any."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        if secret is None and shop is ShopSoftware.SHOPIFY:
            return Refused(Why.SECRET_NEEDED)
        minted = self._desk.mint_secret() if secret is None else None
        saved = until_settled(lambda: self._save(advertiser_key, shop, secret or minted or ""))
        return saved if isinstance(saved, Refused) else NewHook(saved, minted)

    def remove(self, reach: Reach, advertiser_key: int, shop: ShopSoftware) -> ShopHook | Refused | None:
        """Believe the shop's webhooks no more; to do it twice is harmless."""
        known = self.hook(reach, advertiser_key, shop)
        if known is None or isinstance(known, Refused):
            return known
        return until_settled(lambda: self._save(advertiser_key, shop, ""))

    def _save(self, advertiser_key: int, shop: ShopSoftware, secret: str) -> ShopHook | Refused:
        key = shop_hook_key(advertiser_key, shop)
        wished = ShopHook(
            key=key, advertiser_key=advertiser_key, shop=shop, secret=secret, set_at_ms=self._desk.clock()
        )
        known = self._desk.accounts.shop_hook(key)
        if known is None:
            return self._desk.create(wished)
        return self._desk.replace(replace(wished, version=known.version + 1))
