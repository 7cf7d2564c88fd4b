"""Statements of a month: an advertiser's, down to the event, and a publisher's payout."""

from adserver.flows.statement.advertiser import (
    AdvertiserStatement,
    AdvertiserStatements,
    CampaignPart,
    ProvenCharge,
)
from adserver.flows.statement.earnings import Earnings, PublisherMonth, SlotMonth
from adserver.flows.statement.named import NamedLine, Ports
from adserver.flows.statement.publisher import (
    HeldPart,
    PayoutTotal,
    PublisherStatement,
    PublisherStatements,
    SlotPart,
)

__all__ = [
    "AdvertiserStatement",
    "AdvertiserStatements",
    "CampaignPart",
    "Earnings",
    "HeldPart",
    "NamedLine",
    "PayoutTotal",
    "Ports",
    "ProvenCharge",
    "PublisherMonth",
    "PublisherStatement",
    "PublisherStatements",
    "SlotMonth",
    "SlotPart",
]
