"""Advertisers change campaigns and products, publishers change slots, the operator opens accounts."""

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

__all__ = [
    "Asking",
    "Desk",
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

    def __init__(self, desk: Desk, holding: Holding) -> None:
        self.clock, self._desk = desk.clock, desk
        self.accounts = ManageAccounts(desk)
        self.audiences = ManageAudiences(desk, self.accounts)
        self.campaigns = ManageCampaigns(desk, self.accounts)
        self.experiments = ManageExperiments(desk, self.accounts, self.campaigns)
        self.reviews = ManageReviews(desk, self.campaigns)
        self.inventory = ManageInventory(desk, self.accounts)
        self.products = ManageProducts(desk, self.accounts)
        self.product_sets = ManageProductSets(desk, self.accounts)
        self.suppressions = ManageSuppressions(desk, self.accounts)
        self.conversions = ManageConversions(desk, self.accounts)
        self.money = ManageMoney(desk, self.accounts, self.campaigns)
        self.offers = ManageOffers(desk, self.accounts)
        self.holds = ManageHolds(desk, self.accounts, holding)
        self.hooks = ManageHooks(desk, self.accounts)
        self.keys = ManageKeys(desk)
        self.saved_reports = ManageSavedReports(desk)
        self.launches = ManageLaunches(desk, self.accounts, self.audiences, self.campaigns)
