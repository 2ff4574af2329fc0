"""A local endpoint that speaks Meta's ``/events``: it takes what Meta takes, refuses what Meta refuses, and says why.

    from mapper.sandbox import running

    with running() as sandbox:
        mapper.send(program, "orders.jsonl", to=sandbox.url, settings=sandbox.settings)
        print(sandbox.events("Purchase")[0].parameters)

It needs the extra: ``pip install 'event-mapper[sandbox]'``.
"""

from __future__ import annotations

from .app import create_app
from .endpoint import Options
from .faults import Fault, FaultError
from .records import Request, Stored
from .server import Sandbox, available, running, serve
from .store import Store

__all__ = [
    "Fault",
    "FaultError",
    "Options",
    "Request",
    "Sandbox",
    "Store",
    "Stored",
    "available",
    "create_app",
    "running",
    "serve",
]
