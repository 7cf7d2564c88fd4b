"""Each refusal has one HTTP answer (RFC 9457): a status, a stable code, and what to do next."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from adserver.flows.manage import Refused, Why
from creatives.formats import FORMATS

MEDIA_TYPE = "application/problem+json"
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

# Refusals whose figure is told even where it is nothing.
_WITH_FIGURE = {"below_spent", "over_refunded"}
_SIZES = ", ".join(format_.name for format_ in FORMATS.values() if format_.width)
_FIELD_PART = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Kind(msgspec.Struct, frozen=True):
    """What is said of a refusal: `title` names it, `detail` says what to do next."""

    status: int
    title: str
    detail: str


PROBLEMS = {
    "invalid_request": Kind(422, "The request is not well formed", "Correct the fields named in `errors`."),
    "unauthenticated": Kind(
        401, "Who is asking?", "Send `Authorization: Bearer rt_live_...` with a key that was not revoked."
    ),
    "forbidden": Kind(403, "Not with this key", "Ask the operator, who alone may do this."),
    "narrow_key": Kind(
        403, "This key may do less", "Its `access` is `read` or `events`: use a key whose access is `full`."
    ),
    "key_over": Kind(409, "The key is over", "It was revoked or has expired; make another."),
    "already_past": Kind(422, "That time is past", "Give an `expires_at` that is still to come, or null."),
    "events_of_whom": Kind(
        422, "Whose events?", "A key for `events` is an advertiser's: name it in `owner_id`."
    ),
    "not_found": Kind(404, "There is no such thing", "Check the address and the ids; you see your own only."),
    "method_not_allowed": Kind(405, "Not this method", "See the methods in the `Allow` header."),
    "conflict": Kind(409, "Someone else was changing it", "Read it again, then repeat your change."),
    "bad_csv": Kind(
        422,
        "The file cannot be read",
        "Begin with `conversion_id,decision,reason` or `order_id,event,decision,reason`, in UTF-8.",
    ),
    "too_many_rows": Kind(413, "The file is too long", "Send at most 10,000 rows at once."),
    "import_under_way": Kind(409, "An import of it is under way", "Try again once it has come to its end."),
    "not_pending": Kind(409, "It is settled already", "List what is pending; a settled one stays as it is."),
    "below_spent": Kind(409, "More is spent already", "Leave at least `figure_micros`: spent and pending."),
    "over_refunded": Kind(
        409, "More than was billed", "Refund at most `figure_micros`: what is left of the charge."
    ),
    "not_charged": Kind(404, "Nothing was billed", "Name a charge, or an order or lead that was billed."),
    "refund_differs": Kind(
        409,
        "The refund was made otherwise",
        "Its `refund_id` stands for `figure_micros` and a reason; take a new id for another refund.",
    ),
    "refund_too_late": Kind(
        409, "It is too long ago", "Ask the operator, who refunds after the advertiser's `refund_days`."
    ),
    "other_currency": Kind(
        409, "Returned in another currency", "Give `returned_micros` in the order's own currency."
    ),
    "deposit_exists": Kind(
        409, "The deposit is noted otherwise", "Its `reference` stands for `figure_micros`; take a new one."
    ),
    "body_too_large": Kind(
        413, "The body is too large", "Send fewer things at once; a large feed gzipped, or from its `url`."
    ),
    "idempotency_key_required": Kind(
        400,
        "An Idempotency-Key is needed",
        "Send a header `Idempotency-Key`, new for each conversion, refund or deposit.",
    ),
    "idempotency_key_reused": Kind(
        422, "The Idempotency-Key was used before", "It stands for another request; take a new one."
    ),
    "internal_error": Kind(500, "A fault of ours", "Repeat later; tell the operator if it stays."),
    "unrecorded": Kind(503, "Nothing can be made durable now", "Repeat in a few seconds."),
    "unknown_owner": Kind(422, "There is no such account", "Name an advertiser or publisher that exists."),
    "unknown_currency": Kind(422, "There is no such currency", "Use an ISO 4217 code such as EUR."),
    "unknown_country": Kind(422, "There is no such country", "Use an ISO 3166 code such as FR."),
    "unknown_timezone": Kind(422, "There is no such time zone", "Use an IANA name such as Europe/Paris."),
    "bad_period": Kind(
        422, "There is no such period", "Let `from` be no later than `to`, and 400 days at most."
    ),
    "bad_span": Kind(422, "It ends before it begins", "Let `until` be after `since`."),
    "already_held": Kind(
        409, "It is held already", "End the other hold first: nothing may be withheld twice."
    ),
    "hold_ended": Kind(409, "The hold has ended", "Place another; an ended one stays as it is."),
    "too_many_charges": Kind(
        409, "Too many charges at once", "Refund less at once: hold a shorter time, 20,000 charges at most."
    ),
    "report_bad_period": Kind(
        422, "There is no such period", "Let `from` be no later than `to`, and ten years at most."
    ),
    "report_not_kept_so_long": Kind(
        422,
        "This is not kept for so long",
        "Begin no more than `what` days ago, or ask by campaign and slot, whose days are kept for good.",
    ),
    "report_unanswerable": Kind(
        422, "That would mean nothing", "Leave out the metric or the dimension that `what` names."
    ),
    "report_not_yours": Kind(
        403, "This is told to others", "Leave out what `what` names: it is another account's business."
    ),
    "report_unknown_filter": Kind(
        422,
        "There is no such thing to look at",
        "Correct the filter that `what` names.",
    ),
    "report_too_many_rows": Kind(
        422, "The report is too long", "Ask for fewer days or groups: 50,000 rows at most."
    ),
    "report_experiment_needed": Kind(
        422, "Arms of which experiment?", "Name it: `experiment=exp_...`, with `group_by=arm` alone."
    ),
    "bad_hours": Kind(422, "There are no such hours", "Let `from` be before `to`, and 31 days at most."),
    "no_samples": Kind(
        409, "Nothing was sampled then", "Name another `day`: samples of decisions are kept for 35 days."
    ),
    "no_exchange_rate": Kind(
        409, "The currency has no rate", "Have the operator set one in ADSERVER_RANKING_RATES."
    ),
    "bad_month": Kind(422, "There is no such month", "Write it like 2026-11, from the year 2000 on."),
    "unknown_format": Kind(
        422, "No creative fits this size", f"Use {_SIZES}, or null for both: the responsive one."
    ),
    "bad_domain": Kind(422, "That is no domain", "Write it like shop.example, without scheme or path."),
    "bad_link": Kind(422, "That link can be misread", "Use a plain http or https address without user name."),
    "wrong_domain": Kind(
        422,
        "The link leads elsewhere",
        "Link to the advertiser's `domains`, or have the operator add one.",
    ),
    "webhook_not_https": Kind(422, "Not in the open", "Give `webhook_url` as an https address."),
    "no_webhook": Kind(409, "There is no webhook", "Set the advertiser's `webhook_url` first."),
    "currency_fixed": Kind(
        409, "The currency is fixed", "There are campaigns in it; open another account for another currency."
    ),
    "currency_mismatch": Kind(422, "Another currency", "Leave `currency` out, or give the advertiser's."),
    "timezone_fixed": Kind(
        409, "The time zone is fixed", "Money was spent in its days; open another account for another zone."
    ),
    "floor_without_currency": Kind(422, "A floor of what money?", "Give `currency` with `floor_cpm_micros`."),
    "schedule_without_url": Kind(422, "Nothing to fetch", "Give `url` with `schedule`, or leave both out."),
    "feed_refused": Kind(
        422,
        "The feed was not imported",
        "`fatal` says why; what was live is live still. Where `waits`, approve or reject it.",
    ),
    "not_waiting": Kind(
        409,
        "It does not wait for a yes",
        "Read the import: it was settled, has expired, or a newer one has taken its place.",
    ),
    "bad_sale_price": Kind(422, "No sale", "A sale price is lower than the price it replaces."),
    "longer_than_kept": Kind(
        422, "The event is not kept for so long", "Give at most `kept_days` as that event's `retention_days`."
    ),
    "nothing_to_import": Kind(422, "Nothing to import", "Send the file as the body, or set `url`."),
    "message_incomplete": Kind(422, "The message is incomplete", "A message has `message` and `link`."),
    "message_unused": Kind(422, "Cards have no message", "Leave `message` and `link` out, or use `message`."),
    "nothing_to_show": Kind(
        409, "The catalogue is empty", "Import a feed or put a product first: cards show products."
    ),
    "unknown_item": Kind(
        422, "Not in the catalogue", "Name `item_ids` of the creative's own advertiser, as its feed does."
    ),
    "not_drawn": Kind(
        503, "The picture could not be drawn", "Ask again; where it stays so, the server's log says why."
    ),
    "offer_unused": Kind(422, "A message has no offer", "Leave `offer` out, or use a template of products."),
    "situations_unused": Kind(
        422, "Cards are for every situation", "Leave `situations` out; `copies` give cards their words."
    ),
    "copy_twice": Kind(
        422, "Words given twice", "Give one entry of `copies` for each `situation` and `language`."
    ),
    "content_changed": Kind(
        409, "It is not what you looked at", "Read the creative again; its `content_hash` is another now."
    ),
    "picture_refused": Kind(
        422, "The picture cannot be shown", "`reason` says why; send a PNG, JPEG, GIF or WebP."
    ),
    "unknown_pool": Kind(
        422, "There is no such pool", "Name an offer pool of the campaign's own advertiser; make it first."
    ),
    "unknown_picture": Kind(
        422, "There is no such picture", "Send it to `/advertisers/{id}/media` first; it answers the address."
    ),
    "codes_are_made": Kind(
        409, "This pool makes its own codes", "Upload codes to a pool of the kind `uploaded`."
    ),
    "unknown_campaign": Kind(
        422, "There is no such campaign", "Name campaigns of the list's own advertiser, or none for all."
    ),
    "too_many_lists": Kind(
        409, "Too many suppression lists", "Put more visitors on one of the 50 that you have."
    ),
    "nobody_named": Kind(
        422,
        "The file names nobody we know",
        "Nothing was changed. Send ids as `/m/id` told them to this shop's pages, one a line.",
    ),
    "bad_codes": Kind(
        422, "The codes cannot be read", 'Send JSON like {"codes": ["A1B2"]}, or CSV in UTF-8, a code a line.'
    ),
    "too_many_codes": Kind(413, "Too many codes at once", "Send at most 100,000, then the next ones."),
    "campaign_ended": Kind(409, "The campaign has ended", "Order a new one; this one stays as it was."),
    "cpm_not_exact": Kind(
        422, "One impression would cost a fraction of a micro", "Give `rate_micros` in multiples of 1,000."
    ),
    "rate_missing": Kind(422, "The rate is missing", "Give `rate_micros`, or for CPA `basket_bps`."),
    "house_is_free": Kind(
        422,
        "A house campaign costs nothing",
        "With `tier` house let `rate_micros` be 0 and give no basket share and no budgets.",
    ),
    "tier_is_operators": Kind(
        403,
        "The operator says who goes first",
        "Leave `tier` as it is, or ask the operator to change it.",
    ),
    "basket_only_cpa": Kind(422, "Only CPA has a basket", "Leave `basket_bps` out, or use `cpa`."),
    "basket_without_limit": Kind(
        422, "A share without a limit", "Give `max_charge_micros` with `basket_bps`."
    ),
    "ends_before_start": Kind(422, "It would end before it starts", "Give `ends_at` after `starts_at`."),
    "not_back_to_draft": Kind(409, "It is no draft any more", "Pause it instead."),
    "audience_twice": Kind(422, "An audience named twice", "Name each audience once, with one rate."),
    "basket_has_no_rate": Kind(
        422, "A share of the basket has no rate", "Leave out the audiences' `rate_micros`, or `basket_bps`."
    ),
    "unknown_audience": Kind(
        422, "There is no such audience", "Name audiences of the campaign's own advertiser."
    ),
    "unknown_creative": Kind(
        422, "There is no such creative", "Name creatives of this campaign; make them first."
    ),
    "unknown_product_set": Kind(
        422, "There is no such product set", "Name a product set of the campaign's own advertiser."
    ),
    "arms_too_few": Kind(422, "Nothing to compare", "Give two arms at least; the first is compared with."),
    "arm_twice": Kind(422, "Two arms of one name", "Give each arm a `name` of its own."),
    "shares_exceed_all": Kind(
        422, "More than all visitors", "Let the arms' `share_bps` add up to 10,000 at most."
    ),
    "arm_says_nothing": Kind(
        422,
        "An arm says nothing of the subject",
        "Give each arm `creative_ids`; where the subject is `audiences`, `audience_ids`; and not both.",
    ),
    "arms_alike": Kind(422, "Two arms are the same", "Let the arms name different creatives or audiences."),
    "unknown_in_arm": Kind(
        422, "An arm names something else's", "Name creatives of the campaign, or audiences that it names."
    ),
    "offers_alike": Kind(
        422,
        "The offers do not differ",
        "Let each arm's creatives have another `offer`, or compare `creatives`.",
    ),
    "experiment_ends_first": Kind(
        422, "It would end before it starts", "Give `ends_at` after the experiment's `starts_at`."
    ),
    "experiment_overlaps": Kind(
        409,
        "Another experiment is about this campaign then",
        "End that one first, or start this one after its `ends_at`.",
    ),
    "audience_says_nothing": Kind(
        422, "The audience says nothing", "Give `inclusions`, `rules` or a `preset`: what makes a member."
    ),
    "audience_said_twice": Kind(
        422, "The audience is said twice", "Give `inclusions` and `exclusions`, or `rules`; not both forms."
    ),
    "empty_group": Kind(422, "A group says nothing", "Put a rule into each `all` and `any`."),
    "exclusion_without_inclusion": Kind(
        422,
        "An exclusion from nobody",
        "Say beside it who belongs: add an inclusion, such as `any_event`, to the same `all`.",
    ),
    "exclusion_in_any": Kind(
        422,
        "An exclusion among alternatives",
        "Move the `exclude` into an `all`: in an `any` it would let in everybody else.",
    ),
    "exclusion_in_exclusion": Kind(
        422, "An exclusion of an exclusion", "Say who belongs instead, without the inner `exclude`."
    ),
    "two_exclusions": Kind(
        422, "Two exclusions in one group", 'Put them into one: `{"exclude": {"any": [...]}}`.'
    ),
    "too_deep": Kind(422, "Groups within too many groups", "Use three levels of `all` and `any` at most."),
    "too_many_rules": Kind(
        422,
        "Too many rules",
        "Give at most 20; many products are one rule with `items`, or a product set.",
    ),
    "limits_reversed": Kind(422, "The least is above the most", "Let `at_least` be no more than `at_most`."),
    "filter_says_nothing": Kind(
        422, "`items` says nothing", "Name ids, a product set, categories or brands, or leave `items` out."
    ),
    "items_not_kept": Kind(
        422,
        "No items are kept of this event",
        "Ask for items and prices of `view_item`, `select_item`, `add_to_wishlist`, `add_to_cart`,"
        " `view_cart`, `begin_checkout` or `purchase`.",
    ),
    "value_not_kept": Kind(
        422, "This event has no value", "Ask for a `value` of a shop's event, such as `purchase`."
    ),
    "audience_never_served": Kind(
        422,
        "It would never be served",
        "Ads stop before they begin: give a longer `stop_days`, or null for as long as one belongs.",
    ),
    "set_says_nothing": Kind(
        422,
        "The set says nothing",
        "Give `inclusions` or `exclusions`; for all products leave `product_set_id` out.",
    ),
    "rule_says_nothing": Kind(422, "A rule says nothing", "Say something in each rule, or leave it out."),
    "prices_reversed": Kind(
        422, "No price lies between", "Let `price_min_micros` be no more than `price_max_micros`."
    ),
    "bad_signature": Kind(
        401, "Not signed by the shop", "Set the secret that the shop signs with, and sign the very bytes."
    ),
    "hook_too_old": Kind(
        422, "A webhook of another day", "Do not send it again; send what the order is now, within a day."
    ),
    "hook_malformed": Kind(422, "The webhook cannot be read", "`reason` says what of it; see docs/shops.md."),
    "too_old": Kind(
        422, "A postback of another time", "Sign it anew: `ts` is at most five minutes from now."
    ),
    "replayed": Kind(
        409, "The postback was heard before", "Take a new `nonce` for each; an order counts once."
    ),
    "unknown_visitor": Kind(
        422, "Nobody we know", "Stop sending this `visitor`: it was forgotten, or is not this advertiser's."
    ),
    "secret_needed": Kind(422, "The shop has its own secret", "Copy `secret` from the shop's admin."),
    "occurred_at_out_of_range": Kind(
        422, "Too long ago, or not yet", "Give `occurred_at` within the last 7 days, or leave it out."
    ),
}


class Problem(Exception):
    """Stops a request with one of PROBLEMS."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


def refuse(refused: Refused) -> Problem:
    """The flow's no as an answer; a figure is money that the caller may see."""
    code = str(refused.reason)
    if refused.reason is Why.LONGER_THAN_KEPT:
        return Problem(code, kept_days=refused.figure)
    if refused.figure or code in _WITH_FIGURE:
        return Problem(code, figure_micros=refused.figure)
    return Problem(code)


def problem_response(code: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    kind = PROBLEMS[code]
    body = {
        "type": f"/api/v1/docs#{code}",
        "title": kind.title,
        "status": kind.status,
        "code": code,
        "detail": kind.detail,
        **more,
    }
    return Response(
        msgspec.json.encode(body), kind.status, {**HEADERS, **(headers or {})}, media_type=MEDIA_TYPE
    )


_CODE_OF_STATUS = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}


async def answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error.code, **error.more)


async def answer_http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: no such route, no such method, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    headers = {"Allow": error.headers["Allow"]} if error.headers and "Allow" in error.headers else None
    return problem_response(_CODE_OF_STATUS.get(error.status_code, "invalid_request"), headers)


async def answer_invalid(request: Request, error: Exception) -> Response:
    """Name the fields and what is wrong with each, never what stood in them."""
    assert isinstance(error, RequestValidationError)
    return problem_response("invalid_request", errors=[_flaw(one) for one in error.errors()[:50]])


async def answer_fault(request: Request, error: Exception) -> Response:
    """The server's log has the trace; the caller gets none of it."""
    return problem_response("internal_error")


def _flaw(error: Any) -> dict[str, str]:
    return {"field": _path(error["loc"]), "code": str(error["type"]), "message": str(error["msg"])}


def _path(parts: Sequence[str | int]) -> str:
    """Where the field is; a made-up field name could hold anything, so odd ones are not repeated."""
    return ".".join(str(part) if _FIELD_PART.fullmatch(str(part)) else "?" for part in parts)
