"""A user agent becomes the family of its browser, which decides how long an id lives there, and a device."""

from pixel.events import Device, Family

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


_TELEVISIONS = (
    "SMART-TV", "SmartTV", "Smart TV", "Web0S", "WebOS", "GoogleTV", "Google TV", "AppleTV", "Apple TV",
    "HbbTV", "BRAVIA", "Roku", "CrKey", "Android TV", "; AFT", "PlayStation", "Xbox", "Nintendo",
    "NetCast", "VIDAA",
)  # fmt: skip
_TABLETS = ("iPad", "Tablet", "Silk/", "KFTR", "Kindle", "PlayBook", "SM-T", "SM-X")
_TELEPHONES = ("iPhone", "iPod", "Mobile", "Mobi/", "Opera Mini", "J2ME", "IEMobile", "BlackBerry")
_DESKTOPS = ("Macintosh", "CrOS", "X11", "Linux x86_64")


def device(user_agent: str) -> Device | None:
    """The kind of machine; None for what does not say it.

    An iPad whose reader asks for whole pages says that it is a Macintosh, and is taken at its word.
    """
    said = user_agent[:_LONGEST_READ]
    if any(mark in said for mark in _TELEVISIONS):
        return Device.TV
    if "Windows NT" in said:  # some name a tablet there, and mean an input device
        return Device.DESKTOP
    if any(mark in said for mark in _TABLETS):
        return Device.TABLET
    if any(mark in said for mark in _TELEPHONES):
        return Device.MOBILE
    if "Android" in said:  # telephones say `Mobile` there, and tablets do not
        return Device.TABLET
    return Device.DESKTOP if any(mark in said for mark in _DESKTOPS) else None
