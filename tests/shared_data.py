"""Where the real data lies that tests may read beside the checkout; it is not part of the project."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("ADSERVER_TEST_DATA") or PROJECT.parent / "shared" / "data")
MISSING = f"missing: real data in {SHARED_DATA}; name the folder with ADSERVER_TEST_DATA"
