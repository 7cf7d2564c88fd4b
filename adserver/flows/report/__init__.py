"""Reports: a job sums up what happened, each thing once, and questions are answered from sums and news."""

from adserver.flows.report.ask import Reports
from adserver.flows.report.roll_up import RollUpReports
from adserver.flows.report.scope import side_of

__all__ = ["Reports", "RollUpReports", "side_of"]
