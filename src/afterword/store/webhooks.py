"""Webhooks: where changes of conversions are sent, which of them, and how far each receiver is."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError, nearest
from afterword.model import LETTERS
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import campaigns as campaigns_table
from afterword.store.metadata_tables import webhooks as table

MAX_WEBHOOKS = 100
MAX_URL = 2000
SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"
_ID_BYTES = 10


class UnknownWebhook(UserError):
    """No webhook has this id."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook. Times are epoch microseconds; positions are sequence numbers of the feed of changes."""

    id: str
    url: str
    campaigns: tuple[str, ...] | None
    """Ids of the campaigns whose changes are sent; None is all."""
    conversion_events: tuple[str, ...] | None
    """Letters of the conversion events whose changes are sent; None is all."""
    secret: str = field(repr=False)
    """By which deliveries are signed: `whsec_` and the key in base64."""
    created_at: int
    updated_at: int
    feed: int
    """The feed that the positions are of; see `workspace.live.feed`."""
    position: int
    """The receiver has had everything up to here."""
    sending_to: int | None
    """The end of the batch that is being sent; it stays until the batch was received, so that it is the same again."""
    delivered_at: int | None
    failures: int
    """In a row."""
    failing_since: int | None
    next_attempt: int | None
    last_error: str | None
    paused_at: int | None

    @property
    def key(self) -> bytes:
        """What signs."""
        return base64.b64decode(self.secret.removeprefix(SECRET_PREFIX))


class Webhooks:
    """The webhooks of a workspace. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        url: str,
        campaigns: Collection[str] | None,
        conversion_events: Collection[str] | None,
        place: tuple[int, int],
        now: int,
        random_bytes: Callable[[int], bytes],
    ) -> Webhook:
        """Make a webhook.

        Args:
            url: http or https.
            campaigns: ids; None is all.
            conversion_events: letters; None is all.
            place: a feed, and the position from which on changes are sent.
            now: epoch microseconds.
            random_bytes: gives so many unpredictable bytes, such as `os.urandom`.

        Raises:
            UserError: such a webhook cannot be.

        """
        webhook_id = f"wh_{base64.b32encode(random_bytes(_ID_BYTES)).decode('ascii').lower()}"
        secret = SECRET_PREFIX + base64.b64encode(random_bytes(SECRET_BYTES)).decode("ascii")
        with self._database.writing() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            if count >= MAX_WEBHOOKS:
                raise UserError(f"there are {count} webhooks, at most {MAX_WEBHOOKS} are allowed: delete one")
            values: dict[str, Any] = {
                **_wanted(connection, url, campaigns, conversion_events),
                "id": webhook_id, "secret": secret, "created_at": now, "updated_at": now,
                "feed": place[0], "position": place[1], "failures": 0,
            }  # fmt: skip
            connection.execute(sa.insert(table).values(**values))
            return _found(connection, webhook_id)

    def list(self) -> Sequence[Webhook]:
        """Return all webhooks, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.created_at, table.c.id))
            return [_webhook(row) for row in rows]

    def get(self, webhook_id: str) -> Webhook:
        """Return a webhook; raises `UnknownWebhook`."""
        with self._database.reading() as connection:
            return _found(connection, webhook_id)

    def change(
        self,
        webhook_id: str,
        url: str,
        campaigns: Collection[str] | None,
        conversion_events: Collection[str] | None,
        now: int,
    ) -> Webhook:
        """Change where and what is sent, from the position on; it is tried at once. Raises as `create` and `get`."""
        with self._database.writing() as connection:
            before = _found(connection, webhook_id)
            values = _wanted(connection, url, campaigns, conversion_events)
            # A batch that the receiver may have had already must not be taken for one of another content.
            return _set(connection, before, **values, **_TRIED_AFRESH, sending_to=None, updated_at=_later(before, now))

    def delete(self, webhook_id: str) -> Webhook:
        """Forget a webhook, its secret with it; raises `UnknownWebhook`."""
        with self._database.writing() as connection:
            webhook = _found(connection, webhook_id)
            connection.execute(sa.delete(table).where(table.c.id == webhook_id))
            return webhook

    def pause(self, webhook_id: str, now: int) -> Webhook:
        """Send nothing until `resume`; raises `UnknownWebhook`."""
        with self._database.writing() as connection:
            return _set(connection, _found(connection, webhook_id), paused_at=now, next_attempt=None)

    def resume(self, webhook_id: str, now: int, place: tuple[int, int] | None = None) -> Webhook:
        """Send again, from where it stood or from a feed and a position; raises `UnknownWebhook`."""
        with self._database.writing() as connection:
            before = _found(connection, webhook_id)
            values: dict[str, Any] = {**_TRIED_AFRESH, "paused_at": None}
            if place is not None:
                moved = {"feed": place[0], "position": place[1], "sending_to": None}
                values |= {**moved, "updated_at": _later(before, now)}
            return _set(connection, before, **values)

    def begin(self, webhook: Webhook, sending_to: int) -> Webhook | None:
        """Take note of the end of a batch before it is sent; None if the webhook is not what it was."""
        return self._progress(webhook, sending_to=sending_to)

    def delivered(self, webhook: Webhook, position: int, now: int, sending_to: int | None = None) -> Webhook | None:
        """Take note that a batch was received, and of the end of the next; None if the webhook is not what it was."""
        values: dict[str, Any] = {**_TRIED_AFRESH, "position": position, "sending_to": sending_to}
        return self._progress(webhook, **values, delivered_at=now)

    def passed(self, webhook: Webhook, position: int) -> Webhook | None:
        """Take note that there was nothing to be sent up to a position; None if the webhook is not what it was."""
        return self._progress(webhook, position=position, sending_to=None)

    def failed(self, webhook: Webhook, error: str, since: int, next_attempt: int) -> Webhook | None:
        """Take note of a failure; None if the webhook is not what it was."""
        failing: dict[str, Any] = {"failures": webhook.failures + 1, "failing_since": since, "last_error": error}
        return self._progress(webhook, **failing, next_attempt=next_attempt)

    def gave_up(self, webhook: Webhook, why: str, now: int) -> Webhook | None:
        """Pause a webhook that cannot be served; None if it is not what it was."""
        return self._progress(webhook, last_error=why, paused_at=now, next_attempt=None)

    def had_by_all(self, feed: int) -> int | None:
        """Return up to where all webhooks that are not paused have had a feed; None if none waits for it."""
        active = sa.select(sa.func.min(table.c.position)).where(table.c.paused_at.is_(None), table.c.feed == feed)
        with self._database.reading() as connection:
            found = connection.execute(active).scalar()
            return None if found is None else int(found)

    def _progress(self, webhook: Webhook, **values: Any) -> Webhook | None:
        """Write how far it is, unless somebody changed, moved, paused or deleted it meanwhile."""
        same = [getattr(table.c, name) == getattr(webhook, name) for name in ("id", "updated_at", "feed", "position")]
        with self._database.writing() as connection:
            done = connection.execute(sa.update(table).where(*same, table.c.paused_at.is_(None)).values(**values))
            return _found(connection, webhook.id) if done.rowcount else None


_TRIED_AFRESH: dict[str, Any] = {"failures": 0, "failing_since": None, "next_attempt": None, "last_error": None}


def _later(before: Webhook, now: int) -> int:
    """Return a time that tells the changed webhook from the one before, whatever the clock says."""
    return max(now, before.updated_at + 1)


def _wanted(
    connection: Connection, url: str, campaigns: Collection[str] | None, conversion_events: Collection[str] | None
) -> dict[str, Any]:
    """Check what a webhook sends, and where to."""
    if campaigns is not None:
        known = list(connection.execute(sa.select(campaigns_table.c.id)).scalars())
        for name in campaigns:
            if name not in known:
                raise UserError(f'unknown campaign "{name[:255]}"{nearest(name, known)}')
    for letter in conversion_events or ():
        if letter not in LETTERS or len(letter) != 1:
            raise UserError(f'conversion_events has "{letter[:20]}", must be letters of A to {LETTERS[-1]}')
    for name, listed in (("campaigns", campaigns), ("conversion_events", conversion_events)):
        if listed is not None and not listed:
            raise UserError(f"{name} is empty, so nothing would ever be sent; leave it out for all")
    return {
        "url": checked_url(url),
        "campaigns": _listed(campaigns),
        "conversion_events": _listed(conversion_events),
    }


def checked_url(url: str) -> str:
    """Return a URL that can be sent to; raises `UserError`, without repeating what may hold a password."""
    if len(url) > MAX_URL:
        raise UserError(f"url has {len(url)} characters, at most {MAX_URL} are allowed")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UserError("url holds characters that are not plain ASCII: escape them with %, write names in punycode")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - is read only where it is asked for
    except ValueError as error:
        raise UserError(f"url cannot be read: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise UserError(f'url begins with "{parts.scheme[:20]}:", must begin with https:// or http://')
    if not parts.hostname:
        raise UserError("url names no host")
    if "@" in parts.netloc:
        raise UserError("url holds a user name or password, which every answer would show: check the signature instead")
    if parts.fragment:
        raise UserError("url has a part after #, which is never sent: leave it out")
    return url


def _listed(names: Collection[str] | None) -> str | None:
    return None if names is None else json.dumps(sorted(set(names)))


def _set(connection: Connection, webhook: Webhook, **values: Any) -> Webhook:
    connection.execute(sa.update(table).where(table.c.id == webhook.id).values(**values))
    return _found(connection, webhook.id)


def _found(connection: Connection, webhook_id: str) -> Webhook:
    row = connection.execute(sa.select(table).where(table.c.id == webhook_id)).first()
    if row is None:
        raise UnknownWebhook(f'there is no webhook "{webhook_id[:40]}"')
    return _webhook(row)


def _webhook(row: Any) -> Webhook:
    values = dict(row._mapping)
    for name in ("campaigns", "conversion_events"):
        values[name] = None if values[name] is None else tuple(json.loads(values[name]))
    return Webhook(**values)
