"""`adserver demo`: a data folder is filled, one process serves it, and a text says where to click."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from adserver.config import Settings
from adserver.demo.front import stand_in_front
from adserver.demo.seed import World, world_in
from adserver.demo.server import DemoServer
from adserver.domain.user import Grant, Role
from adserver.flows.users import Invited
from adserver.main.beside import sole_storage, users_beside
from adserver.processes import listen, run_worker
from pixel.consent import Region

HOST = "127.0.0.1"


def run_demo(port: int, data: Path | None, as_json: bool) -> None:
    """Serve the demo until a signal stops it; without a folder of yours, its data goes when it ends."""
    try:
        listener = listen(HOST, port)
    except OSError as error:
        typer.echo(
            f"Port {port} cannot be used ({error.strerror}). Try --port 0, which takes a free one.", err=True
        )
        raise typer.Exit(1) from None
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # so that the folder goes, however early
    port = listener.getsockname()[1]
    with _folder(data) as folder:
        server = DemoServer(_settings(folder, port), sole_storage(folder / "adserver.db"))
        world = world_in(server)
        server.refresh.poll()
        server.application = stand_in_front(server, world)
        said = _said(server, world, folder if data else None, as_json)
        thread = threading.Thread(target=server.runner.run, name="jobs", daemon=True)
        thread.start()
        try:
            run_worker(server, listener, lambda: _announce(said))
        finally:
            server.runner.stop()
            thread.join()
            server.close()


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data
        return
    with TemporaryDirectory(prefix="adserver-demo-") as name:
        yield Path(name)


def _settings(folder: Path, port: int) -> Settings:
    """No holdout, no waiting, no robots: whoever looks at a demo wants to see each thing happen."""
    return Settings(
        data_dir=folder,
        database_url="",
        base_url=f"http://{HOST}:{port}",
        loopback_region=Region.OPEN,
        debug_headers=True,
        robots_refused=False,
        click_delay_ms=0,
        annoyance_budget=0,  # whoever looks around in the demo is one visitor, and wants to see ads
        advertiser_cap=0,
        fatigue_views=0,
        log_level="warning",
    )


def _said(server: DemoServer, world: World, kept: Path | None, as_json: bool) -> str:
    """What is printed once it is ready; made before, since nothing can be written from its event loop."""
    base_url = server.settings.base_url
    if as_json:
        return json.dumps(world.shown(base_url)) + "\n"
    return _where_to_click(base_url, world, kept, _invitation(server))


def _announce(said: str) -> None:
    sys.stdout.write(said)
    sys.stdout.flush()


def _invitation(server: DemoServer) -> str:
    """The way into the console; in a folder that was kept it leads to the same user again."""
    users = users_beside(server.storage, server.clock)
    invited = users.invite(None, "operator@demo.example", (Grant(Role.OPERATOR),))
    assert isinstance(invited, Invited), invited
    return f"{server.settings.base_url}/console/welcome/{invited.text}"


def _where_to_click(base_url: str, world: World, kept: Path | None, link: str) -> str:
    port = base_url.rsplit(":", 1)[1]
    folder = f"kept in {kept}" if kept else "thrown away when you press Ctrl-C; keep it with --data FOLDER"
    return f"""
  The demo is ready. Begin here:

    {base_url}/demo/story        the story: what is heard, remembered, decided and charged

  or in the console, where you run the network:

    {link}

  and walk through it in other tabs:

    {base_url}/demo/shop         a shop: view a product, put it in the basket
    {base_url}/demo/service      a service: begin the quote form and leave it half filled
    {base_url}/demo/news         a news page with slots of three sizes: there are your ads
    {base_url}/test-visitor      exclude your own browser: it sees everything and bills nothing

  The same with three hosts, as in real life (where third-party cookies are allowed: not in Safari):

    http://shop.localhost:{port}/demo/shop
    http://news.localhost:{port}/demo/news
    http://cards.localhost:{port}/demo/story

  The API: {base_url}/api/v1/docs

    operator     {world.keys["operator"]}
    shop         {world.keys["shop"]}
    publisher    {world.keys["publisher"]}

  Is this a remote machine? On yours: ssh -L {port}:127.0.0.1:{port} you@this-machine

  Data: {folder}.

"""
