"""Who may come in: a password, and a brake on those who guess it.

The cookies are Panel's; this is the page, the comparison, which takes the same time for every wrong password, and the
count of wrong ones by address.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from panel.auth import BasicAuthProvider, BasicLoginHandler

from ..errors import InputError
from ..timing import seconds
from .views import page

FREE = 5
"""Wrong passwords from one address before it has to wait."""

LONGEST_WAIT = 60.0
"""Seconds of waiting at most: people behind one proxy have one address, and must not be kept out by one of them."""

MOST_ADDRESSES = 10_000
"""Addresses that are remembered; the one that was wrong longest ago is forgotten first."""

Passwords = str | dict[str, str]


def passwords(basic_auth: str) -> Passwords:
    """The password for everybody, or the names and passwords in a JSON file.

    Raises
    ------
    InputError
        If it is empty, or a file that does not hold names and passwords.
    """
    if not basic_auth.strip():
        raise InputError("the password is empty: give one, or leave --basic-auth out.")
    path = Path(basic_auth)
    if not basic_auth.endswith(".json") and not _is_file(path):
        return basic_auth
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): give a JSON object of names and passwords.") from None
    if not isinstance(values, dict) or not values or not all(isinstance(v, str) and v for v in values.values()):
        raise InputError(f'{path} does not hold names and passwords: give a JSON object such as {{"ann": "..."}}.')
    return values


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # longer than any file's name
        return False


def fits(known: Passwords, name: str, password: str) -> bool:
    """Whether a password is right; a name that nobody has takes as long as one that somebody has."""
    expected = known if isinstance(known, str) else known.get(name)
    same = hmac.compare_digest(password.encode(), ("" if expected is None else expected).encode())
    return same and expected is not None


class Brake:
    """Makes those wait who give wrong passwords: each further one doubles the time.

    An address of version 6 counts with all of its network, for whoever has one has 2^64 of them.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until an address may try again; 0 if it may now."""
        _, until = self._wrong.get(_network(address), (0, 0.0))
        return max(until - seconds(), 0.0)

    def wrong(self, address: str) -> None:
        """Note a wrong password."""
        network = _network(address)
        count = self._wrong.pop(network, (0, 0.0))[0] + 1
        pause = min(2.0 ** min(count - FREE, 30), LONGEST_WAIT) if count >= FREE else 0.0
        self._wrong[network] = (count, seconds() + pause)
        while len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget what was wrong before."""
        self._wrong.pop(_network(address), None)


def _network(address: str) -> str:
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((number, 64), strict=False)) if number.version == 6 else str(number)


class LoginHandler(BasicLoginHandler):  # type: ignore[misc]
    """Answers `/login`."""

    known: Passwords
    brake: Brake
    prefix: str

    def get(self) -> None:
        self._show("", self.get_query_argument("next", ""))

    def post(self) -> None:
        address = str(self.request.remote_ip)
        name, password = self.get_body_argument("username", ""), self.get_body_argument("password", "", strip=False)
        then = self.get_body_argument("next", "")
        wait = self.brake.wait(address)
        if wait:
            # Without a look at the password: who guesses learns nothing meanwhile.
            self.set_status(429)
            self.set_header("Retry-After", str(math.ceil(wait)))
            self._show(f"Too many wrong passwords: wait {math.ceil(wait)} s, then try again.", then)
        elif not fits(self.known, name, password):
            self.brake.wrong(address)
            self.set_status(401)
            self._show("The name or the password is wrong.", then)
        else:
            self.brake.right(address)
            self.set_current_user(name or "user")  # type: ignore[no-untyped-call]
            self.redirect(way_back(then, self.prefix))

    def _show(self, sentence: str, then: str) -> None:
        self.set_header("Cache-Control", "no-store")
        names = isinstance(self.known, dict)
        self.write(page("login", sentence=sentence, names=names, then=then, action=self.request.path))


def way_back(then: str, prefix: str) -> str:
    """Where to go after the password: the view that was asked for, if it is one of this server's."""
    parts = urlsplit(then)
    own = not parts.scheme and not parts.netloc and parts.path.startswith(f"{prefix}/") and "\\" not in then
    return then if own and not then.startswith("//") else f"{prefix}/"


class Provider(BasicAuthProvider):  # type: ignore[misc]
    """Lets in who knows a password.

    Parameters
    ----------
    known
        The passwords.
    prefix
        Path below which the dashboard is served; empty, or with a slash before it.
    """

    def __init__(self, known: Passwords, prefix: str) -> None:
        own = {"known": known, "brake": Brake(), "prefix": prefix}
        self._handler = type("LoginHandler", (LoginHandler,), own)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def login_handler(self) -> Any:
        return self._handler
