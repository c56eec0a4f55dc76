"""How many wrong passwords came from where: a limit per network address, beside the one per account.

The one per account (`store.sign_ins`) does not notice who tries one usual password at each of many accounts. Kept in
memory: a server that is started again begins anew.
"""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

FREE = 30
"""So many wrong passwords may come from an address at once."""
BACK_MICROSECONDS = 20_000_000
"""After so long one more may."""
SITE_BITS = 64
"""What a provider gives one customer of IPv6; the rest of an address is theirs to choose."""
MANY = 10_000


@dataclass(slots=True)
class _Counted:
    wrong: float
    at: int

    def still(self, now: int) -> float:
        """Return how many are not forgiven yet; a clock that was set back forgives none."""
        return max(0.0, self.wrong - max(0, now - self.at) / BACK_MICROSECONDS)


class Guesses:
    """Counts wrong passwords by network address. May be used by several threads; times are epoch microseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[str, _Counted] = {}

    def take(self, client: str, now: int) -> int | None:
        """Count a password as wrong before it is judged, so that many at once are no better than one by one.

        Returns from when on the next may come if this one comes too early; it is not counted then. An address that
        tells nobody apart has no limit: none at all, and that of this machine, where a proxy is that says nothing.
        """
        if (site := site_of(client)) is None:
            return None
        with self._lock:
            wrong = self._counted[site].still(now) if site in self._counted else 0.0
            if wrong > FREE - 1:
                return now + int((wrong - (FREE - 1)) * BACK_MICROSECONDS) + 1
            if len(self._counted) >= MANY:
                self._forget(now)
            self._counted[site] = _Counted(wrong + 1, now)
            return None

    def give_back(self, client: str, now: int) -> None:
        """Take one back: the password was right."""
        site = site_of(client)
        with self._lock:
            if site is not None and (found := self._counted.get(site)) is not None:
                self._counted[site] = _Counted(max(0.0, found.still(now) - 1), now)

    def _forget(self, now: int) -> None:
        """Make room: of who is forgiven, or else of who guessed least."""
        known = sorted(self._counted, key=lambda site: self._counted[site].still(now))
        least = next((at for at, site in enumerate(known) if self._counted[site].still(now)), MANY)
        for site in known[: max(least, MANY // 10)]:
            del self._counted[site]


def site_of(client: str) -> str | None:
    """Return what is counted for an address: IPv4 as it is, of IPv6 the customer's part; None for what is not."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client[:100] or None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return None if address.is_loopback else str(ipaddress.ip_network((int(address), SITE_BITS), strict=False))
        address = address.ipv4_mapped
    return None if address.is_loopback else str(address)
