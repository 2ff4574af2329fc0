"""The faults by name, each with what must come of it. Every scenario also has to keep the laws of ``running.judge``."""

from __future__ import annotations

from . import connections, events, mixtures, refusals, unclear
from .mixtures import chaos
from .scenario import ALL, Scenario

SCENARIOS: list[Scenario] = [
    *refusals.SCENARIOS,
    *unclear.SCENARIOS,
    *connections.SCENARIOS,
    *events.SCENARIOS,
    *mixtures.SCENARIOS,
]

__all__ = ["ALL", "SCENARIOS", "Scenario", "chaos"]
