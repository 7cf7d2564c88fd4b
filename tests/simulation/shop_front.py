"""A shop's own web server, nginx or Caddy, configured by the very text of docs/tag.md, and the host it leads to."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import NamedTuple, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.shared_data import PROJECT
from tests.simulation.running_server import free_port, wait_until

KINDS = ("nginx", "caddy")
SHOP_HOST = "shop.localhost"
STOP_SECONDS = 10.0
DOCUMENTED_HOST = "cards.example.com"
DOCUMENTED_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"


class Heard(NamedTuple):
    """One request as it arrived; names of headers in small letters."""

    method: str
    path: str
    headers: dict[str, str]


class CardsHost:
    """What stands at the ad server's name: it speaks TLS, keeps what it hears, and passes it on unchanged.

    `seen_as` is the address that the ad server sees it, and so the shop's server, come from.
    """

    def __init__(self, folder: Path, port: int, seen_as: str = "127.0.0.1") -> None:
        self.port = port
        self.seen_as = seen_as
        self.heard: list[Heard] = []
        self.answers = Event()
        self.answers.set()
        self.certificate = folder / "certificate.pem"
        self.certificate.write_bytes(make_certificate("localhost"))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cards": self}))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate)
        self._server.socket = tls.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.name = f"localhost:{self._server.server_port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    cards: CardsHost

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.cards.heard.append(Heard(self.command, self.path, headers))
        self.cards.answers.wait()
        server = HTTPConnection("127.0.0.1", self.cards.port, source_address=(self.cards.seen_as, 0))
        server.request(self.command, self.path, body, headers)
        answer = server.getresponse()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.read())
        server.close()

    def do_GET(self) -> None:
        self.pass_on()

    def do_HEAD(self) -> None:
        self.pass_on()

    def do_POST(self) -> None:
        self.pass_on()

    def do_OPTIONS(self) -> None:
        self.pass_on()

    def log_message(self, *arguments: object) -> None:
        pass


class ShopFront:
    """nginx or Caddy as a process of ours on a free port, before a folder of pages; ended with the context."""

    def __init__(self, kind: str, folder: Path, cards: str, authorities: Path) -> None:
        program = shutil.which(kind, path=_PATH)
        if program is None:
            pytest.skip(f"missing: {kind}; tests/ensure_tools.sh installs it")
        self.kind = kind
        self.pages = folder / "pages"
        self.pages.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://{SHOP_HOST}:{self.port}"
        self._folder = folder
        self._text = (
            documented(kind).replace(DOCUMENTED_HOST, cards).replace(DOCUMENTED_AUTHORITIES, str(authorities))
        )
        own = {"PATH": _PATH, "HOME": str(folder), "SSL_CERT_FILE": str(authorities)}
        arguments = self._nginx() if kind == "nginx" else self._caddy()
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([program, *arguments], env=own, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        wait_until(self._listens, f"{self.kind} listens")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _nginx(self) -> list[str]:
        """One process; the shop has a rule of its own for scripts, as many have, which must not take ours."""
        folder = self._folder
        maps, location = re.split(r"(?=^location)", self._text, flags=re.M)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; events {{}}\n"
            f"http {{ access_log off; {temporary} types {{ text/html html; }}\n{maps}\n"
            f"server {{ listen 127.0.0.1:{self.port}; root {self.pages};\n"
            f"location ~ \\.js$ {{ return 404; }}\n{location} }} }}\n"
        )
        return ["-e", "stderr", "-c", str(folder / "nginx.conf")]

    def _caddy(self) -> list[str]:
        config = self._folder / "Caddyfile"
        config.write_text(
            "{\nadmin off\nauto_https off\n}\n"
            f"http://{SHOP_HOST}:{self.port} {{\nbind 127.0.0.1\nroot * {self.pages}\n"
            f"{self._text}\nhandle {{\nfile_server\n}}\n}}\n"
        )
        return ["run", "--config", str(config), "--adapter", "caddyfile"]


def documented(kind: str) -> str:
    """The configuration of docs/tag.md as it stands there."""
    language = {"nginx": "nginx", "caddy": "caddyfile"}[kind]
    (text,) = re.findall(rf"```{language}\n(.*?)```", (PROJECT / "docs" / "tag.md").read_text(), re.S)
    assert DOCUMENTED_HOST in text
    return str(text)


def make_certificate(name: str) -> bytes:
    """A host's certificate, its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    return certificate.public_bytes(encoding) + key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
