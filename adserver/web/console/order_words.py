"""What became of orders and leads, and of a file's rows, in words."""

from collections.abc import Callable

from adserver.web.console.page import translations


class OrderWords:
    """In the reader's language, by the API's names; a reason that the advertiser gave stays as it is."""

    def __init__(self, language: str) -> None:
        words = translations(language).gettext
        self.events = {
            "purchase": words("Order"),
            "generate_lead": words("Lead"),
            "sign_up": words("Sign-up"),
            "form_submit": words("Form"),
        }
        self.states = {
            "pending": words("Waiting for your word"),
            "taken": words("Billed"),
            "declined": words("Declined"),
            "cap_reached": words("Not billed: the budget was used up"),
            "not_billable": words("Costs nothing"),
            "unattributed": words("None of your ads led to it"),
            "duplicate": words("Told before"),
            "new": words("Just arrived"),
        }
        self.tellers = {
            "server": words("told by your server"),
            "page": words("told by your page, which is believed"),
            "browser": words("told by a browser, unconfirmed"),
        }
        self.reasons = _reasons(words)
        self.rows = {
            "taken": words("Approved"),
            "declined": words("Declined"),
            "undecided": words("No decision: it waits still"),
            "not_pending": words("Settled before: it stays as it was"),
            "not_found": words("Not known here"),
            "bad_row": words("Cannot be read"),
            "unrecorded": words("Could not be kept: send the file again"),
        }


def _reasons(words: Callable[[str], str]) -> dict[str, str]:
    """Why an order costs nothing or was approved, where it was we who said so."""
    return {
        "approved": "",
        "nobody objected in time": words("Nobody objected in time"),
        "no_touch": words("No ad was clicked in time before it"),
        "other_product": words("The ad showed another product than was bought"),
        "repeated_lead": words("The same visitor's lead counted already"),
        "not_cpa": words("The campaign pays for something else"),
        "no_value": words("Its value is not known"),
        "currency_mismatch": words("Its value is in another currency"),
        "too_many_orders": words("Too many unconfirmed orders after one ad"),
        "cancelled": words("Taken back before it was billed"),
    }
