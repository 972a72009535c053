"""Many people at once: they share what they look at, and leave nothing behind when they go."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from gpu_pipeline.recipe import make
from gpu_pipeline.record import Record, Run
from gpu_pipeline.scoring import Scores
from gpu_pipeline.store import save

N = 1_000_000
SERVER = """
import gc, sys, threading
from pathlib import Path
import psutil
from bokeh.document import Document
from gpu_pipeline.dashboard import app, server

served, figures = server.make_server(Path(sys.argv[1]), keep_seconds=0.5)

def answer():
    for _ in sys.stdin:
        gc.collect()
        kinds = [type(thing) for thing in gc.get_objects()]
        memory = psutil.Process().memory_info().rss
        print(len(served.get_sessions()), kinds.count(app.Page), kinds.count(Document), memory, flush=True)

threading.Thread(target=answer, daemon=True).start()
print(served.port, flush=True)
served.start()
served.io_loop.start()
"""


class Count(NamedTuple):
    """What a server holds."""

    sessions: int
    pages: int
    documents: int
    memory: int


class Server:
    """A server in a process of its own that can be asked what it holds."""

    def __init__(self, store: Path) -> None:
        command = [sys.executable, "-c", SERVER, str(store)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.place = f"127.0.0.1:{int(self._line())}"
        self.loop = asyncio.new_event_loop()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server ended"
        return line

    def end(self) -> None:
        self.loop.close()
        self.process.kill()
        self.process.communicate()

    def count(self) -> Count:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return Count(*map(int, self._line().split()))

    def open(self, n: int) -> list[WebSocketClientConnection]:
        """Do as a browser does: get the page, then open its connection."""
        return [self.loop.run_until_complete(self._connect()) for _ in range(n)]

    async def _connect(self) -> WebSocketClientConnection:
        with urllib.request.urlopen(f"http://{self.place}/") as answer:
            found = re.search(rb'"token":"([^"]+)"', answer.read())
        assert found
        request = HTTPRequest(f"ws://{self.place}/ws", headers={"Origin": f"http://{self.place}"})
        connection = await websocket_connect(request, subprotocols=["bokeh", found[1].decode()])
        assert "ACK" in str(await connection.read_message())
        return connection

    def close(self, connections: list[WebSocketClientConnection]) -> Count:
        """Close these, and wait until the server has noticed; what its timers hold goes a moment later."""
        for connection in connections:
            connection.close()
        for _ in range(60):
            self.loop.run_until_complete(asyncio.sleep(0.25))
            count = self.count()
            if not count.sessions and not count.pages:
                break
        return count


def large_run(store: Path) -> int:
    """Store a run of a million points out of random numbers; bytes that its points have in memory."""
    rng = np.random.default_rng(0)
    columns = {
        "row": np.arange(N),
        **dict(zip("xy", rng.normal(size=(2, N)).astype(np.float32), strict=True)),
        "label": rng.integers(0, 10, N),
        "cluster": rng.integers(0, 10, N, dtype=np.int32),
        "neighbor_recall": rng.random(N, dtype=np.float32),
        "misfit": rng.random(N) < 0.1,
    }
    points = pd.DataFrame(columns)
    record = Record(
        recipe=make({"data": "digits"}),
        dataset={"name": "noise", "source": "rng", "n": N, "total": N, "columns": 2, "digest": "0" * 64},
        preprocess="none",
        engines={"embed": "scikit_learn", "cluster": "scikit_learn"},
        skipped={},
        seconds={"embed": 1.0},
        transfer={},
        facts={},
        notes=[],
        machine={},
        created="2026-01-01T00:00:00+00:00",
    )
    values = dict.fromkeys(("kl", "accuracy", "neighbor_recall", "silhouette"))
    scores = Scores(values, {}, columns["neighbor_recall"], columns["misfit"], None, "scikit_learn")
    features = np.zeros((N, 2), np.float32)
    save(Run(record, points, features, scores, _picture=Image.new("L", (1, 1))), store)
    return int(points.memory_usage(deep=True).sum())


@pytest.fixture(scope="module")
def size(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    store = tmp_path_factory.mktemp("store")
    return store, large_run(store)


@pytest.fixture
def server(size: tuple[Path, int]) -> Iterator[Server]:
    running = Server(size[0])
    yield running
    running.end()


def test_ten_sessions_on_one_run_cost_one_copy(server: Server, size: tuple[Path, int]) -> None:
    first = server.open(1)
    one = server.count()
    others = server.open(10)
    eleven = server.count()
    assert (eleven.sessions, eleven.pages) == (11, 11)
    # Each holds its page, a few MB; with a copy each it would be ten times the points.
    assert eleven.memory - one.memory < 2 * size[1]
    server.close([*first, *others])


@pytest.mark.slow
def test_a_session_that_ends_frees_what_it_held(server: Server) -> None:
    # What fifteen pages at a time need stays with the process, for the next; so the first fifteen are no measure.
    before = server.close(server.open(15))
    assert (before.sessions, before.pages) == (0, 0)
    for _ in range(4):
        after = server.close(server.open(15))
        assert (after.sessions, after.pages) == (0, 0)
    # Of sixty pages nothing stays: a page holds more than half a MB, so that they would be 30. Measured: 2.
    assert after.documents <= before.documents
    assert after.memory - before.memory < 15e6
