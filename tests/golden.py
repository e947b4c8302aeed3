"""Golden files: expected text too long for a test, written by the code and reviewed.

`RINGFENCE_GOLDEN=write pytest TEST` writes them anew; then read the diff.
"""

import os
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Compare `text` with the file, or write the file when asked to."""
    if os.environ.get("RINGFENCE_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, (
        f"{path.name} differs; if the change is meant, write it anew with "
        "RINGFENCE_GOLDEN=write and read the diff"
    )
