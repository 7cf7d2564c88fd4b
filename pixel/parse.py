"""A query string, a beacon's body or server-to-server records become events, each bad one a Rejection."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from pixel.aliases import EVENT_NAMES, in_our_shape, item_in_our_shape
from pixel.amounts import MICROS_PER_UNIT, currency_from, micros_from
from pixel.consent import NOTHING_SAID, Said
from pixel.events import MAX_ITEMS, Event, EventName, Flaw, Item, Rejection
from pixel.grammar import (
    click_id_from,
    consent_tool_from,
    coupons_from,
    field_name_from,
    holds_email,
    holds_email_anywhere,
    item_id_from,
    may_hold_email,
    merchant_from,
    page_from,
    record_id_from,
)

MAX_QUERY_BYTES = 8 * 1024
MAX_BODY_BYTES = 64 * 1024
MAX_EVENTS = 20
MAX_QUANTITY = 1_000_000
MAX_FIELDS = 30
MAX_LANDING_MS = 600_000
UNHEARD = "unheard"  # as `consent`: neither a yes nor a no has been heard yet

Record = Mapping[str, object]


class Hit(msgspec.Struct, frozen=True):
    """What one request of a merchant's page said: its events, what was wrong with the others, its signals.

    What it said about privacy is judged by `pixel.consent`. A bare Rejection instead of a Hit means that
    nothing of the request could be read. `posted`: the page's script sent it, since no picture posts.
    """

    merchant: str
    events: tuple[Event, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    said: Said = NOTHING_SAID
    debug: bool = False
    posted: bool = False


def from_query(query: bytes) -> Hit | Rejection:
    """The one event of `GET /m/e?m=&e=&id=&...`."""
    if len(query) > MAX_QUERY_BYTES:
        return Rejection.QUERY_TOO_LONG
    fields, lists, said = _split(query)
    merchant = merchant_from(fields.get("m"))
    if merchant is None:
        return Rejection.UNKNOWN_MERCHANT
    if not holds_email(said):
        return _hit(merchant, [_event(_record(fields, lists))], fields, fields)
    if holds_email_anywhere([fields.get(name) for name in _SIGNAL_NAMES]):
        return Rejection.PERSONAL_DATA  # a Hit would carry it along
    return _hit(merchant, [Rejection.PERSONAL_DATA], fields, fields)


def from_body(body: bytes) -> Hit | Rejection:
    """The events of `POST /m/e`; the content type does not matter."""
    if len(body) > MAX_BODY_BYTES:
        return Rejection.BODY_TOO_LARGE
    envelope = decode_json(body)
    if not isinstance(envelope, dict):
        return Rejection.MALFORMED
    records = envelope.pop("events", None)
    if not isinstance(records, list):
        return Rejection.MALFORMED
    if len(records) > MAX_EVENTS:
        return Rejection.TOO_MANY_EVENTS
    merchant = merchant_from(envelope.get("m"))
    if merchant is None:
        return Rejection.UNKNOWN_MERCHANT
    suspect = may_hold_email(body)
    if suspect and holds_email_anywhere(envelope):
        return Rejection.PERSONAL_DATA
    outcomes = events_from_records(records) if suspect else [_event(record) for record in records]
    consent = envelope.get("consent")
    signals = {**envelope, **consent} if isinstance(consent, dict) else envelope
    return msgspec.structs.replace(_hit(merchant, outcomes, envelope, signals), posted=True)


def events_from_records(records: Sequence[object]) -> list[Event | Rejection]:
    """One outcome per decoded JSON record, in order; a record uses the field names of `POST /m/e`.

    Decode with `decode_json`: a float has lost the text of its price, and costs the event its amounts.
    """
    return [Rejection.PERSONAL_DATA if holds_email_anywhere(record) else _event(record) for record in records]


_DECODER = msgspec.json.Decoder(float_hook=str)  # a number keeps its own text: money is never a binary float


def decode_json(body: bytes) -> object:
    """The document with decimals left as text, or MALFORMED."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Rejection.MALFORMED


_SIGNAL_NAMES = frozenset(
    (
        "gdpr gdpr_consent gpp gpp_sid us_privacy coppa gpc granted consent"
        " ad_storage ad_user_data ad_personalization"
    ).split()
)
_LISTED = {"id": 0, "q": 1, "p": 2}
_NAMED = frozenset(
    (
        "m e value currency coupon transaction_id lead_id event_id url rtclid debug form_id fields landing_ms"
        " gdpr gdpr_consent gpp gpp_sid us_privacy coppa gpc consent consent_cmp consent_time"
        " ad_storage ad_user_data ad_personalization"
    ).split()
)


_Lists = tuple[list[str], list[str], list[str]]


def _split(query: bytes) -> tuple[dict[str, str], _Lists, str]:
    """Named fields (the first of each counts), the lists id, q and p, and every text that was said.

    Nothing where no text can hold an e-mail address: most queries have no signs that could.
    """
    if query.isascii() and b"%" not in query and b"+" not in query and b"@" not in query:
        return (*_split_plain(query.decode("ascii")), "")
    return _split_encoded(query.decode("utf-8", "replace"))


def _split_plain(query: str) -> tuple[dict[str, str], _Lists]:
    """The same of a query in which every sign stands for itself."""
    fields: dict[str, str] = {}
    lists: _Lists = ([], [], [])
    for pair in query.split("&"):
        key, _, text = pair.partition("=")
        if key in _LISTED:
            lists[_LISTED[key]].append(text)
        elif key in _NAMED and key not in fields:
            fields[key] = text
    return fields, lists


def _split_encoded(query: str) -> tuple[dict[str, str], _Lists, str]:
    fields: dict[str, str] = {}
    lists: _Lists = ([], [], [])
    said = []
    for pair in query.split("&"):
        key, _, text = pair.partition("=")
        named = key in _NAMED
        if not named and key not in _LISTED:
            text = pair  # an unknown name may say as much as its value
        if "%" in text or "+" in text:
            text = unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")
        said.append(text)
        if named:
            fields.setdefault(key, text)
        elif key in _LISTED:
            lists[_LISTED[key]].append(text)
    return fields, lists, "\n".join(said)


def _record(fields: dict[str, str], lists: _Lists) -> dict[str, object]:
    """The query in the shape of a JSON event, so that one road leads to an Event."""
    record: dict[str, object] = dict(fields)
    record["name"] = fields.get("e") or "page_view"
    ids, quantities, prices = lists
    if ids:
        record["items"] = [
            {
                "item_id": item_id,
                "quantity": quantities[place] if place < len(quantities) else None,
                "price": prices[place] if place < len(prices) else None,
            }
            for place, item_id in enumerate(ids)
        ]
    return record


def _event(record: object) -> Event | Rejection:
    """One event; what does not pass its grammar is left out and named in `flaws`."""
    if not isinstance(record, dict):
        return Rejection.MALFORMED
    record = in_our_shape(record)
    get = record.get
    given_name = get("name")
    name = EVENT_NAMES.get(given_name) if isinstance(given_name, str) else None
    if name is None:
        return Rejection.UNKNOWN_EVENT
    flaws: list[Flaw] = []
    currency = _kept(_CURRENCY, get("currency"), flaws)
    items = _items(get("items"), currency, flaws)
    if isinstance(items, Rejection):
        if items is not Rejection.BAD_ITEM_ID or name is not EventName.PURCHASE:
            return items
        items = ()  # an order is kept whatever its items are: somebody has to be paid
    return Event(
        name=name,
        event_id=_kept(_EVENT_ID, get("event_id"), flaws),
        items=items,
        value_micros=_amount(get("value"), currency, Flaw.BAD_VALUE, flaws),
        currency=currency,
        order_id=_kept(_ORDER_ID, get("transaction_id"), flaws),
        lead_id=_kept(_LEAD_ID, get("lead_id"), flaws),
        click_id=_kept(_CLICK_ID, get("rtclid"), flaws),
        url=_kept(_URL, get("url"), flaws),
        form_id=_kept(_FORM_ID, get("form_id"), flaws),
        fields=_fields(get("fields"), flaws),
        landing_ms=_landing_ms(get("landing_ms"), flaws),
        coupons=coupons_from(get("coupon")) if name is _PURCHASE else (),
        flaws=tuple(dict.fromkeys(flaws)) if flaws else (),  # last: the fields above add to it
    )


_PURCHASE = EventName.PURCHASE  # looked up once, since that takes long
# What a text has to pass, and how it is called where it does not.
_Grammar = tuple[Callable[[object], str | None], Flaw]
_EVENT_ID: _Grammar = (record_id_from, Flaw.BAD_EVENT_ID)
_ORDER_ID: _Grammar = (record_id_from, Flaw.BAD_TRANSACTION_ID)
_LEAD_ID: _Grammar = (record_id_from, Flaw.BAD_LEAD_ID)
_CLICK_ID: _Grammar = (click_id_from, Flaw.BAD_CLICK_ID)
_CURRENCY: _Grammar = (currency_from, Flaw.BAD_CURRENCY)
_URL: _Grammar = (page_from, Flaw.BAD_URL)
_FORM_ID: _Grammar = (field_name_from, Flaw.BAD_FORM_ID)


def _kept(grammar: _Grammar, given: object, flaws: list[Flaw]) -> str | None:
    if given is None or given == "":
        return None
    passes, flaw = grammar
    kept = passes(given)
    if kept is None:
        flaws.append(flaw)
    return kept


def _fields(given: object, flaws: list[Flaw]) -> tuple[str, ...]:
    """Names of a form's fields, in their order: a list, or parted by commas in a query."""
    if not given:
        return ()
    listed = given if isinstance(given, list) else str(given).split(",")
    names = [name for name in map(field_name_from, listed) if name is not None]
    if len(names) < len(listed):
        flaws.append(Flaw.BAD_FIELD_NAME)
    return tuple(dict.fromkeys(names))[:MAX_FIELDS]


def _landing_ms(given: object, flaws: list[Flaw]) -> int | None:
    if given is None or given == "":
        return None
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= MAX_LANDING_MS):
        flaws.append(Flaw.BAD_LANDING_MS)
        return None
    return int(text)


def _amount(given: object, currency: str | None, flaw: Flaw, flaws: list[Flaw]) -> int | None:
    if given is None or given == "":
        return None
    micros = micros_from(given)
    if micros is None:
        flaws.append(flaw)
    elif currency is None:
        if Flaw.BAD_CURRENCY not in flaws:
            flaws.append(Flaw.MISSING_CURRENCY)
        return None
    return micros


def _items(given: object, currency: str | None, flaws: list[Flaw]) -> tuple[Item, ...] | Rejection:
    if given is None:
        return ()
    if not isinstance(given, list):
        return Rejection.MALFORMED
    if len(given) > MAX_ITEMS:
        return Rejection.TOO_MANY_ITEMS
    items = []
    for part in given:
        item = _item(part, currency, flaws)
        if item is None:
            flaws.append(Flaw.BAD_ITEM_ID)
        else:
            items.append(item)
    if given and not items:
        return Rejection.BAD_ITEM_ID
    return tuple(items)


def _item(part: object, currency: str | None, flaws: list[Flaw]) -> Item | None:
    if not isinstance(part, dict):
        return None
    part = item_in_our_shape(part)
    item_id = item_id_from(part.get("item_id"))
    if item_id is None:
        return None
    return Item(
        item_id,
        _quantity(part.get("quantity"), flaws),
        _amount(part.get("price"), currency, Flaw.BAD_PRICE, flaws),
    )


def _quantity(given: object, flaws: list[Flaw]) -> int:
    """Whole pieces; anything else counts as one piece, since GA4's default is one."""
    if given is None or given in ("", "1"):  # nearly always
        return 1
    if type(given) is int and 0 < given <= MAX_QUANTITY:
        return given
    micros = micros_from(given)
    if micros and micros % MICROS_PER_UNIT == 0 and micros <= MAX_QUANTITY * MICROS_PER_UNIT:
        return micros // MICROS_PER_UNIT
    flaws.append(Flaw.BAD_QUANTITY)
    return 1


def _hit(merchant: str, outcomes: Sequence[Event | Rejection], envelope: Record, signals: Record) -> Hit:
    events = tuple([outcome for outcome in outcomes if isinstance(outcome, Event)])
    rejections = tuple([outcome for outcome in outcomes if isinstance(outcome, Rejection)])
    debug = "debug" in envelope and _flag(envelope["debug"]) is True
    return Hit(merchant, events, rejections, said_in(signals), debug)


def said_in(signals: Record) -> Said:
    """What a page says about privacy, by the names of `GET /m/e` and `GET /slot/{slot_id}`."""
    if _SIGNAL_NAMES.isdisjoint(signals):
        return NOTHING_SAID
    get = signals.get
    asserted = get("granted", get("consent"))
    said: dict[str, Any] = {}
    for name in _SAID.keys() & signals.keys():
        field, read = _SAID[name]
        said[field] = read(get(name))
    return Said(
        **said,
        asserted=_flag(asserted),
        asserted_by=consent_tool_from(get("cmp", get("consent_cmp"))),
        asserted_at_seconds=_unix_seconds(get("time", get("consent_time"))),
        unheard=asserted == UNHEARD,
    )


def _verbatim(given: object) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, bool):
        return "1" if given else "0"
    if isinstance(given, list):
        return ",".join(str(part) for part in given if type(part) is int)
    return str(given) if type(given) is int else None


_FLAGS = {"1": True, "true": True, "granted": True, "0": False, "false": False, "denied": False}


def _flag(given: object) -> bool | None:
    """A statement of yes or no; anything else, an unexpanded macro too, says neither."""
    if given is None or isinstance(given, bool):
        return given
    return _FLAGS.get(str(given)) if isinstance(given, (str, int)) else None


def _unix_seconds(given: object) -> int | None:
    text = str(given) if isinstance(given, (str, int)) else ""
    return int(text) if len(text) == 10 and text.isascii() and text.isdigit() else None


_SAID: dict[str, tuple[str, Callable[[object], object]]] = {
    "gdpr": ("gdpr", _verbatim),
    "gdpr_consent": ("gdpr_consent", _verbatim),
    "gpp": ("gpp", _verbatim),
    "gpp_sid": ("gpp_sid", _verbatim),
    "us_privacy": ("us_privacy", _verbatim),
    "coppa": ("coppa", _verbatim),
    "ad_storage": ("ad_storage", _flag),
    "ad_user_data": ("ad_user_data", _flag),
    "ad_personalization": ("ad_personalization", _flag),
    "gpc": ("global_privacy_control", lambda given: _flag(given) is True),
}  # fmt: skip
