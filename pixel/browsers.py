"""A user agent becomes the family of its browser, which decides how long an id lives there."""

from pixel.events import Family

_LONGEST_READ = 512  # real user agents are shorter; whoever sends more does not choose how long we look

_APPS = (
    "; wv)", "[FB", "Instagram ", "Barcelona ", "musical_ly", "trill_", "BytedanceWebview", "Snapchat/",
    "Pinterest/", "LinkedInApp", "MicroMessenger/", " Line/", "Twitter for ", "GSA/",
)  # fmt: skip
_IOS = ("iPhone", "iPad", "iPod")

# The first mark that is found decides: nearly all call themselves Chrome and Safari as well.
_MARKS = (
    ("Edg/", Family.EDGE),
    ("EdgA/", Family.EDGE),
    ("Edge/", Family.EDGE),
    ("OPR/", Family.OPERA),
    ("Opera", Family.OPERA),
    ("SamsungBrowser/", Family.SAMSUNG_INTERNET),
    *(
        (mark, Family.OTHER)  # Chromium within, cookie rules of their own
        for mark in (
            "YaBrowser/", "Vivaldi/", "Whale/", "Silk/", "UCBrowser/", "MiuiBrowser/", "HuaweiBrowser/",
            "DuckDuckGo/", "Avast/", "Web0S", "SMART-TV", "PlayStation",
        )
    ),
    ("Firefox/", Family.FIREFOX),
    ("Chrome/", Family.CHROME),
    ("Macintosh", Family.SAFARI),  # WebKit there is Safari's, whoever wraps it
)  # fmt: skip


def family(user_agent: str) -> Family:
    """The browser's family; OTHER for what is none of the known ones."""
    return _family(user_agent[:_LONGEST_READ])


def _family(user_agent: str) -> Family:
    if any(mark in user_agent for mark in _APPS):
        return Family.IN_APP
    if any(mark in user_agent for mark in _IOS):
        return Family.SAFARI if "Safari/" in user_agent else Family.IN_APP
    return next((family for mark, family in _MARKS if mark in user_agent), Family.OTHER)
