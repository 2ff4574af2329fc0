"""The command: one module a verb. A verb is imported when it is called, so that ``--help`` is instant."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
