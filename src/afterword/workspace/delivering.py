"""Sending changes of conversions to webhooks: in order, each batch until it was received, receivers side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from afterword.store.webhooks import Webhook, Webhooks
from afterword.workspace.backlog import Progress
from afterword.workspace.deliveries import (
    GIVE_UP_MICROSECONDS,
    GONE,
    Answered,
    NotSent,
    Post,
    delivery_id,
    make_delivery,
    wait_seconds,
)
from afterword.workspace.live.feed import ChangesGone, Feed, FeedState, Page, Position, Wanted

PERIOD = 0.5
"""Seconds between two looks at the feed and the webhooks."""
BATCH = 100
"""Changes in one delivery; ids have 255 characters at most, so a body stays below 2 MiB."""
AT_ONCE = 16
"""Deliveries under way at one time; those that failed before have half of them, so the others always find a place."""
TURN = 50
"""How many batches one receiver gets before others have their turn."""
PASS_MICROSECONDS = 60 * 1_000_000
"""How often it is written down that there was nothing for a webhook."""
STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a webhook need not be asked for again."""

    webhook: Webhook
    sequence: int
    written_at: int


class Deliverer:
    """Sends until it is stopped. A position is stored when its batch was received: none is lost, some come twice."""

    def __init__(
        self,
        feed: Feed,
        webhooks: Webhooks,
        post: Post,
        clock: Callable[[], int],
        chance: Callable[[int], bytes],
        tell: Callable[[str, BaseException | None], None],
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            feed: what is sent.
            webhooks: to whom.
            post: sends one request.
            clock: the time, in microseconds since 1970.
            chance: gives so many unpredictable bytes.
            tell: told what goes wrong here, with the error; what goes wrong at a receiver is in its webhook.

        """
        self._feed = feed
        self._webhooks = webhooks
        self._post = post
        self._clock = clock
        self._chance = chance
        self._tell = tell
        self._changed = threading.Condition()
        self._stopping = False
        self._waiting = False
        self._under_way: dict[str, bool] = {}
        self._passed: dict[str, _Passed] = {}
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="afterword-webhooks", daemon=True)
        self.progress: Mapping[str, Progress] = {}
        """How each webhook stands, by id."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other delivery, and wait a little for those under way; what is not stored is sent again."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._under_way, STOP_SECONDS)
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping:
            self._tried(self._round)
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._waiting, PERIOD)
                self._waiting = False

    def _tried(self, work: Callable[[], None]) -> None:
        """Do something; whatever goes wrong, the next round tries again. A failure is told once as long as it lasts."""
        try:
            work()
        except Exception as error:
            message = (str(error) or type(error).__name__).splitlines()[0]
            if self._told != message and not self._stopping:
                self._told = message
                self._tell(f"webhooks are not served and tried again: {message}", error)
        else:
            self._told = ""

    def _round(self) -> None:
        webhooks, state = self._webhooks.list(), self._feed.state
        self._passed = {one.id: self._passed[one.id] for one in webhooks if one.id in self._passed}
        self.progress = {
            one.id: Progress(max(0, state.last - self._had(one)), one.failures, one.paused_at is not None)
            for one in webhooks
        }
        now = self._clock()
        for webhook in sorted(webhooks, key=lambda one: one.next_attempt or 0):
            if self._is_due(webhook, state, now) and self._takes_place(webhook):
                threading.Thread(target=self._serve, args=(webhook,), name=webhook.id, daemon=True).start()

    def _had(self, webhook: Webhook) -> int:
        """Return up to where there is nothing to be sent any more."""
        passed = self._passed.get(webhook.id)
        is_same = passed is not None and _place(passed.webhook) == _place(webhook)
        return passed.sequence if passed is not None and is_same else webhook.position

    def _is_due(self, webhook: Webhook, state: FeedState, now: int) -> bool:
        if webhook.paused_at is not None or (webhook.next_attempt or 0) > now:
            return False
        return self._had(webhook) != state.last or webhook.feed != state.born

    def _takes_place(self, webhook: Webhook) -> bool:
        with self._changed:
            failing = webhook.failures > 0
            alike = sum(other == failing for other in self._under_way.values())
            if webhook.id in self._under_way or len(self._under_way) >= AT_ONCE or (failing and alike >= AT_ONCE // 2):
                return False
            self._under_way[webhook.id] = failing
            return True

    def _serve(self, webhook: Webhook) -> None:
        """Send batch after batch to one receiver."""
        try:
            self._tried(lambda: self._send_all(webhook))
        finally:
            with self._changed:
                del self._under_way[webhook.id]
                self._changed.notify_all()

    def _send_all(self, webhook: Webhook) -> None:
        current: Webhook | None = webhook
        page = self._next(webhook, webhook.sending_to)
        for _ in range(TURN):
            if self._stopping or current is None or page is None:
                return
            reached = page.reached.sequence
            if not page.changes:
                current = self._pass(current, reached)
                page = self._next(current, None) if current is not None and page.more else None
                continue
            if current.sending_to is None:
                current = self._webhooks.begin(current, reached)
            if current is None or not self._send(current, page):
                return
            # One write stores what was received and what comes next.
            page = self._next(current, None, after=reached)
            following = page.reached.sequence if page is not None and page.changes else None
            current = self._webhooks.delivered(current, reached, self._clock(), following)
        with self._changed:
            self._waiting = True  # for another turn, after those who have waited meanwhile

    def _next(self, webhook: Webhook, until: int | None, after: int | None = None) -> Page | None:
        """Return what is to be sent next; None if the feed does not have it any more."""
        place = Position(webhook.feed, self._had(webhook) if after is None else after)
        wanted = Wanted(webhook.campaigns, webhook.conversion_events)
        try:
            return self._feed.read(place, BATCH, wanted, until)
        except ChangesGone as error:
            self._webhooks.gave_up(webhook, f"paused: {error}", self._clock())
            return None

    def _pass(self, webhook: Webhook, reached: int) -> Webhook | None:
        """Take note that there was nothing for a webhook, in memory most of the time."""
        if webhook.sending_to is None and reached == webhook.position:
            return webhook
        now, passed = self._clock(), self._passed.get(webhook.id)
        if webhook.sending_to is not None or passed is None or abs(now - passed.written_at) > PASS_MICROSECONDS:
            stored = self._webhooks.passed(webhook, reached)
            if stored is not None:
                self._passed[webhook.id] = _Passed(stored, reached, now)
            return stored
        self._passed[webhook.id] = _Passed(webhook, reached, passed.written_at)
        return webhook

    def _send(self, webhook: Webhook, page: Page) -> bool:
        """Send a batch; return whether it was received."""
        delivery = make_delivery(webhook, delivery_id(webhook), page.changes, self._clock())
        try:
            answered = self._post(webhook.url, delivery.headers, delivery.body)
        except NotSent as error:
            self._fail(webhook, str(error), None)
            return False
        if not answered.received:
            self._fail(webhook, f"the receiver answered {answered.status}", answered)
        return answered.received

    def _fail(self, webhook: Webhook, error: str, answered: Answered | None) -> None:
        now = self._clock()
        since = now if webhook.failing_since is None else webhook.failing_since
        if answered is not None and answered.status == GONE:
            self._webhooks.gave_up(webhook, "paused: the receiver answered 410, it wants no more deliveries", now)
            return
        if now - since > GIVE_UP_MICROSECONDS:
            self._webhooks.gave_up(webhook, f"paused after three days without success: {error}", now)
            return
        asked = None if answered is None else answered.retry_after
        wait = wait_seconds(webhook.failures + 1, asked, now, self._chance)
        self._webhooks.failed(webhook, error, since, now + round(wait * 1e6))


def _place(webhook: Webhook) -> tuple[int, int, int]:
    return webhook.feed, webhook.position, webhook.updated_at
