"""Map records to conversion events in YAML, and deliver them.

    import mapper

    program = mapper.load("mapping.yaml")
    result = program.map({"type": "order.paid", "order": {"id": "1001"}})
    report = mapper.send(program, ["orders.jsonl"], to="meta")

The modules stand in one order, and each imports only those before it (tests/test_layers.py reads it from here):

    .               errors, showing
    documents       placing, syntax_errors, document, schema
    language        effort, values, addresses, scope, filters, habits, tokens, syntax, walking, building, calling,
                    lowering, expression
    destinations    cleaning, personal, rules, fields, windows, rendering, request, answers, declaration,
                    declared, assembly, wiring, hints, destination, leaves, validation, pasted, payload, reference
    compiler        projection, trees, mapping, tables, nodes, shaping, passed_on, lowered, shortcuts, parts, lists,
                    parameters, checks, assembling, compiler
    events          refusal, matching, results, making, forms, fusing, writing, glances, program, stepping, explain
    records         streams, source, blocks, worker, workers, reading
    delivery        items, delivery, sharing, dispatch, ledger, locking, stretches, syncing, recognising, journal,
                    inspection, job, cutting, dead_letters, settling, report, metrics, settings, reaching, connecting,
                    transport, options, sending, run, pipeline, retrying, receipts, unsettled, sender, async_sender
    authoring       attempts, coverage, deduplication, instructions, drafts, guessing, diagnostics, comparing,
                    rewriting, specs, formatting, editor
    .               sandbox, cli, __main__
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import DeliveryError, MapperError, MappingError, Problem, RecordError, Span

if TYPE_CHECKING:
    from .delivery.async_sender import AsyncSender as AsyncSender
    from .delivery.pipeline import send as send
    from .delivery.receipts import Fate as Fate
    from .delivery.receipts import Receipt as Receipt
    from .delivery.report import Report as Report
    from .delivery.retrying import retry as retry
    from .delivery.sender import Sender as Sender
    from .events.program import Program as Program
    from .events.program import load as load
    from .events.results import Dropped as Dropped
    from .events.results import Event as Event
    from .events.results import Refusal as Refusal
    from .events.results import Replay as Replay
    from .events.results import Result as Result

__version__ = "0.1.0"

__all__ = [
    "AsyncSender",
    "DeliveryError",
    "Dropped",
    "Event",
    "Fate",
    "MapperError",
    "MappingError",
    "Problem",
    "Program",
    "Receipt",
    "RecordError",
    "Refusal",
    "Replay",
    "Report",
    "Result",
    "Sender",
    "Span",
    "load",
    "retry",
    "send",
]

_LATE = {
    "send": "delivery.pipeline",
    "retry": "delivery.retrying",
    "AsyncSender": "delivery.async_sender",
    "Sender": "delivery.sender",
    **dict.fromkeys(("Fate", "Receipt"), "delivery.receipts"),
    "Report": "delivery.report",
    **dict.fromkeys(("Dropped", "Event", "Refusal", "Replay", "Result"), "events.results"),
    **dict.fromkeys(("Program", "load"), "events.program"),
}
"""Imported when first used: mapping needs no HTTP client, and ``mapper --help`` needs no compiler."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'mapper' has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_LATE[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
