"""The command as a process of its own, as people call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MAPPER = [sys.executable, "-m", "mapper"]
"""The command, for those who start it in a way of their own."""


def run(*arguments: str | Path, cwd: Path, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Call the command in a folder, with an environment of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("META_") and key != "FORCE_COLOR"}
    return subprocess.run(
        [*MAPPER, *map(str, arguments)],
        cwd=cwd, input=stdin, capture_output=True, env={**clean, **environ}, timeout=120, check=False,
    )  # fmt: skip
