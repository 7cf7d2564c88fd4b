"""HTTP as it arrives: an address that is far too long is cut, so that whoever answers it still can."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Ours judge anything over 8 KB as too long; from 64 KB on, the parser would refuse the whole request.
MOST_ADDRESS_BYTES = 32_768


class CuttingProtocol(HttpToolsProtocol):
    """Uvicorn's own protocol, which keeps no more of an address than anyone will read."""

    def on_url(self, url: bytes) -> None:
        super().on_url(url[: MOST_ADDRESS_BYTES - len(self.url)])
