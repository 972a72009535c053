"""The server: where it listens, who may come in, and what it lets through."""

from __future__ import annotations

import importlib
import ipaddress
import os
import re
import secrets
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado.web import GZipContentEncoding, RedirectHandler

from ..errors import InputError
from .files import OpenFile as OpenFile
from .uploads import LARGEST_UPLOAD, PIECE

if TYPE_CHECKING:
    from panel.io.server import Server

LARGEST_MESSAGE = 2 * PIECE
"""Bytes of one message from a browser: an upload comes in pieces, and all else is smaller."""

THREADS = 2
"""Threads that do what takes longer than a moment, if nothing else is said."""

MOST_UPLOAD = 1 << 20
"""MiB of one uploaded file that may be allowed at most."""

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
    max_upload: int = LARGEST_UPLOAD,
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
        Threads that do what takes longer than a moment, so that nobody else waits; 0 takes one for each processor.
        `THREADS` if None.
    prefix
        Path below which it is served, for a proxy that serves others beside it.
    max_upload
        MiB of one uploaded file at most; 0 allows no uploads.
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
    from .readiness import make_ready

    make_threads_safe(num_threads)
    make_ready(store, open_file)
    server, _ = make_server(
        store,
        open_file,
        port=port,
        address=address,
        allow_websocket_origin=allow_websocket_origin,
        basic_auth=basic_auth,
        num_threads=num_threads,
        prefix=prefix,
        max_upload=max_upload,
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
    max_upload: int = LARGEST_UPLOAD,
    keep_seconds: float = 15.0,
) -> tuple[Server, Any]:
    """A server that has its port but does not answer yet, and the figures that it tells at `/metrics`.

    Parameters
    ----------
    keep_seconds
        How long a session is kept whose browser has not connected yet, or has left: a page that comes back begins anew,
        from its address.
    Others
        As of `serve`.

    Raises
    ------
    InputError
        As of `serve`.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"--port is {port}: give 0 (a free one) to 65535.")
    if not 0 <= max_upload <= MOST_UPLOAD:
        raise InputError(f"--max-upload is {max_upload}: give 0 (no uploads) to {MOST_UPLOAD:,} MiB.")
    port = _free_port(address, port)
    allowed = origins(address, port, allow_websocket_origin)
    make_threads_safe(num_threads)
    import panel as pn
    from bokeh.settings import settings

    from .app import page
    from .exports import PLACE, ExportHandler, Exports
    from .login import Provider, passwords
    from .monitor import Figures, MetricsHandler, registry
    from .opening import Opening

    # It looks at all models of each new page, which are the same for all; a test does.
    settings.perform_document_validation = False
    figures = Figures(store, lambda: len(server.get_sessions()))
    threads = THREADS if num_threads is None else num_threads or os.cpu_count()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="dashboard")
    exports = Exports()

    def session() -> Any:
        figures.opened += 1
        return page(store, open_file, pool=pool, exports=exports, max_upload=max_upload)

    prefix = f"/{prefix.strip('/')}" if prefix and prefix.strip("/") else ""
    options: dict[str, Any] = {}
    if basic_auth is not None:
        options["auth_provider"] = Provider(passwords(basic_auth), prefix)
    server: Server = pn.io.server.get_server(
        {"/": session},
        port=port,
        address=address,
        websocket_origin=[host for host in allowed if not host.startswith("[")],
        title="gpu_pipeline",
        prefix=prefix,
        liveness=True,
        cookie_secret=secrets.token_hex(32),
        websocket_max_message_size=LARGEST_MESSAGE,
        http_server_kwargs={"max_body_size": LARGEST_REQUEST},
        unused_session_lifetime_milliseconds=int(keep_seconds * 1000),
        check_unused_sessions_milliseconds=max(500, min(int(keep_seconds * 1000), 17_000)),
        extra_patterns=[
            (r"/metrics", MetricsHandler, {"registry": registry(figures)}),
            (rf"/{PLACE}/([\w-]+)", ExportHandler, {"exports": exports}),
        ],
        **options,
    )
    opening = ThreadPoolExecutor(threads, thread_name_prefix="opening")
    server._tornado._applications["/"].application.add(Opening(store, open_file, opening))
    application = server._tornado
    # The scripts of a first visit are 3 MB, and 0.8 MB so; pictures and files to fetch stay as they are.
    application.transforms.append(GZipContentEncoding)
    # Bokeh compares these as they are, but takes none of them as an argument.
    application.websocket_origins.update(host for host in allowed if host.startswith("["))
    if prefix:
        # Else who is not logged in is sent from /maps to /login, which is not below it.
        slash = (re.escape(prefix), RedirectHandler, {"url": f"{prefix}/", "permanent": False})
        application.add_handlers(".*", [slash])
    return server, figures


def origins(address: str, port: int, others: Sequence[str] = ()) -> list[str]:
    """From which pages a browser may open a connection, as HOST:PORT: this server's own and those named.

    Any other site that a person has open is kept out by it.

    Raises
    ------
    InputError
        If one of those named is not HOST or HOST:PORT.
    """
    from bokeh.server.util import create_hosts_allowlist

    for host in others:
        # An address of version 6 stands in brackets, as in the browser's address line; the rest is Bokeh's to judge.
        name = re.sub(r"^\[[0-9A-Fa-f:.]+\]", "host", host)
        try:
            create_hosts_allowlist([name], None)
        except ValueError:
            raise InputError(
                f"--allow-websocket-origin is {host!r}: give HOST:PORT, like maps.example.org:443."
            ) from None
    own = ["localhost", "127.0.0.1"] if is_local(address) or address in ANY else []
    if address in ("", "::", "localhost"):
        own.append("::1")
    if address not in ANY:
        own.append(address)
    return [*dict.fromkeys(f"{_in_url(host)}:{port}" for host in own), *others]


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
