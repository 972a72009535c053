"""The server: who may come in, what it lets through, and what it opens. Real processes, real sockets."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpu_pipeline.dashboard import files, login, paths, server
from gpu_pipeline.dashboard.files import OpenFile, open_file
from gpu_pipeline.dashboard.login import Brake, fits, passwords, way_back
from gpu_pipeline.dashboard.paths import data_name
from gpu_pipeline.errors import InputError

COMMAND = (sys.executable, "-m", "gpu_pipeline", "dashboard", "--no-show")


class Served(NamedTuple):
    """A server that runs."""

    process: subprocess.Popen[str]
    port: int
    path: str
    errors: list[str]
    """What it printed on standard error, once it has ended."""
    host: str

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body; redirects are not followed."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get("Location", "") if answer.status == 302 else body

    def websocket(self, origin: str, path: str = "/ws") -> int:
        """Status of the answer to a browser that opens a connection from a page of `origin`."""
        return self.get(
            path,
            **{
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version": "13",
                "Origin": origin,
            },
        )[0]


@contextmanager
def served(store: Path, *arguments: object, host: str = "127.0.0.1") -> Iterator[Served]:
    """A server in a process of its own on a free port, ended by Ctrl-C as a person would."""
    command = [*COMMAND, "--out", str(store), "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"dashboard: http://(?:\[.*\]|[^:]+):(\d+)(/.*?) \(Ctrl-C ends it\)\n", line)
    assert found, line + process.communicate()[1]
    running = Served(process, int(found[1]), found[2], [], host)
    try:
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        running.errors.append(process.communicate()[1])


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("store") / "runs") as running:
        yield running


def test_liveness(empty: Served) -> None:
    status, body = empty.get("/liveness")
    assert (status, json.loads(body)) == (200, {"/liveness": True})


def test_scripts_are_sent_compressed(empty: Served) -> None:
    script = "/" + re.findall(r'src="(static/js/bokeh.min.js[^"]*)"', empty.get("/")[1])[0]
    asked = urllib.request.Request(f"http://{empty.host}:{empty.port}{script}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        sent = answer.read()
    assert gzip.decompress(sent).decode() == empty.get(script)[1]
    assert len(sent) < 400_000


def test_metrics(empty: Served) -> None:
    status, body = empty.get("/metrics")
    assert status == 200
    figures = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }
    assert figures["gpu_pipeline_runs",] == 0
    assert {state for name, *state in figures if name == "gpu_pipeline_jobs" for state in state} == {
        *("running", "done", "failed", "stopped")
    }
    assert figures["process_resident_memory_bytes",] > 1e7
    before = figures["gpu_pipeline_sessions_opened_total",]
    assert empty.get("/")[0] == 200
    assert f"gpu_pipeline_sessions_opened_total {before + 1}" in empty.get("/metrics")[1]


def test_other_sites_may_not_connect(empty: Served) -> None:
    assert empty.websocket("http://evil.example") == 403
    assert empty.websocket(f"http://evil.example:{empty.port}") == 403


def test_nothing_but_the_page_is_served(empty: Served) -> None:
    for path in ("/runs", "/../../etc/passwd", "/static/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"):
        assert empty.get(path)[0] in (400, 403, 404), path


def test_large_requests_are_refused(empty: Served) -> None:
    with socket.create_connection(("127.0.0.1", empty.port)) as line:
        size = server.LARGEST_REQUEST + 1
        line.sendall(f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode())
        assert line.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")) or line.recv(1) == b""
    assert empty.get("/liveness")[0] == 200


def test_a_taken_port_is_one_sentence(empty: Served, tmp_path: Path) -> None:
    ended = subprocess.run([*COMMAND, "--out", tmp_path, "--port", str(empty.port)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(
        f"gpu-pipeline: cannot listen on 127.0.0.1, port {empty.port} (Address already in use)"
    )
    assert ended.stderr.count("\n") == 1


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    with served(tmp_path) as running:
        pass
    assert running.process.returncode == 0
    assert running.errors == [""]


def test_a_password_a_prefix_and_threads(tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text('{"ann": "secret"}')
    with served(tmp_path, "--basic-auth", names, "--prefix", "maps", "--num-threads", 2) as running:
        assert running.path == "/maps/"
        status, to = running.get("/maps/?run=a")
        assert status == 302
        assert to.endswith("/login?next=%2Fmaps%2F%3Frun%3Da")
        assert running.get("/maps?run=a") == (302, "/maps/?run=a")
        origin = f"http://127.0.0.1:{running.port}"
        assert running.websocket(origin, "/maps/ws") == 403
        assert running.get("/maps/liveness")[0] == 200
        jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with jar.open(f"{origin}/maps?run=a", timeout=60) as answer:
            assert urllib.parse.urlsplit(answer.url).path == "/maps/login"
            assert 'value="/maps/?run=a"' in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            jar.open(f"{origin}/maps/login", data=filled("ann", "wrong"), timeout=60)
        assert refused.value.code == 401
        refused.value.close()
        with jar.open(f"{origin}/maps/login", data=filled("ann", "secret", "/maps/?run=a"), timeout=60) as answer:
            assert answer.url == f"{origin}/maps/?run=a"


def filled(name: str, password: str, then: str = "") -> bytes:
    """The form of the log-in."""
    return urllib.parse.urlencode({"username": name, "password": password, "next": then}).encode()


def test_who_guesses_passwords_has_to_wait(tmp_path: Path) -> None:
    with served(tmp_path, "--basic-auth", "secret") as running:

        def guess(password: str) -> tuple[int, str]:
            try:
                url = f"http://127.0.0.1:{running.port}/login"
                with urllib.request.urlopen(url, data=filled("", password), timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        first = [guess(f"<b>{i}")[0] for i in range(login.FREE)]
        assert first == [401] * login.FREE
        # Even the right one is not looked at now.
        status, body = guess("secret")
        assert status == 429
        assert "Too many wrong passwords: wait" in body


def test_the_brake(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(login, "seconds", lambda: now[0])
    monkeypatch.setattr(login, "MOST_ADDRESSES", 3)
    brake = Brake()
    for _ in range(login.FREE - 1):
        brake.wrong("192.0.2.7")
    assert brake.wait("192.0.2.7") == 0
    waits = []
    for _ in range(9):
        brake.wrong("192.0.2.7")
        waits.append(brake.wait("192.0.2.7"))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert brake.wait("192.0.2.8") == 0
    now[0] += 59
    assert brake.wait("192.0.2.7") == 1
    now[0] += 1
    assert brake.wait("192.0.2.7") == 0
    brake.right("192.0.2.7")
    brake.wrong("192.0.2.7")
    assert brake.wait("192.0.2.7") == 0
    # All of one network of version 6 are one; the one that was wrong longest ago is forgotten.
    for i in range(login.FREE):
        brake.wrong(f"2001:db8:1:2::{i}")
    assert brake.wait("2001:db8:1:2:ffff::9%eth0") == 1
    assert brake.wait("2001:db8:1:3::1") == 0
    for i in range(3):
        brake.wrong(f"192.0.2.{i}")
    assert brake.wait("2001:db8:1:2::1") == 0


def test_passwords_that_fit() -> None:
    assert fits("secret", "", "secret")
    assert fits("s\u00e9cret", "anyone", "s\u00e9cret")
    assert not fits("secret", "", "secre")
    assert fits({"ann": "a", "bob": "b"}, "bob", "b")
    assert not fits({"ann": "a"}, "ann", "b")
    assert not fits({"ann": "a"}, "bob", "")
    assert not fits({"ann": "a"}, "", "a")


def test_the_way_back_leads_nowhere_else() -> None:
    assert way_back("/maps/?run=a", "/maps") == "/maps/?run=a"
    assert way_back("/?run=a", "") == "/?run=a"
    for bad in ("", "http://evil.example/maps/", "//evil.example/maps/", "/\\evil.example", "javascript:x", "/other/"):
        assert way_back(bad, "/maps") == "/maps/"
    for bad in ("//evil.example", "/\\evil.example", "https:evil.example"):
        assert way_back(bad, "") == "/"


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_address_of_version_6(tmp_path: Path) -> None:
    with served(tmp_path, "--address", "::1", host="::1") as running:
        assert running.get("/liveness")[0] == 200
        # The server lets these in as far as the missing token.
        assert running.websocket(f"http://[::1]:{running.port}") != 403
        assert running.websocket(f"http://localhost:{running.port}") != 403
        assert running.websocket("http://[::1]") == 403
        assert running.websocket(f"http://[2001:db8::1]:{running.port}") == 403


def test_a_warning_when_it_is_open_to_the_network(tmp_path: Path) -> None:
    with served(tmp_path, "--address", "0.0.0.0", "--allow-websocket-origin", "maps.example.org:443") as running:
        assert running.websocket("https://maps.example.org:443") != 403
        assert running.websocket("https://other.example.org:443") == 403
    assert "warning: 0.0.0.0 is open to the network" in running.errors[0]
    with served(tmp_path, "--address", "0.0.0.0", "--basic-auth", "secret") as running:
        pass
    assert "warning" not in running.errors[0]


BAD_ARGUMENTS = {
    "none.parquet": "cannot read none.parquet (No such file or directory)",
    "--x a --y b": "--x and --y name columns of a file, but there is none",
    "--port 99999": "--port is 99999",
    "--address 203.0.113.1": "cannot listen on 203.0.113.1",
    "--basic-auth none.json": "none.json cannot be read",
    "--num-threads -1": "--num-threads is -1",
    "--max-upload -1": "--max-upload is -1",
    "--allow-websocket-origin a:b:c": "--allow-websocket-origin is 'a:b:c'",
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS)
def test_arguments_that_cannot_be_used(
    arguments: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpu_pipeline.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gpu-pipeline", "dashboard", "--no-show", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(f"gpu-pipeline: {BAD_ARGUMENTS[arguments]}")
    assert err.count("\n") == 1


def test_who_may_connect() -> None:
    own = ["localhost:5006", "127.0.0.1:5006"]
    assert server.origins("127.0.0.1", 5006) == own
    assert server.origins("localhost", 5006) == [*own, "[::1]:5006"]
    assert server.origins("0.0.0.0", 5006, ["a.example:443"]) == [*own, "a.example:443"]
    assert server.origins("192.0.2.7", 5006) == ["192.0.2.7:5006"]
    assert server.origins("::1", 5006) == [*own, "[::1]:5006"]
    assert server.origins("::", 5006) == [*own, "[::1]:5006"]
    assert server.origins("2001:db8::7", 80, ["[2001:db8::8]:443"]) == ["[2001:db8::7]:80", "[2001:db8::8]:443"]
    for bad in ("2001:db8::8", "[2001:db8::8", "[::1]:x", ""):
        with pytest.raises(InputError, match="give HOST:PORT"):
            server.origins("127.0.0.1", 5006, [bad])


def test_what_is_local() -> None:
    assert all(map(server.is_local, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(server.is_local, ("0.0.0.0", "", "::", "192.0.2.7", "maps.example.org")))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ann": ""}', '{"ann": 1}', "{"])
def test_passwords_that_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(InputError):
        passwords(str(tmp_path / "names.json"))
    with pytest.raises(InputError, match="empty"):
        passwords(" ")


def test_a_password_that_is_longer_than_a_files_name() -> None:
    assert passwords("a" * 300) == "a" * 300


def test_threads_of_two_people_at_once() -> None:
    """Numba's simplest threads end the process when two of Python's start them at once."""
    program = (
        "import threading, numpy as np, numba\n"
        "from gpu_pipeline.dashboard.server import make_threads_safe\n"
        "make_threads_safe(2)\n"
        "@numba.njit(parallel=True)\n"
        "def total(x):\n"
        "    s = 0.0\n"
        "    for i in numba.prange(len(x)): s += x[i]\n"
        "    return s\n"
        "x = np.ones(100_000); total(x)\n"
        "found = []\n"
        "def ask(): found.extend(total(x) for _ in range(50))\n"
        "people = [threading.Thread(target=ask) for _ in range(4)]\n"
        "[p.start() for p in people]; [p.join() for p in people]\n"
        "assert found == [100_000.0] * 200\n"
        "print(numba.threading_layer())\n"
    )
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() in ("tbb", "omp")


HOSTILE = [
    *("", ".", "..", "/", "../run", "run/..", "run/../run", "./run", "run/", "/etc", "~", "run\0", "run\n"),
    *("..\\run", "%2e%2e", "link", ".jobs", ".draft-1", "x" * 300, "x" * 5000, "run*", "ru", "<script>", "\udcff"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run, and beside it another that a link inside points to."""
    folder = tmp_path_factory.mktemp("paths")
    for name in ("runs/run", "outside", "runs/.jobs"):
        (folder / name).mkdir(parents=True)
        (folder / name / "record.json").write_text("{}")
    (folder / "runs" / "link").symlink_to(folder / "outside")
    return folder / "runs"


@pytest.mark.parametrize(
    "name", [*HOSTILE, "/etc/passwd", "runs/.uploads/../x.npy", "nothing.npy", "file:///etc/passwd"]
)
def test_names_of_data_lead_nowhere_else(store: Path, name: str) -> None:
    with pytest.raises(InputError):
        data_name(name, store)


def test_data_that_may_be_read(store: Path, tmp_path: Path) -> None:
    assert data_name("auto", store) == "auto"
    assert data_name("mnist", store) == "mnist"
    (store / paths.UPLOADS).mkdir()
    kept = store / paths.UPLOADS / "a.npy"
    kept.write_bytes(b"content")
    assert data_name(str(kept), store) == str(kept.resolve())
    with pytest.raises(InputError):
        data_name(str(tmp_path / "b.npy"), store)
    assert data_name(str(tmp_path / "b.npy"), store, [tmp_path / "b.npy"]) == str(tmp_path / "b.npy")
    (store / paths.UPLOADS / "link.npy").symlink_to("/etc/passwd")
    with pytest.raises(InputError):
        data_name(str(store / paths.UPLOADS / "link.npy"), store)


def points(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [5.0, 6.0, 7.0], **columns})


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz", "feather", "arrow"])
def test_a_table_of_points(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"points.{suffix}"
    table = points(kind=["a", "b", "a"], size=[1, 2, 3])
    kind = {"csv.gz": "csv", "arrow": "feather"}.get(suffix, suffix)
    getattr(table, f"to_{kind}")(path, **({"index": False} if kind == "csv" else {}))
    found = open_file(path)
    assert found.columns.tolist() == ["row", "x", "y", "kind", "size"]
    assert found["row"].tolist() == [0, 1, 2]
    assert found["y"].tolist() == [5, 6, 7]
    assert found["kind"].tolist() == ["a", "b", "a"]
    assert isinstance(found["kind"].dtype, pd.CategoricalDtype)


def test_columns_are_chosen_and_names_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    points(row=[7, 8, 9], a=[1.0, 2.0, 3.0], b=[4, 5, 6]).to_parquet(path)
    found = open_file(path, "a", "b")
    assert found.columns.tolist() == ["row", "x", "y", "x_", "y_"]
    assert found["row"].tolist() == [7, 8, 9]
    assert found["x"].tolist() == [1, 2, 3]
    assert found["x_"].tolist() == [0, 1, 2]
    points(row=[7, 7, 9]).to_parquet(path)  # these do not tell rows apart
    assert open_file(path).columns.tolist() == ["row", "x", "y", "row_"]
    points(Y=[3.0, 4.0, 5.0], X=[6.0, 7.0, 8.0]).to_parquet(path)  # by case of letters alone x and y are others
    assert open_file(path)[["x", "y"]].to_numpy().tolist() == [[0, 5], [1, 6], [2, 7]]
    pd.DataFrame({"UMAP_1": [1.0], "UMAP_2": [2.0]}).to_parquet(path)
    assert open_file(path)[["x", "y"]].to_numpy().tolist() == [[1, 2]]


def test_an_array_of_points(tmp_path: Path) -> None:
    path = tmp_path / "points.npy"
    np.save(path, np.array([[1, 2], [3, 4]], np.float32))
    found = open_file(path)
    assert found["x"].dtype == np.float32
    assert found.to_numpy().tolist() == [[0, 1, 2], [1, 3, 4]]


def _save(path: Path, content: object) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, pd.DataFrame):
        content.to_parquet(path)


BAD_FILES: dict[str, tuple[str, object, tuple[str | None, str | None], str]] = {
    "missing": ("a.parquet", None, (None, None), "cannot read"),
    "kind": ("a.txt", b"x", (None, None), "of a kind that cannot be shown"),
    "empty": ("a.csv", b"", (None, None), "is empty"),
    "no rows": ("a.csv", b"x,y\n", (None, None), "has no|holds no numbers"),
    "torn": ("a.parquet", b"PAR1 and nothing more", (None, None), "not a readable Parquet file"),
    "pickled": ("a.npy", np.array([{}, {}]), (None, None), "not a whole NumPy file"),
    "shape": ("a.npy", np.zeros((3, 5)), (None, None), r"\(3, 5\)"),
    "text array": ("a.npy", np.array([["a", "b"]]), (None, None), "give numbers"),
    "no axes": ("a.parquet", pd.DataFrame({"a": [1.0], "b": [2.0]}), (None, None), r"\(a, b\) with --x and --y"),
    "yes and no": (
        "a.parquet",
        pd.DataFrame({"x": [1.0], "y": [True], "z": [2]}),
        (None, None),
        r"no columns of numbers named x and y: .* \(x, z\)",
    ),
    "many": (
        "a.parquet",
        pd.DataFrame({f"c{i}": [1.0] for i in range(10)} | {"": [1.0]}),
        (None, None),
        r"\(c0, .*, c7 and 3 more\)",
    ),
    "one axis": ("a.parquet", points(), ("x", None), "give both, or none"),
    "same axis": ("a.parquet", points(), ("x", "x"), "choose two"),
    "unknown": ("a.parquet", points(), ("x", "z"), "unknown column of a.parquet 'z'"),
    "text": ("a.parquet", points(kind=["a", "b", "c"]), ("x", "kind"), "holds no numbers"),
    "names for an array": ("a.npy", np.zeros((2, 2)), ("x", "y"), "no named columns"),
    "gap": ("a.parquet", points().assign(y=[1.0, None, np.inf]), (None, None), "2 of 3 points .* first in row 1"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_cannot_be_shown(tmp_path: Path, case: str) -> None:
    name, content, (x, y), expected = BAD_FILES[case]
    _save(tmp_path / name, content)
    with pytest.raises(InputError, match=expected):
        OpenFile(tmp_path / name, x, y).points()


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    points().to_parquet(path)
    first = OpenFile(path).points()
    assert OpenFile(path).points() is first
    points(more=[1, 2, 3]).to_parquet(path)
    assert "more" in OpenFile(path).points()
    files._points.cache_clear()
