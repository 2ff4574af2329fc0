"""How files of an author are written anew: wholly or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def save(path: Path, text: str) -> None:
    """Put a new text into a file that is there, in one step: a full disk, a lost connection, a power cut cost nothing.

    A link stays a link, permissions stay, and line ends are as in ``text``.

    raises  OSError
    """
    file = path.resolve()
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())  # else its name may be on the disk before it is
        shutil.copymode(file, temporary)
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
