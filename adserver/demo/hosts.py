"""One host or three: where the shop, the service, the paper and the ad server are."""

import msgspec

LOCAL = ("127.0.0.1", "localhost")
ROOMS = ("shop", "service", "news", "cards")


class Hosts(msgspec.Struct, frozen=True):
    """The beginnings of addresses: empty on one host, where every address is the page's own."""

    shop: str = ""
    service: str = ""
    news: str = ""
    cards: str = ""
    port: str = ""
    three: bool = False

    def of(self, room: str) -> str:
        return str(getattr(self, room))


def hosts_for(host_header: str) -> Hosts | None:
    """Where everything is, seen from a request's Host; None for a host that is not this machine's."""
    name, _, port = host_header.lower().partition(":")
    if name in LOCAL:
        return Hosts(port=port)
    if not name.endswith(".localhost"):
        return None
    at = f":{port}" if port else ""
    shop, service, news, cards = (f"http://{room}.localhost{at}" for room in ROOMS)
    return Hosts(shop, service, news, cards, port, three=True)


def room_of(path: str) -> str:
    """Whose page a path of the demo is."""
    room = path.removeprefix("/demo/").partition("/")[0]
    return room if room in ROOMS else "cards"
