"""What may be written: every change of storage as plain data, and what became of it."""

import msgspec

from adserver.domain.job_run import JobRun
from adserver.domain.offer import AddCodes, HandCode, RedeemCode
from adserver.domain.suppression import ListVisitors, UnlistOthers
from adserver.writes.ads import AdRecord, KeepDecisionSample, RecordAd, RecordDecision
from adserver.writes.catalogue import (
    DropFeed,
    ForgetPictures,
    KeepPicture,
    PictureWrite,
    RemoveProductsNotIn,
    RetryPictures,
    SaveProducts,
    SetPicture,
)
from adserver.writes.entities import Access, ApiKey, Entity, SaveEntity, Scope, SettleNotice, TellAdvertiser
from adserver.writes.events import AddCounts, KeepLive, KeepSamples, RecordArrival, StoreEvent, WatchLive
from adserver.writes.experiments import EnterExperiments, RecordGhost
from adserver.writes.money import Deposit, RefundCharge, SealDay, SignHeads
from adserver.writes.orders import CancelConversion, Conversion, CreditConversion, SettleConversion
from adserver.writes.outcome import Outcome, Result
from adserver.writes.receipts import Answered, PurgeReceipts, Receipt, WithReceipt
from adserver.writes.recommendations import BeginSlice, DropLearnt, KeepLearnt, KeepSessions, UseLearnt
from adserver.writes.reports import RollReport
from adserver.writes.users import (
    AttemptSucceeded,
    BeginSession,
    ClaimAttempt,
    EndSession,
    SeeSession,
    SessionWrite,
)
from adserver.writes.visitors import (
    Aged,
    ForgetVisitor,
    PurgeAged,
    RollFunnel,
    SaveAudienceSizes,
    SeenAtSlot,
    TellPreference,
    Withdraw,
)


class TakeLease(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ask for a job's lease until a time; TAKEN by others answers CONFLICT. `ran`: how it ran."""

    name: str
    holder: str
    now_ms: int
    until_ms: int
    ran: JobRun | None = None


class Together(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Several management writes, all or none; the outcome is the first refusal, or SAVED."""

    writes: "tuple[SaveEntity | SaveProducts | Receipt | TellAdvertiser, ...]"


Write = (
    StoreEvent
    | RecordAd
    | RecordArrival
    | RecordDecision
    | RecordGhost
    | EnterExperiments
    | KeepDecisionSample
    | CreditConversion
    | SettleConversion
    | CancelConversion
    | RefundCharge
    | Deposit
    | WithReceipt
    | SealDay
    | SignHeads
    | SettleNotice
    | PurgeReceipts
    | PurgeAged
    | SaveEntity
    | SaveProducts
    | RemoveProductsNotIn
    | DropFeed
    | TellAdvertiser
    | SetPicture
    | PictureWrite
    | Receipt
    | ForgetVisitor
    | Withdraw
    | TellPreference
    | AddCounts
    | KeepSamples
    | KeepLive
    | WatchLive
    | TakeLease
    | Together
    | AddCodes
    | HandCode
    | RedeemCode
    | SessionWrite
    | SeenAtSlot
    | SaveAudienceSizes
    | RollFunnel
    | RollReport
    | BeginSlice
    | KeepSessions
    | KeepLearnt
    | UseLearnt
    | DropLearnt
    | ListVisitors
    | UnlistOthers
)


__all__ = [
    "Access",
    "AdRecord",
    "AddCounts",
    "Aged",
    "Answered",
    "ApiKey",
    "AttemptSucceeded",
    "BeginSession",
    "BeginSlice",
    "CancelConversion",
    "ClaimAttempt",
    "Conversion",
    "CreditConversion",
    "Deposit",
    "DropFeed",
    "DropLearnt",
    "EndSession",
    "EnterExperiments",
    "Entity",
    "ForgetPictures",
    "ForgetVisitor",
    "KeepDecisionSample",
    "KeepLearnt",
    "KeepLive",
    "KeepPicture",
    "KeepSamples",
    "KeepSessions",
    "Outcome",
    "PictureWrite",
    "PurgeAged",
    "PurgeReceipts",
    "Receipt",
    "RecordAd",
    "RecordArrival",
    "RecordDecision",
    "RecordGhost",
    "RefundCharge",
    "RemoveProductsNotIn",
    "Result",
    "RetryPictures",
    "RollFunnel",
    "RollReport",
    "SaveAudienceSizes",
    "SaveEntity",
    "SaveProducts",
    "Scope",
    "SealDay",
    "SeeSession",
    "SeenAtSlot",
    "SessionWrite",
    "SetPicture",
    "SettleConversion",
    "SettleNotice",
    "SignHeads",
    "StoreEvent",
    "TakeLease",
    "TellAdvertiser",
    "TellPreference",
    "Together",
    "UseLearnt",
    "WatchLive",
    "WithReceipt",
    "Withdraw",
    "Write",
]
