"""The faults a user can mend: they become a message and exit code 1, never a traceback. And what may be said of any other."""

from __future__ import annotations


def said(error: BaseException) -> str:
    """What may be told of a fault, on a screen or in a notice: words written for users, else its kind and place."""
    from pipelines.night import fault

    # What broke could carry a row's values in its message; its kind and place cannot.
    return str(error) if isinstance(error, expected()) else f"an unexpected fault, {fault(error)}"


def expected() -> tuple[type[Exception], ...]:
    """Exceptions whose messages are written for users and hold no person's value."""
    from connectors.conform import ConformError
    from connectors.contract import ContractError
    from connectors.transports import SourceUnreachable
    from console.accounts import AccountError
    from expectations.workbook import WorkbookError
    from linkage.evaluate import TruthError
    from linkage.model import SparkError
    from linkage.models import ModelError
    from linkage.train import TrainingError
    from pipelines.backup import BackupError
    from pipelines.night import NightFailed, NightLocked
    from pipelines.rebuild import RebuildError
    from warehouse.break_glass import BreakGlassError
    from warehouse.decisions import DecisionError
    from warehouse.engine import WarehouseError
    from warehouse.erasures import ErasureError
    from warehouse.keys import KeyFileError
    from warehouse.land import UnbalancedBooksError
    from warehouse.landing import LandingError
    from warehouse.publish import PublishError
    from warehouse.quality_acts import QualityActError
    from warehouse.quarantine import QuarantineError
    from warehouse.query import QueryError
    from warehouse.retention import RetentionError
    from warehouse.signal_verdicts import SignalVerdictError
    from warehouse.store import StoreError

    return (
        ConformError, ContractError, SourceUnreachable, ModelError, TrainingError, NightFailed, NightLocked, DecisionError, WarehouseError,
        SparkError, KeyFileError, BreakGlassError,
        UnbalancedBooksError, LandingError, PublishError, QuarantineError, QueryError, RebuildError, StoreError, QualityActError,
        SignalVerdictError,
        WorkbookError, TruthError, BackupError, AccountError, ErasureError, RetentionError,
    )  # fmt: skip
