"""The server: where it listens, who may come in, and what it lets through."""

from __future__ import annotations

import importlib
import ipaddress
import json
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .files import OpenFile as OpenFile
from .files import open_file as open_file
from .paths import LARGEST_UPLOAD

if TYPE_CHECKING:
    from panel.io.server import Server

LARGEST_MESSAGE = LARGEST_UPLOAD * 4 // 3 + (1 << 20)
"""Bytes of one message from a browser: an upload comes as base64."""

LARGEST_REQUEST = 1 << 20
"""Bytes of one HTTP request's body; none but the log-in has one."""


def serve(
    store: str | Path,
    open_file: OpenFile | None = None,
    *,
    port: int = 5006,
    address: str = "127.0.0.1",
    allow_websocket_origin: Sequence[str] = (),
    basic_auth: str | None = None,
    num_threads: int | None = None,
    prefix: str | None = None,
    show: bool = True,
) -> None:
    """Serve the dashboard until Ctrl-C.

    Parameters
    ----------
    store
        Folder of the stored runs.
    open_file
        A person's own file of points, shown first.
    port
        0 takes a free one.
    address
        The interface to listen on; "0.0.0.0" is all, and opens the dashboard to the network.
    allow_websocket_origin
        HOST:PORT as browsers on other computers will have it in their address line.
    basic_auth
        A password, or the path of a JSON file with an object of names and passwords.
    num_threads
        Threads that answer different people at once; 0 takes one for each processor. One at a time if None.
    prefix
        Path below which it is served, for a proxy that serves others beside it.
    show
        Open a browser.

    Raises
    ------
    InputError
        If an argument cannot be used: no such folder or file, or the port is taken.
    """
    store = Path(store)
    if open_file is not None:
        open_file.points()  # what is wrong with it is said here and not on the page
    server, _ = make_server(
        store,
        open_file,
        port=port,
        address=address,
        allow_websocket_origin=allow_websocket_origin,
        basic_auth=basic_auth,
        num_threads=num_threads,
        prefix=prefix,
    )
    if not is_local(address) and basic_auth is None:
        print(
            f"gpu-pipeline: warning: {address} is open to the network, and anyone who reaches port {server.port} can "
            "see the runs and start jobs: set --basic-auth, or leave --address out.",
            file=sys.stderr,
        )
    where = f"http://{_in_url(address)}:{server.port}{server.prefix}/"
    print(f"dashboard: {where} (Ctrl-C ends it)", flush=True)
    server.start()
    if show:
        server.io_loop.add_callback(server.show, "/")
    server.io_loop.start()


def make_server(
    store: Path,
    open_file: OpenFile | None = None,
    *,
    port: int = 0,
    address: str = "127.0.0.1",
    allow_websocket_origin: Sequence[str] = (),
    basic_auth: str | None = None,
    num_threads: int | None = None,
    prefix: str | None = None,
    keep_seconds: float = 15.0,
) -> tuple[Server, Any]:
    """A server that has its port but does not answer yet, and the figures that it tells at `/metrics`.

    Parameters
    ----------
    keep_seconds
        How long a page that was left is kept, for the network to come back.
    Others
        As of `serve`.

    Raises
    ------
    InputError
        As of `serve`.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"--port is {port}: give 0 (a free one) to 65535.")
    port = _free_port(address, port)
    allowed = origins(address, port, allow_websocket_origin)
    check_login(basic_auth)
    make_threads_safe(num_threads)
    import panel as pn

    from .app import page
    from .monitor import Figures, MetricsHandler, registry

    figures = Figures(store, lambda: len(server.get_sessions()))

    def session() -> Any:
        figures.opened += 1
        return page(store, open_file)

    if num_threads is not None:
        pn.config.nthreads = num_threads  # type: ignore[misc]
    server: Server = pn.io.server.get_server(
        {"/": session},
        port=port,
        address=address,
        websocket_origin=allowed,
        title="gpu_pipeline",
        prefix=prefix or "",
        liveness=True,
        basic_auth=basic_auth,
        cookie_secret=secrets.token_hex(32),
        websocket_max_message_size=LARGEST_MESSAGE,
        http_server_kwargs={"max_body_size": LARGEST_REQUEST},
        unused_session_lifetime_milliseconds=int(keep_seconds * 1000),
        check_unused_sessions_milliseconds=max(500, min(int(keep_seconds * 1000), 17_000)),
        extra_patterns=[(r"/metrics", MetricsHandler, {"registry": registry(figures)})],
    )
    return server, figures


def origins(address: str, port: int, others: Sequence[str] = ()) -> list[str]:
    """From which pages a browser may open a connection, as HOST:PORT: this server's own and those named.

    Any other site that a person has open is kept out by it. Bokeh knows no IPv6 addresses here: use a name for them.

    Raises
    ------
    InputError
        If one of those named is not HOST or HOST:PORT.
    """
    from bokeh.server.util import create_hosts_allowlist

    for host in others:
        try:
            create_hosts_allowlist([host], None)
        except ValueError:
            raise InputError(
                f"--allow-websocket-origin is {host!r}: give HOST:PORT, like maps.example.org:443."
            ) from None
    own = ["localhost", "127.0.0.1"] if is_local(address) or address in ANY else []
    if address not in ANY and ":" not in address:
        own.append(address)
    return [*dict.fromkeys(f"{host}:{port}" for host in own), *others]


def _free_port(address: str, port: int) -> int:
    """The port if it is free, or for 0 one that is.

    Tried before the server is made, for Bokeh wants to be told who may connect, port and all, before it has one.

    Raises
    ------
    InputError
        If it cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, port))
            number: int = trial.getsockname()[1]
            return number
    except OSError as error:
        raise InputError(
            f"cannot listen on {address}, port {port} ({error.strerror or error}): choose another with --address or "
            "--port."
        ) from None


ANY = ("", "0.0.0.0", "::")
"""Addresses that mean all interfaces."""


def is_local(address: str) -> bool:
    """Whether only this computer reaches an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def check_login(basic_auth: str | None) -> None:
    """Make sure that there is a password.

    Raises
    ------
    InputError
        If it is empty, or a file that does not hold names and passwords.
    """
    if basic_auth is None:
        return
    if not basic_auth.strip():
        raise InputError("the password is empty: give one, or leave --basic-auth out.")
    path = Path(basic_auth)
    if not basic_auth.endswith(".json") and not path.is_file():
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): give a JSON object of names and passwords.") from None
    if not isinstance(values, dict) or not values or not all(isinstance(v, str) and v for v in values.values()):
        raise InputError(f'{path} does not hold names and passwords: give a JSON object such as {{"ann": "..."}}.')


def make_threads_safe(num_threads: int | None) -> None:
    """Have numba use threads in a way that several of Python's may start at once.

    Its simplest way, which it takes where it finds no other, ends the process then.

    Raises
    ------
    InputError
        If several threads are asked for and numba has no such way here, or their number cannot be used.
    """
    import numba

    if num_threads is not None and not 0 <= num_threads <= 256:
        raise InputError(f"--num-threads is {num_threads}: give 0 (one for each processor) to 256.")
    for layer in ("tbb", "omp"):
        try:
            importlib.import_module(f"numba.np.ufunc.{layer}pool")
        except ImportError:
            continue
        numba.config.THREADING_LAYER = "threadsafe"
        return
    if num_threads is not None:
        raise InputError("--num-threads needs TBB or OpenMP, which numba does not find here: pip install tbb.")


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address or "0.0.0.0"
