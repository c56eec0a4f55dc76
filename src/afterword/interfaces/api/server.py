"""The running server: what all routes share, and the way of an accepted request into the log.

Facts are taken in by one process and results are answered by another (decision 0025), so that what attribution costs
never delays an acknowledgement; tests may have both in one.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from afterword.errors import UserError
from afterword.intake.accepted import DIALECT, Accepted
from afterword.intake.bodies import Policy as IntakePolicy
from afterword.interfaces.api.access import shown
from afterword.interfaces.api.audited import Audited, Told, noted
from afterword.interfaces.api.counts import Counts, counts_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.limits import Rate, RateLimits
from afterword.interfaces.api.metrics import Metrics
from afterword.interfaces.api.together import Together
from afterword.interfaces.oidc.settings import Oidc
from afterword.log import MAX_CONTENT_BYTES, Frame, FrameTooLargeError, LogBusyError, LogClosedError, LogFailedError
from afterword.settings import TRUSTED_PROXIES, networks, rate_of, size_bytes
from afterword.store.audit import COMMAND
from afterword.store.keys import Key
from afterword.store.metadata import Metadata
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission
from afterword.workspace.backlog import Progress
from afterword.workspace.data_directory import AUDIT_DAYS, CHANGES_DAYS
from afterword.workspace.reopened_log import ReopenedLog

if TYPE_CHECKING:  # who takes facts in loads nothing of what reads them
    from afterword.workspace.answering import Answering, DataDirectory

LOGGER = logging.getLogger("afterword")
SPACE_EVERY = 1.0
"""Seconds between two looks at the free space."""
RETRY_SECONDS = "2"
THREADS = 4
MIN_BODY_BYTES = 1 << 10
LARGEST_NICE = 19
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """What the server allows."""

    body_bytes: int = 4 << 20
    batch_bytes: int = 16 << 20
    """For Afterword's own paths, which take up to 10,000 items."""
    rate: Rate = field(default_factory=lambda: Rate(250_000, 3600.0))
    track_rate: Rate = field(default_factory=lambda: Rate(3_000, 3.0))
    intake: IntakePolicy = field(default_factory=lambda: IntakePolicy(track_each=None, track_in_all=225))
    unloaded_bytes: int = 2 << 30
    """How much of the log may wait for the loader before new requests are asked to come later."""
    free_bytes: int = 256 << 20
    """With less free space than this nothing more is accepted: the log must be able to finish what it has promised."""
    body_seconds: float = 20.0
    """How long a client may take to send its body."""
    changes_days: int = CHANGES_DAYS
    """For how many days changes of conversions are kept."""
    audit_days: int = AUDIT_DAYS
    """For how many days the audit log is kept."""
    nice: int = 19
    """How far the process that answers gives way: results may wait, an acknowledgement may not."""
    trusted_proxies: str = "127.0.0.1,::1"
    """Whose word about a client's address and https is taken."""
    oidc: Oidc | None = None
    """By whom people sign in, besides passwords or instead of them."""


def make_policy(
    rate: str,
    track_rate: str,
    body_size: str,
    batch_size: str,
    free_space: str,
    unloaded_size: str,
    *,
    changes_days: int,
    audit_days: int,
    nice: int,
    trusted_proxies: str,
) -> Policy:
    """Return the policy of a server's settings.

    Raises:
        UserError: one of them is no rate or size, or out of its bounds.

    """
    if changes_days < 1:
        raise UserError(f"changes-days is {changes_days}, must be at least 1")
    if audit_days < 1:
        raise UserError(f"keep-audit-days is {audit_days}, must be at least 1")
    if not 0 <= nice <= LARGEST_NICE:
        raise UserError(f"answer-nice is {nice}, must be from 0 (gives way to nobody) to {LARGEST_NICE}")
    return Policy(
        body_bytes=size_bytes("body-size", body_size, MIN_BODY_BYTES, MAX_CONTENT_BYTES),
        batch_bytes=size_bytes("batch-size", batch_size, MIN_BODY_BYTES, MAX_CONTENT_BYTES),
        rate=Rate(*rate_of("rate", rate)),
        track_rate=Rate(*rate_of("track-rate", track_rate)),
        unloaded_bytes=size_bytes("unloaded-size", unloaded_size, MAX_CONTENT_BYTES),
        free_bytes=size_bytes("free-space", free_space, 0),
        changes_days=changes_days,
        audit_days=audit_days,
        nice=nice,
        trusted_proxies=networks(TRUSTED_PROXIES.name, trusted_proxies),
    )


class LoadState(Protocol):
    """How far the facts and the results are behind the log."""

    @property
    def loaded(self) -> int:
        """Every request before this position is among the facts."""

    @property
    def attributed(self) -> int:
        """Every request before this position is known to the results."""

    @property
    def failure(self) -> str | None:
        """What stopped loading."""

    @property
    def heard(self) -> bool:
        """Whether the process that answers is there."""

    @property
    def absent(self) -> str:
        """Why it is not, where that is known."""

    @property
    def waiting_bytes(self) -> int:
        """How much is durable and not loaded, about."""

    @property
    def oldest_waiting(self) -> int | None:
        """Since when something waits to be loaded, in microseconds since 1970."""

    @property
    def webhooks(self) -> Mapping[str, Progress]:
        """How each webhook stands, by id."""

    def wake(self, position: int, size: int) -> None:
        """Take note that a request of this size is durable."""


FirstVariants = Callable[[str, Sequence[str]], Awaitable[Mapping[str, str]]]
"""Given a campaign and users, returns to which variant those of them were first exposed that were."""


class Receives(Protocol):
    """What takes facts in."""

    @property
    def path(self) -> Path:
        """The data directory."""

    @property
    def log(self) -> ReopenedLog:
        """The log."""

    @property
    def metadata(self) -> Metadata:
        """Keys and campaigns."""

    @property
    def keeper(self) -> LoadState:
        """How far the rest is."""


class Gate:
    """Lets requests in: keys, permissions, rates."""

    def __init__(self, metadata: Metadata, policy: Policy, clock: Callable[[], int]) -> None:
        """Take what is needed.

        Args:
            metadata: has the keys.
            policy: limits.
            clock: the time, in microseconds since 1970.

        """
        self.policy = policy
        self.clock = clock
        self.metrics = Metrics()
        self.metrics.histogram("afterword_request_seconds", "Time to answer, by path and status.")
        self.metrics.counter("afterword_faults_total", "Requests that failed by a fault of the server.")
        self._metadata = metadata
        self._limits = RateLimits(policy.rate)
        self._track_limits = RateLimits(policy.track_rate)

    def key(self, request: Request, secret: str | None, permission: Permission) -> tuple[Key, dict[str, str]]:
        """Return the key that may do this, and the headers about its rate.

        Raises:
            Refused: 401 without a valid key, 403 without the permission, 429 over the rate.

        """
        key = self.allowed(secret, permission)
        limits = self._track_limits if permission is Permission.USERS_TRACK else self._limits
        return key, limits.take(key.id, time.time())

    def allowed(self, secret: str | None, permission: Permission) -> Key:
        """Return the key that may do this, which takes nothing from its rate; raises as `key`, but no 429."""
        key = self._metadata.keys.authenticate(secret, self.clock()) if secret else None
        if key is None:
            raise Refused(401, f"Invalid API key: {shown(secret)}", {"WWW-Authenticate": "Bearer"})
        if not key.allows(permission):
            raise Refused(403, f'this API key lacks the permission "{permission}"')
        return key

    def actor(self, key: Key) -> str:
        """Return how the audit log calls who has a key."""
        return COMMAND if self._metadata.keys.is_lent(key) else f"key:{key.id}"

    def note(self, key: Key, audited: Audited, call: Told, response: Response) -> None:
        """Write into the audit log what was done with a key.

        Raises:
            MetadataUnavailable: it cannot be written, and without it no persons are told. What was changed is changed:
                then the log of the server has it.

        """
        found, actor = noted(audited, call, response), self.actor(key)
        try:
            self._metadata.audit.add(
                self.clock(), actor, found.action, found.subject, found.detail, user_id=found.user_id
            )
        except MetadataUnavailable as error:
            if audited.gives_persons:
                raise
            LOGGER.error("not in the audit log: %s by %s to %s (%s)", found.action, actor, found.subject, error)


class Answers(Protocol):
    """A server that answers for facts and results: what routes that read are given."""

    @property
    def data(self) -> Answering:
        """Facts and results."""

    @property
    def policy(self) -> Policy:
        """Limits."""

    @property
    def clock(self) -> Callable[[], int]:
        """The time, in microseconds since 1970."""

    def key(self, request: Request, secret: str | None, permission: Permission) -> tuple[Key, dict[str, str]]:
        """Return the key that may do this; see `Gate.key`."""

    def actor(self, key: Key) -> str:
        """Return how the audit log calls who has a key."""

    def note(self, key: Key, audited: Audited, call: Told, response: Response) -> None:
        """Write into the audit log what was done; see `Gate.note`."""


class Reading(Gate):
    """Answers for facts and results."""

    def __init__(self, data: Answering, policy: Policy, clock: Callable[[], int]) -> None:
        super().__init__(data.metadata, policy, clock)
        self.data = data


class Receiving(Gate):
    """Takes facts in."""

    def __init__(self, data: Receives, policy: Policy, clock: Callable[[], int], first_variants: FirstVariants) -> None:
        super().__init__(data.metadata, policy, clock)
        self.data = data
        self.first_variants = first_variants
        self._space_at = float("-inf")
        self._space = 0
        self._threads = ThreadPoolExecutor(THREADS, "afterword-metadata")
        self._log = Together[int]()
        self._announce()

    def _announce(self) -> None:
        metrics, data, keeper = self.metrics, self.data, self.data.keeper
        metrics.counter("afterword_accepted_total", "Items accepted, by kind.")
        metrics.counter("afterword_rejected_total", "Items rejected, by reason.")
        metrics.gauge("afterword_log_position", "Requests that are durable.", lambda: data.log.durable)
        metrics.gauge("afterword_loaded_position", "Requests that are loaded.", lambda: keeper.loaded)
        metrics.gauge("afterword_loading_lag_seconds", "Age of what is durable and not loaded.", self._lag)
        metrics.gauge("afterword_attributed_position", "Requests that the results know.", lambda: keeper.attributed)
        metrics.gauge("afterword_log_waiting_bytes", "Bytes that wait for the disk.", lambda: data.log.pending)
        for name, text in (
            ("backlog", "Changes of conversions that a webhook has not had."),
            ("failures", "Deliveries to a webhook that failed since the last that did not."),
            ("paused", "Whether nothing is sent to a webhook."),
        ):
            metrics.gauges(f"afterword_webhook_{name}", text, "webhook", partial(_of_webhooks, keeper, name))

    def _lag(self) -> float:
        oldest = self.data.keeper.oldest_waiting
        return 0.0 if oldest is None else max(0.0, (self.clock() - oldest) / 1e6)

    async def in_thread(self, ask: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Ask the metadata on the way of facts: in threads of its own, so that reports that wait are not in the way."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(ask, *arguments, **named))

    def ready_to_accept(self) -> None:
        """Refuse while the loader is too far behind or the disk is nearly full.

        Raises:
            Refused: 429 or 503, with `Retry-After`.

        """
        keeper = self.data.keeper
        if (lost := self.data.log.failure) is not None:
            raise Refused(503, str(lost), {"Retry-After": RETRY_SECONDS})
        if keeper.failure is not None:
            raise Refused(503, f"loading has stopped: {keeper.failure}", {"Retry-After": RETRY_SECONDS})
        if keeper.waiting_bytes > self.policy.unloaded_bytes:
            raise Refused(429, "more has come in than is loaded yet: come again", {"Retry-After": RETRY_SECONDS})
        now = time.monotonic()
        if now - self._space_at > SPACE_EVERY:
            self._space, self._space_at = shutil.disk_usage(self.data.path).free, now
        if self._space < (needed := self.policy.free_bytes):
            message = f"only {self._space / 2**20:.1f} MiB of the disk are free, {needed / 2**20:.1f} must be"
            raise Refused(503, message, {"Retry-After": RETRY_SECONDS})

    def keep(self, accepted: Accepted, key: Key, received_at: int) -> Awaitable[int | None]:
        """Write what was accepted to the log; awaited, gives its position when it is durable, None if there is nothing.

        What was accepted is not held on to meanwhile: the next request then is read into memory that is still near.

        Raises:
            Refused: when awaited; 413 too large for one request, 429 the disk is behind, 503 the log cannot be written.

        """
        body = msgspec.json.encode(accepted)
        if len(body) == 2:
            return _nothing()
        append = partial(self.data.log.append, Frame(received_at, DIALECT, key.id, body))
        return self.append(append, len(body), counts_of(accepted))

    async def append(self, append: Callable[[], Future[int]], size: int, counts: Counts) -> int:
        """Have a body of some size appended, and return its position when it is durable; raises as `keep` does."""
        try:
            position = await self._log.wait(append())
        except FrameTooLargeError:
            raise Refused(413, "the request is too large for the log: send it in two") from None
        except LogBusyError:
            raise Refused(429, "the disk is behind: come again", {"Retry-After": RETRY_SECONDS}) from None
        except (LogFailedError, LogClosedError) as error:
            raise Refused(503, str(error), {"Retry-After": RETRY_SECONDS}) from None
        self.data.keeper.wake(position, size)
        for kind, count in counts.accepted:
            self.metrics.add("afterword_accepted_total", count, kind=kind)
        for reason, count in counts.rejected:
            self.metrics.add("afterword_rejected_total", count, reason=reason)
        return position


async def _nothing() -> None:
    """Wait for nothing."""


def _of_webhooks(keeper: LoadState, name: str) -> dict[str, float]:
    return {webhook: float(getattr(progress, name)) for webhook, progress in keeper.webhooks.items()}


class Server(Receiving):
    """Both in one process."""

    data: DataDirectory

    def __init__(self, data: DataDirectory, policy: Policy, clock: Callable[[], int]) -> None:
        super().__init__(data, policy, clock, self._asked_first_variants)
        self.data = data

    async def _asked_first_variants(self, campaign_id: str, users: Sequence[str]) -> Mapping[str, str]:
        return await asyncio.to_thread(self.data.first_variants, campaign_id, users)
