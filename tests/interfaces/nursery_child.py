"""The nursery of the servers' tests, and whatever is born there.

python -m tests.interfaces.nursery_child DESCRIPTOR
"""

from __future__ import annotations

import importlib
import socket
import sys

from tests.interfaces import answering_child, nursery, serving_child

PROGRAMS = {nursery.FRONT: serving_child.main, nursery.ANSWERING: answering_child.main}
LATER = ["alembic.context", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "encodings.idna"]
LATER += (
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "uvicorn.lifespan.off",
)
"""What a server imports as it goes."""

if __name__ == "__main__":
    for module in LATER:
        importlib.import_module(module)
    nursery.tend(socket.socket(fileno=int(sys.argv[1])))
    if sys.argv[0] == nursery.FRONT:
        nursery.divide()
    nursery.end(PROGRAMS[sys.argv[0]]())
