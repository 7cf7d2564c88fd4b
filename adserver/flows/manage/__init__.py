"""Advertisers change campaigns and products, publishers change slots, the operator opens accounts."""

from collections.abc import Callable

from adserver.domain.retention import Retention
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.admissions import Asking
from adserver.flows.manage.audiences import ManageAudiences
from adserver.flows.manage.campaigns import ManageCampaigns, Standing
from adserver.flows.manage.conversions import ManageConversions, Settled, Wish
from adserver.flows.manage.desk import Desk, Reach, ReceiptOf, Refused, Why
from adserver.flows.manage.experiments import ManageExperiments
from adserver.flows.manage.holds import Held, Holding, ManageHolds
from adserver.flows.manage.hooks import ManageHooks, NewHook
from adserver.flows.manage.inventory import ManageInventory
from adserver.flows.manage.key_calls import KeyCalls
from adserver.flows.manage.keys import ManageKeys, NewKey
from adserver.flows.manage.launches import Launch, Launched, ManageLaunches
from adserver.flows.manage.money import ManageMoney, OrderName, RefundWish
from adserver.flows.manage.offers import Flaw, ManageOffers, Uploaded
from adserver.flows.manage.product_sets import ManageProductSets
from adserver.flows.manage.products import ManageProducts
from adserver.flows.manage.reviews import ManageReviews
from adserver.flows.manage.saved_reports import ManageSavedReports
from adserver.flows.manage.suppressions import ManageSuppressions
from adserver.ports import (
    Accounts,
    Audiences,
    Campaigns,
    Catalogue,
    Clock,
    Experiments,
    Feeds,
    Inventory,
    Keys,
    Ledger,
    Media,
    Offers,
    Payments,
    Pending,
    ProductSets,
    SavedReports,
    Suppressions,
    Writer,
)

__all__ = [
    "Asking",
    "Flaw",
    "Held",
    "Holding",
    "KeyCalls",
    "Launch",
    "Launched",
    "Manage",
    "NewHook",
    "NewKey",
    "OrderName",
    "Reach",
    "ReceiptOf",
    "RefundWish",
    "Refused",
    "Settled",
    "Standing",
    "Uploaded",
    "Why",
    "Wish",
]


class Manage:
    """The management flow. Each method fetches, decides, writes, and answers the entity or `Refused`."""

    def __init__(  # noqa: PLR0913  every port of management, by name
        self,
        *,
        writer: Writer,
        accounts: Accounts,
        campaigns: Campaigns,
        audiences: Audiences,
        experiments: Experiments,
        saved_reports: SavedReports,
        inventory: Inventory,
        keys: Keys,
        catalogue: Catalogue,
        product_sets: ProductSets,
        suppressions: Suppressions,
        feeds: Feeds,
        ledger: Ledger,
        offers: Offers,
        media: Media,
        payments: Payments,
        pending: Pending,
        key_calls: KeyCalls,
        holding: Holding,
        clock: Clock,
        mint_key: Callable[[], int],
        mint_secret: Callable[[], str],
        order_secret: bytes,
        fetch_private: bool = False,
        retention: Retention = Retention(),  # noqa: B008  it is frozen
        approves_all: bool = False,
    ) -> None:
        desk = Desk(
            writer=writer,
            accounts=accounts,
            campaigns=campaigns,
            audiences=audiences,
            experiments=experiments,
            saved_reports=saved_reports,
            inventory=inventory,
            keys=keys,
            catalogue=catalogue,
            product_sets=product_sets,
            suppressions=suppressions,
            feeds=feeds,
            ledger=ledger,
            offers=offers,
            media=media,
            payments=payments,
            pending=pending,
            key_calls=key_calls,
            clock=clock,
            mint_key=mint_key,
            mint_secret=mint_secret,
            order_secret=order_secret,
            fetch_private=fetch_private,
            retention=retention,
            approves_all=approves_all,
        )
        self.clock, self._desk = clock, desk
        self.accounts = ManageAccounts(desk)
        self.audiences = ManageAudiences(desk, self.accounts)
        self.campaigns = ManageCampaigns(desk, self.accounts)
        self.experiments = ManageExperiments(desk, self.accounts, self.campaigns)
        self.reviews = ManageReviews(desk, self.campaigns)
        self.inventory = ManageInventory(desk, self.accounts)
        self.products, self.offers = ManageProducts(desk, self.accounts), ManageOffers(desk, self.accounts)
        self.product_sets = ManageProductSets(desk, self.accounts)
        self.suppressions = ManageSuppressions(desk, self.accounts)
        self.conversions = ManageConversions(desk, self.accounts)
        self.money = ManageMoney(desk, self.accounts, self.campaigns)
        self.offers = ManageOffers(desk, self.accounts)
        self.holds, self.hooks = ManageHolds(desk, self.accounts, holding), ManageHooks(desk, self.accounts)
        self.keys, self.saved_reports = ManageKeys(desk), ManageSavedReports(desk)

    @property
    def launches(self) -> ManageLaunches:
        return ManageLaunches(self._desk, self.accounts, self.audiences, self.campaigns)
