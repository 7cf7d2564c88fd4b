"""What the operator's pages call things: jobs, findings, actions, and what waits for somebody."""

from collections.abc import Callable

import msgspec

from adserver.domain.audit_log import Action
from adserver.domain.finding import Finding
from adserver.domain.network_totals import Attention
from adserver.web.console.page import translations
from adserver.web.schemas.network_totals import PREFIXES

Words = Callable[[str], str]


class Waiting(msgspec.Struct, frozen=True):
    """Something that somebody should look at; `name` is the figure's in the API."""

    name: str
    count: int
    label: str
    address: str


def period_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {"today": words("Today"), "yesterday": words("Yesterday"), "seven_days": words("Last seven days")}


def attention(found: Attention, language: str) -> list[Waiting]:
    """Only what there is any of."""
    words = translations(language).gettext
    root = "/console/network"
    listed = [
        ("creatives_waiting", words("Creatives to approve"), f"{root}/approvals"),
        ("feeds_failing", words("Feeds that fail"), f"{root}/health"),
        ("pixels_silent", words("Shops with live campaigns, silent for a day"), f"{root}/accounts"),
        ("campaigns_out_of_budget", words("Campaigns out of budget"), f"{root}/accounts"),
        (
            "campaigns_of_empty_accounts",
            words("Campaigns that stand still: their deposit is used up"),
            f"{root}/accounts",
        ),
        ("jobs_failing", words("Jobs that fail or are late"), f"{root}/jobs"),
        ("holds_open", words("Open holds of earnings"), f"{root}/traffic"),
    ]
    waiting = [Waiting(name, getattr(found, name), label, at) for name, label, at in listed]
    return [one for one in waiting if one.count]


def action_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        Action.CREATED: words("made"),
        Action.CHANGED: words("changed"),
        Action.LOGGED_IN: words("logged in"),
        Action.DEPOSITED: words("noted a payment"),
        Action.REFUNDED: words("gave back"),
    }


def kind_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    names = {
        "Advertiser": words("Advertiser"),
        "Publisher": words("Publisher"),
        "Site": words("Site"),
        "Slot": words("Slot"),
        "Campaign": words("Campaign"),
        "Creative": words("Creative"),
        "Audience": words("Audience"),
        "ProductSet": words("Product set"),
        "OfferPool": words("Offer"),
        "Experiment": words("Experiment"),
        "SuppressionList": words("Suppression list"),
        "Feed": words("Feed"),
        "ApiKey": words("API key"),
        "Charge": words("Charge"),
        "PayoutHold": words("Hold of earnings"),
        "SavedReport": words("Saved report"),
        "Network": words("Network"),
        "ShopHook": words("Shop's webhook"),
        "User": words("User"),
        "Invitation": words("Invitation"),
    }
    return {kind: names.get(kind, kind) for kind in PREFIXES}


def job_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        "credit conversions": words("Credit orders and leads to ads"),
        "approve conversions": words("Approve orders whose time has come"),
        "queue feeds": words("See which feeds are due"),
        "import feeds": words("Fetch feeds"),
        "import feeds 2": words("Fetch more feeds at the same time"),
        "import uploads": words("Import uploaded feeds"),
        "tend imports": words("Look after imports"),
        "seal days": words("Seal and sign the ledger's days"),
        "deliver notices": words("Deliver webhooks"),
        "purge receipts": words("Forget old receipts"),
        "purge what is old": words("Delete what has been kept long enough"),
        "hold consent": words("Watch pages that never say no"),
        "learn recommendations": words("Learn what goes with what"),
        "fetch pictures": words("Fetch products' pictures"),
        "count audiences": words("Count audiences"),
        "roll up the funnel": words("Add up the funnel"),
        "roll up reports": words("Add up reports"),
    }


def finding_words(finding: Finding, language: str) -> tuple[str, str]:
    """What is found and what to do about it; in the doctor's own words where there are no others."""
    words = translations(language).gettext
    if finding.code.startswith("feed_"):
        return words("A shop's feed fails"), words("Open the shop's feeds: they say what to do.")
    found = _of_machine(words) | _of_address(words) | _of_data(words)
    return found.get(finding.code, (finding.code, finding.message))


def _of_machine(words: Words) -> dict[str, tuple[str, str]]:
    """What the server stands on."""
    return {
        "folder_not_writable": (
            words("The data folder cannot be written to"),
            words("Give it to the user that the server runs as."),
        ),
        "little_space": (words("The disk fills up"), words("Make room: a full disk takes no event.")),
        "no_database": (
            words("There is no database yet"),
            words("Run adserver migrate, or start the server."),
        ),
        "database_unreadable": (
            words("The database cannot be read"),
            words("Stop the server and restore a backup of it."),
        ),
        "not_migrated": (
            words("The tables are of another version than this program"),
            words("Stop the server and run adserver migrate."),
        ),
        "large_log": (
            words("The database's log has grown large"),
            words("Something reads the file for a long time, such as a backup that hangs: end it."),
        ),
        "keys_not_private": (
            words("Others on this machine can read keys.json"),
            words("They could forge cookies and clicks: run chmod 600 on it."),
        ),
        "keys_old": (
            words("The server's keys are more than a year old"),
            words("Add new ones to keys.json and name them in current; the old ones stay valid."),
        ),
        "few_open_files": (
            words("Few connections may be open at once"),
            words("Raise the limit of open files, by ulimit -Hn or LimitNOFILE."),
        ),
    }


def _of_address(words: Words) -> dict[str, tuple[str, str]]:
    """Whether it works, and is reached."""
    return {
        "not_serving": (
            words("No server runs over this data folder"),
            words("Start it with adserver serve."),
        ),
        "no_jobs": (
            words("No jobs run: orders are not credited, and feeds not fetched"),
            words("Run adserver work."),
        ),
        "local_base_url": (
            words("The server's address is this machine's own"),
            words("Set ADSERVER_BASE_URL to where browsers reach it."),
        ),
        "not_https": (
            words("The server's address is not https"),
            words("Put a proxy that speaks TLS in front: without it browsers send no cookie to other sites."),
        ),
        "blocked_host_name": (
            words("Filter lists block hosts with such a name"),
            words("Choose another, such as cards."),
        ),
        "not_reached": (
            words("The server's own address does not answer from here"),
            words("See where its name leads, and whether the proxy runs."),
        ),
        "other_server": (
            words("Something else answers at the server's address"),
            words("See where its name and the proxy lead."),
        ),
        "clock_skew": (
            words("Clocks differ"),
            words("Have NTP set the clocks of this machine and of the proxy."),
        ),
    }


def _of_data(words: Words) -> dict[str, tuple[str, str]]:
    """What it is told by others."""
    return {
        "geoip_unreadable": (
            words("The database of addresses cannot be read"),
            words("Put another file where ADSERVER_GEOIP_PATH says."),
        ),
        "region_strict": (
            words("Nobody knows where visitors are: silence about consent is a no everywhere"),
            words("Set ADSERVER_GEOIP_PATH to keep more where the law allows it."),
        ),
        "region_open": (
            words("Nobody knows where visitors are: silence about consent is a yes everywhere"),
            words("Set ADSERVER_GEOIP_PATH, or ADSERVER_DEFAULT_REGION to strict."),
        ),
        "no_vendor_id": (
            words("No consent string of the IAB can speak of us"),
            words("Set ADSERVER_TCF_VENDOR_ID, if you have a number; pages can assert consent by the tag."),
        ),
        "font_unreadable": (
            words("A font cannot be read"),
            words("Take it out of the folder that ADSERVER_FONTS names."),
        ),
        "scripts_without_font": (
            words("Image creatives leave out letters of some scripts"),
            words("Install fonts-noto-core, or name a folder of fonts in ADSERVER_FONTS."),
        ),
    }


def reason_names(language: str) -> dict[str, str]:
    """Why traffic is suspect, as docs/traffic.md has it."""
    words = translations(language).gettext
    return {
        "too_soon": words("clicked too soon after the ad"),
        "other_visitor": words("the ad of another browser"),
        "visitor_clicks": words("too many clicks of one visitor"),
        "visitor_rate": words("too much of one visitor in a minute"),
        "network_rate": words("too much of one network in a minute"),
        "strangers": words("too many unknown visitors of one network"),
        "nameless_clicks": words("too many clicks of one network on ads that name nobody"),
        "nameless_views": words("too many views of one network on ads that name nobody"),
    }


def recognition_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        "cookie": words("known by our cookie"),
        "first_party": words("known by the shop's own path"),
        "click": words("known by the click on an ad"),
        "new": words("new: a cookie was set"),
        "site": words("only counted by this one site"),
        "none": words("not known at all"),
        "forged": words("what came was no cookie of ours"),
        "refused": words("refused, or silent where that is a no"),
        "opted_out": words("opted out"),
        "(other)": words("others, too few to be named"),
    }


def family_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        "chrome": "Chrome",
        "edge": "Edge",
        "opera": "Opera",
        "samsung_internet": "Samsung Internet",
        "firefox": "Firefox",
        "safari": words("Safari, and all on iPhone"),
        "in_app": words("pages inside apps"),
        "other": words("other browsers"),
        "(other)": words("others, too few to be named"),
    }
