"""Storage on one machine: a SQLite file, a folder of pictures, and the writer or the way to it."""

import sqlite3
from pathlib import Path

from adserver.domain.retention import Retention
from adserver.storage.arrivals import SqliteArrivals
from adserver.storage.audience_sizes import SqliteAudienceSizes
from adserver.storage.audit_log import SqliteAuditLog
from adserver.storage.batch import DEFAULT_RETENTION
from adserver.storage.catalogue import SqliteCatalogue
from adserver.storage.changes import SqliteChanges
from adserver.storage.consents import SqliteConsents
from adserver.storage.conversions import SqliteConversions
from adserver.storage.decision_samples import SqliteDecisionSamples
from adserver.storage.entities import (
    SqliteAccounts,
    SqliteAudiences,
    SqliteCampaigns,
    SqliteFeeds,
    SqliteInventory,
    SqliteKeys,
    SqliteProductSets,
    SqliteSavedReports,
)
from adserver.storage.experiments import SqliteExperiments
from adserver.storage.frames import FrameFolder
from adserver.storage.funnels import SqliteFunnels
from adserver.storage.holds import SqliteHolds
from adserver.storage.import_files import ImportFolder
from adserver.storage.imports import SqliteImports
from adserver.storage.ledger import SqliteLedger
from adserver.storage.live import SqliteLiveViews
from adserver.storage.media import MediaFolder
from adserver.storage.networks import SqliteNetworks
from adserver.storage.newest import NewestChange
from adserver.storage.notices import SqliteNotices
from adserver.storage.offers import SqliteOffers
from adserver.storage.origins import SqliteOrigins
from adserver.storage.payments import SqlitePayments
from adserver.storage.payouts import SqlitePayouts
from adserver.storage.pictures import SqlitePictureBook
from adserver.storage.pixel import SqlitePixel
from adserver.storage.proofs import SqliteProofs
from adserver.storage.recommendations import SqliteRecommendations, SqliteVisits
from adserver.storage.report_sources import SqliteReportSources
from adserver.storage.report_sums import SqliteReportSums
from adserver.storage.seals import SqliteSeals
from adserver.storage.secrets import consents_key, load_keys
from adserver.storage.settlement import SqlitePending
from adserver.storage.socket import RemoteWriter, WriterSocket
from adserver.storage.sqlite import Reader
from adserver.storage.statements import SqliteStatements
from adserver.storage.stats import SqliteStats
from adserver.storage.suppressions import SqliteSuppressions
from adserver.storage.takings import SqliteTakings
from adserver.storage.users import SqliteSessions, SqliteUsers
from adserver.storage.visitors import SqliteProfiles
from adserver.storage.vitals import FileVitals
from adserver.storage.writer import FileOwned, LocalWriter


class Storage:
    """Every port over one file. Closing it sends what waits to disk."""

    def __init__(self, path: Path, media: Path, writer: LocalWriter | RemoteWriter) -> None:
        self.path = path
        self.writer = writer
        self.reader = Reader(path)
        self.accounts = SqliteAccounts(self.reader)
        self.campaigns = SqliteCampaigns(self.reader)
        self.audiences = SqliteAudiences(self.reader)
        self.experiments = SqliteExperiments(self.reader)
        self.saved_reports = SqliteSavedReports(self.reader)
        self.inventory = SqliteInventory(self.reader)
        self.keys = SqliteKeys(self.reader)
        self.users = SqliteUsers(self.reader)
        self.sessions = SqliteSessions(self.reader)
        self.networks = SqliteNetworks(self.reader)
        self.catalogue = SqliteCatalogue(self.reader)
        self.product_sets = SqliteProductSets(self.reader)
        self.suppressions = SqliteSuppressions(self.reader)
        self.feeds = SqliteFeeds(self.reader)
        self.imports = SqliteImports(self.reader)
        self.import_files = ImportFolder(path.parent / "imports")
        self.profiles = SqliteProfiles(self.reader)
        self.consents = SqliteConsents(self.reader, consents_key(load_keys(path.parent)))
        self._read_what_happened(path)
        self.changes = SqliteChanges(self.reader)
        self.media = MediaFolder(media)
        self.frames = FrameFolder(path.parent / "frames")
        self.picture_book = SqlitePictureBook(self.reader)
        self._socket: WriterSocket | None = None
        if isinstance(writer, LocalWriter):
            self._socket = WriterSocket(writer, socket_path(path))

    def _read_what_happened(self, path: Path) -> None:
        """The books, what is counted, and what was learnt of it."""
        self.ledger = SqliteLedger(self.reader)
        self.conversions = SqliteConversions(self.reader)
        self.offers = SqliteOffers(self.reader)
        self.payments = SqlitePayments(self.reader)
        self.pending = SqlitePending(self.reader)
        self.notices = SqliteNotices(self.reader)
        self.proofs = SqliteProofs(self.reader)
        self.seals = SqliteSeals(self.reader)
        self.statements = SqliteStatements(self.reader)
        self.payouts = SqlitePayouts(self.reader)
        self.holds = SqliteHolds(self.reader)
        self.takings = SqliteTakings(self.reader)
        self.origins = SqliteOrigins(self.reader)
        self.audit_log = SqliteAuditLog(self.reader)
        self.stats = SqliteStats(self.reader)
        self.vitals = FileVitals(path, self.reader)
        self.arrivals = SqliteArrivals(self.reader)
        self.pixel = SqlitePixel(self.reader)
        self.live_views = SqliteLiveViews(self.reader)
        self.audience_sizes = SqliteAudienceSizes(self.reader)
        self.funnels = SqliteFunnels(self.reader)
        self.report_sources = SqliteReportSources(self.reader)
        self.report_sums = SqliteReportSums(self.reader)
        self.visits = SqliteVisits(self.reader)
        self.recommendations = SqliteRecommendations(self.reader)
        self.decision_samples = SqliteDecisionSamples(self.reader)

    def answers(self) -> bool:
        """Whether the database can be read at all."""
        try:
            return self.reader.row("SELECT 1") is not None
        except sqlite3.Error:
            return False

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self.writer.close()
        self.reader.close()


def socket_path(path: Path) -> Path:
    return path.with_suffix(".sock")


def open_storage(path: Path) -> Storage:
    """Open the file as its writer, or through the writer's socket where another process is that already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    media = path.parent / "media"
    try:
        return own_storage(path)
    except FileOwned:
        return Storage(path, media, RemoteWriter(socket_path(path)))


def own_storage(
    path: Path, retention: Retention = DEFAULT_RETENTION, newest: NewestChange | None = None
) -> Storage:
    """Open the file as its one writer, tables up to date; FileOwned where another process writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return Storage(path, path.parent / "media", LocalWriter(path, retention, newest))


def join_storage(path: Path, newest: NewestChange | None = None) -> Storage:
    """Open the file as a worker beside a writer process; `newest` is that one's, where they were forked."""
    return Storage(path, path.parent / "media", RemoteWriter(socket_path(path), newest))
