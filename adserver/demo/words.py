"""What the story says in plain words: events, refusals, rejections, charges."""

from adserver.domain.eligibility import Refusal
from adserver.domain.pricing import PricingModel
from adserver.domain.visitor import Level
from pixel.events import EventName, Rejection

EVENTS = {
    EventName.PAGE_VIEW: "looked at a page",
    EventName.VIEW_ITEM_LIST: "looked at a list of products",
    EventName.SELECT_ITEM: "picked a product",
    EventName.VIEW_ITEM: "viewed",
    EventName.ADD_TO_WISHLIST: "wished for",
    EventName.ADD_TO_CART: "put in the basket",
    EventName.REMOVE_FROM_CART: "took out of the basket",
    EventName.VIEW_CART: "looked at the basket with",
    EventName.BEGIN_CHECKOUT: "went to the checkout with",
    EventName.PURCHASE: "bought",
    EventName.GENERATE_LEAD: "asked for a quote",
    EventName.FORM_START: "began to fill in the quote form",
    EventName.FORM_SUBMIT: "sent the quote form",
    EventName.FORM_ABANDON: "left the quote form half-filled",
    EventName.LANDED: "came by an ad",
    EventName.ENGAGED: "stayed, or looked around",
}

REFUSALS = {
    Refusal.NOT_IN_AUDIENCE: "you were never at its pages, or are in none of its audiences",
    Refusal.NOT_ACTIVE: "it is not active",
    Refusal.PAUSED: "it is paused",
    Refusal.NOT_STARTED: "it begins later",
    Refusal.OVER: "its last day has passed",
    Refusal.NO_CREATIVE: "it has no creative yet",
    Refusal.CREATIVE_PENDING: "nobody has approved its creatives yet",
    Refusal.CREATIVE_REJECTED: "the operator has refused its creatives",
    Refusal.ADVERTISER_BLOCKED: "this page's publisher wants none of its ads",
    Refusal.ADVERTISER_NOT_APPROVED: "this page's publisher has not said yes to its shop",
    Refusal.CATEGORY_BLOCKED: "this page's publisher wants no ads for such things",
    Refusal.COMPETITOR_ON_PAGE: "a competitor of its shop is on this page already",
    Refusal.COUNTRY_NOT_TARGETED: "it is for other countries than this one",
    Refusal.COUNTRY_UNKNOWN: "it is for some countries, and nobody knows which this is",
    Refusal.SUBDIVISION_NOT_TARGETED: "it is for other regions than this one",
    Refusal.SUBDIVISION_UNKNOWN: "it is for some regions, and nobody knows which this is",
    Refusal.DEVICE_NOT_TARGETED: "it is for other kinds of devices",
    Refusal.DEVICE_UNKNOWN: "it is for some kinds of devices, and your browser does not say what it runs on",
    Refusal.LANGUAGE_NOT_TARGETED: "it is for readers of other languages",
    Refusal.LANGUAGE_UNKNOWN: "it is for readers of some languages, and your browser names none",
    Refusal.SITE_NOT_TARGETED: "it is for other sites than this one",
    Refusal.PUBLISHER_NOT_TARGETED: "it is for other publishers' sites",
    Refusal.CATEGORY_NOT_TARGETED: "it is for pages about other things",
    Refusal.CATEGORY_UNKNOWN: "it is for pages about some things, and this one says nothing of itself",
    Refusal.KEYWORD_NOT_TARGETED: "it is for pages with other keywords",
    Refusal.KEYWORD_UNKNOWN: "it is for pages with some keywords, and this one states none",
    Refusal.HOUR_NOT_TARGETED: "it is for other hours of the week",
    Refusal.SHOWN_BESIDE: "it is on this page already, and others were to be shown first",
    Refusal.BUDGET_EXHAUSTED: "its budget is spent",
    Refusal.PACED: "it has spent today's share up to this hour",
    Refusal.FREQUENCY_CAP: "you have seen it often enough",
    Refusal.FREQUENCY_UNKNOWN: "it is shown so often and no more, and nothing may be kept to count by",
    Refusal.NO_PRODUCT: "there is no product left to show you: none viewed, or all bought or sold out",
    Refusal.NO_OPEN_FORM: "you have no half-filled form here",
    Refusal.NOT_IN_SITUATION: "its words are for others than you",
    Refusal.NO_MESSAGE: "it has product cards only, which a page alone does not choose",
    Refusal.NO_PICTURE_MEASURE: "a picture cannot tell whether it was seen",
    Refusal.BELOW_FLOOR: "it pays less than this place costs",
    Refusal.NO_EXCHANGE_RATE: "its currency has no exchange rate here",
    Refusal.LOWER_TIER: "it goes behind campaigns of a higher tier",
    Refusal.OUTRANKED: "just as good, but it was not its turn",
}
OUTBID = "another campaign expects to earn more"

REJECTIONS = {
    Rejection.UNKNOWN_MERCHANT: "no advertiser has this public id",
    Rejection.FOREIGN_ORIGIN: "the page is not on the advertiser's domains",
    Rejection.OPTED_OUT: "you have opted out",
    Rejection.PRIVACY_SIGNAL: "your browser says “do not sell or share” (Global Privacy Control)",
    Rejection.NO_CONSENT: "there is no consent",
    Rejection.PREFETCH: "the browser was only prefetching",
    Rejection.ROBOT: "it came from a robot",
    Rejection.PERSONAL_DATA: "it held something like an e-mail address",
}

CHARGES = {
    "taken": "charged",
    "repeated": "known already: counted and charged once only",
    "cap_reached": "refused: the budget would be exceeded",
    "not_billable": "recorded, costs nothing",
    "invalid": "refused: the token is not ours",
    "expired": "too late: recorded by nobody",
    "pending": "reserved until the merchant confirms",
    "unattributed": "credited to no ad",
    "duplicate": "known already: credited once only",
    "new": "about to be credited",
}
REASONS = {
    "no_touch": "no ad of this advertiser that counts was clicked before",
    "not_cpa": "the last click was on an ad that pays in another way",
    "repeated_lead": "one lead of a visitor is paid in thirty days",
}

MODELS = {
    PricingModel.CPM: "per thousand ads shown",
    PricingModel.VCPM: "per thousand ads seen",
    PricingModel.CPC: "per click",
    PricingModel.CPA: "per sale",
}
LEVELS = {1: "viewed", 2: "wished for", 3: "in the basket"}


def money(micros: int, currency: str = "EUR") -> str:
    """An amount for people, with as many decimals as it needs."""
    amount = (
        f"{micros / 1_000_000:,.2f}" if micros % 10_000 == 0 else f"{micros / 1_000_000:,.6f}".rstrip("0")
    )
    return f"€{amount}" if currency == "EUR" else f"{amount} {currency}"


BECAUSE = {
    Level.VIEWED: "you looked at it in the shop",
    Level.WISHED: "you wished for it in the shop",
    Level.IN_CART: "it is in your basket",
}
FORM_LEFT = "you began its form and did not send it"
NOT_KNOWN = {
    False: "You have no profile yet, so there is nothing to choose by.",
    True: "You have opted out: nothing is remembered, and nothing chosen for you.",
}
