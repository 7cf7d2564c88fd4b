"""What each stored column means, in words for the person it is about."""

AN_AD = "the ad: which campaign, with which look"
A_PLACE = "the place on a publisher's page where the ad was shown"

TABLES = {
    "events": "What you did on shops that use this server",
    "profiles": "What is remembered of those visits, to choose ads",
    "decisions": "Ads that were chosen for you",
    "ad_events": "Ads you saw or clicked",
    "conversions": "Orders, forms and sign-ups, to tell whether an ad led to them",
    "offer_codes": "Discount codes that you got by clicking an ad",
    "consents": "What you agreed to in each shop, as digests: kept as proof, also when all else is erased",
}

COLUMNS = {
    "events": {
        "event_key": "a number of ours for this event",
        "advertiser_key": "the shop",
        "at_ms": "when",
        "dedupe_key": "a digest that keeps the same event from being counted twice",
        "due_ms": "when this is deleted",
        "body": "the event: its name, the products with price and quantity, the value and currency of an"
        " order, the page without its query, a keyed digest of the order's id, the names of a form's fields"
        " (never what was typed), and how long a page took to come after an ad's click",
        "proof": "what your consent was, as under `consents`, until that is written there",
    },
    "profiles": {
        "seen_ms": "when this was last changed",
        "due_ms": "when the oldest of this is deleted",
        "body": "shops with the products you looked at, put in the cart or bought (with digests of its"
        " kind), forms you began, when you last did each kind of thing there, and what you asked us not to"
        " show; and the ads you saw, whose and with which look, and when you last clicked one, to limit how"
        " often they come",
    },
    "decisions": {
        "impression_id": "a number of ours for this ad",
        "at_ms": "when it was chosen",
        "slot_key": A_PLACE,
        "campaign_key": AN_AD,
        "creative_key": AN_AD,
        "product_keys": "the products in it, as digests",
        "image_key": "a digest that ties an ad sent as a picture to its link",
        "token": "the signed proof in that link",
    },
    "ad_events": {
        "charge_id": "a number of ours for this ad, and whether it was seen or clicked",
        "campaign_key": AN_AD,
        "campaign_version": "the version of the campaign's terms",
        "slot_key": A_PLACE,
        "creative_key": AN_AD,
        "product_key": "the product, as a digest",
        "at_ms": "when",
        "not_billed": "why the shop pays nothing for it, if so",
        "landed_ms": "when the shop's page was there after your click",
        "engaged": "whether you were still there ten seconds later",
    },
    "conversions": {
        "conversion_key": "a digest of the order's or form's id",
        "by_server": "whether the shop's server reported it, and not your browser",
        "advertiser_key": "the shop",
        "event": "what it was",
        "trusted": "whether the shop lets us bill by what browsers report",
        "click_id": "the click that led to the shop, if the page said so",
        "value_micros": "its value, in millionths of the currency",
        "currency": "the currency",
        "arrived_at_ms": "when we heard of it",
        "occurred_at_ms": "when it happened",
        "has_reference": "whether the shop gave it an id",
        "product_keys": "digests of what was ordered, until it was decided whether an ad led to it",
        "state": "whether it was credited to an ad",
        "reason": "why not, if it was not",
        "campaign_key": "the campaign it was credited to",
        "touch_impression_id": "the ad it was credited to",
        "record": "what the shop would pay for that ad, until it has checked the order",
        "day": "the shop's day it was billed on",
        "amount_micros": "what the shop pays for it, in millionths of its currency",
    },
    "offer_codes": {
        "code_key": "a digest of the code",
        "advertiser_key": "the shop",
        "pool_key": "a number of ours for the shop's codes of this kind",
        "upload_key": "a number of ours for when the shop gave us the code",
        "code": "the code",
        "percent": "what it takes off the price, in hundredths",
        "amount_micros": "or as an amount, in millionths of the shop's currency",
        "click_impression_id": "a number of ours for the ad that you clicked",
        "click_id": "the click that it was given to",
        "handed_ms": "when you got it",
        "expires_ms": "until when it is good",
        "redeemed_ms": "when it was used",
        "order_key": "a digest of the order's id",
        "by_server": "whether the shop's server told of that order, and not your browser",
    },
    "consents": {
        "advertiser_key": "the shop",
        "kind": "whether a TCF string said so, or the shop's page",
        "proof": "a digest of what was said",
        "cmp": "the consent tool: its number on the IAB's list, or its name",
        "given_ms": "when you agreed, as the tool says",
        "site": "the page's host that told us; empty where the shop's server did",
        "first_seen_ms": "since when something is remembered on this ground",
        "ended_ms": "when that ended",
        "ended_by": "how it ended: withdrawn, opted out, forgotten, or expired with what was remembered",
    },
}
