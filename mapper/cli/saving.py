"""How files of an author are written anew: wholly or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def save(path: Path, text: str) -> None:
    """Put a new text into a file that is there, in one step: a full disk or a lost connection costs nothing.

    A link stays a link, permissions stay, and line ends are as in ``text``.

    raises  OSError
    """
    file = path.resolve()
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        shutil.copymode(file, temporary)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
