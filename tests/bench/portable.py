"""The server as on a uvicorn it was not tested with: each request comes over ASGI, by the portable door.

Called with the command that starts it, as a program that watches one is.
"""

import runpy
import sys

from adserver.web import protocol


def main() -> None:
    module, arguments = sys.argv[3], sys.argv[4:]  # behind `python -m`
    protocol.TESTED_UVICORNS = frozenset()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
