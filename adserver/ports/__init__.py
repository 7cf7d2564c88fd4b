"""What the flows ask of storage and of the world outside: narrow interfaces, one per noun."""

from adserver.ports.accounts import (
    Accounts,
    Audiences,
    Campaigns,
    Inventory,
    Keys,
    ProductSets,
    SavedReports,
    Suppressions,
)
from adserver.ports.catalogue import Catalogue, Feeds, Media, PictureBook
from adserver.ports.experiments import Experiments
from adserver.ports.imports import PLAIN, ImportFiles, Imports, Order, Part
from adserver.ports.money import Holds, Ledger, Origins, Payments, Payouts, Proofs, Seals, Statements, Takings
from adserver.ports.network import Networks
from adserver.ports.orders import Conversions, Offers, Pending
from adserver.ports.outside import Fetcher, FetchRefused, FrameNotDrawn, Frames, Geo, Heard, Pictures, Signer
from adserver.ports.recommendations import Recommendations, Visits
from adserver.ports.reports import ReportSources, ReportSums
from adserver.ports.running import AuditLog, Changes, Clock, Notices, Refreshed, Stats, Vitals
from adserver.ports.stores import Stores
from adserver.ports.users import Hasher, Sessions, Users
from adserver.ports.visitors import (
    Arrivals,
    AudienceSizes,
    Consents,
    DecisionSamples,
    Funnels,
    LiveViews,
    Pixel,
    Profiles,
)
from adserver.ports.writer import Deferred, Writer

__all__ = [
    "PLAIN",
    "Accounts",
    "Arrivals",
    "AudienceSizes",
    "Audiences",
    "AuditLog",
    "Campaigns",
    "Catalogue",
    "Changes",
    "Clock",
    "Consents",
    "Conversions",
    "DecisionSamples",
    "Deferred",
    "Experiments",
    "Feeds",
    "FetchRefused",
    "Fetcher",
    "FrameNotDrawn",
    "Frames",
    "Funnels",
    "Geo",
    "Hasher",
    "Heard",
    "Holds",
    "ImportFiles",
    "Imports",
    "Inventory",
    "Keys",
    "Ledger",
    "LiveViews",
    "Media",
    "Networks",
    "Notices",
    "Offers",
    "Order",
    "Origins",
    "Part",
    "Payments",
    "Payouts",
    "Pending",
    "PictureBook",
    "Pictures",
    "Pixel",
    "ProductSets",
    "Profiles",
    "Proofs",
    "Recommendations",
    "Refreshed",
    "ReportSources",
    "ReportSums",
    "SavedReports",
    "Seals",
    "Sessions",
    "Signer",
    "Statements",
    "Stats",
    "Stores",
    "Suppressions",
    "Takings",
    "Users",
    "Visits",
    "Vitals",
    "Writer",
]
