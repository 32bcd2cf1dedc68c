"""Sends the messages of webhooks until they are taken: at least once each, whatever is killed meanwhile.

A message is a row before anything is sent; whoever sends it holds a lease. A server killed in between
leaves a lease that ends, and the message goes again under its own id.
"""

import datetime as dt
from collections import Counter

import anyio
import msgspec
import structlog
from anyio import to_thread
from anyio.abc import TaskGroup

from releve.flow.clock import Clock
from releve.flow.server.live import EVERYTHING, Live
from releve.flow.server.ports import Store
from releve.flow.server.tool_ports import Poster, PostFailed
from releve.flow.server.tools import signing, webhooks
from releve.flow.server.tools.webhooks import NewId
from releve.model.webhook import Delivery, Webhook

log = structlog.get_logger()
_CHANGED = msgspec.structs.replace
_MOST_SENDS = 32
_MOST_OF_ONE = 8  # of one structure at a time: its receivers may be slow on purpose
_TICK_SECONDS = 1.0
_SWEEP = dt.timedelta(seconds=10)  # what another process wrote touches nothing here
_GONE = 410


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a receiver is waited for: the example schedule of the Standard Webhooks specification."""

    retries: tuple[dt.timedelta, ...] = (
        dt.timedelta(seconds=5),
        dt.timedelta(minutes=5),
        dt.timedelta(minutes=30),
        dt.timedelta(hours=2),
        dt.timedelta(hours=5),
        dt.timedelta(hours=10),
        dt.timedelta(hours=14),
        dt.timedelta(hours=20),
        dt.timedelta(hours=24),
    )
    disable_after: dt.timedelta = dt.timedelta(days=5)  # without one message taken
    send: dt.timedelta = dt.timedelta(seconds=15)
    lease: dt.timedelta = dt.timedelta(seconds=60)


PATIENCE = Patience()


class Sender:
    """One server's part in it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        live: Live,
        *,
        poster: Poster,
        new_id: NewId,
        patience: Patience,
    ) -> None:
        self._store, self._clock, self._live = store, clock, live
        self._poster, self._new_id, self.patience = poster, new_id, patience
        self._looked: dict[str, tuple[int, dt.datetime]] = {}  # version seen, when to look again
        self._under_way = Counter[str]()  # sends, by structure

    async def run_forever(self) -> None:
        """Never returns; what goes wrong with one structure hinders no other."""
        if not self._store.is_shared:
            # The only server of its database: what was being sent before it began is sent by nobody.
            await to_thread.run_sync(self.wake_all)
        async with anyio.create_task_group() as tasks:
            while True:
                known = self._live.version(EVERYTHING)
                try:
                    for structure in await to_thread.run_sync(self._due):
                        await self._look(tasks, structure)
                except Exception:
                    log.exception("webhooks_not_looked_at")
                await self._live.wait(EVERYTHING, known, _TICK_SECONDS)
                await anyio.sleep(_TICK_SECONDS / 10)  # many news at once are one look

    def wake_all(self) -> None:
        for structure in self._store.structures():
            with self._store.unit(structure.id) as unit:
                unit.wake_deliveries(self._clock.now())

    async def _look(self, tasks: TaskGroup, structure: str) -> None:
        version, now = self._live.version(structure), self._clock.now()
        try:
            claimed, again_at = await to_thread.run_sync(self.claim, structure)
        except Exception:
            log.exception("webhooks_not_sent", structure=structure)
            claimed, again_at = [], None
        wake = min(again_at or now + _SWEEP, now + _SWEEP)
        self._looked[structure] = (version, wake)
        for delivery in claimed:
            self._under_way[structure] += 1
            tasks.start_soon(self._send_one, structure, delivery)

    def _due(self) -> list[str]:
        now = self._clock.now()
        found = []
        for structure in self._store.structures():
            version, at = self._looked.get(structure.id, (-1, now))
            if version != self._live.version(structure.id) or at <= now:
                found.append(structure.id)
        # Who has least under way first: what is free goes round.
        return sorted(found, key=self._under_way.__getitem__)

    def claim(self, structure: str) -> tuple[list[Delivery], dt.datetime | None]:
        """Make messages of what is new, and take those that are due; when the next one will be."""
        now = self._clock.now()
        with self._store.unit(structure, writes=False) as unit:
            hooks = webhooks.enabled(unit)
            if not hooks:
                return [], None
            has_news = webhooks.has_news(unit, hooks)
            next_at = unit.next_delivery_at([hook.id for hook in hooks])
        most = min(_MOST_OF_ONE - self._under_way[structure], _MOST_SENDS - self._under_way.total())
        if not has_news and (next_at is None or next_at > now or most <= 0):
            return [], next_at if most > 0 else None  # what ends looks again
        with self._store.unit(structure) as unit:
            webhooks.gather(unit, self._new_id, now)
            ids, until = [hook.id for hook in webhooks.enabled(unit)], now + self.patience.lease
            claimed = unit.claim_deliveries(ids, now, until, most=max(most, 0))
            return claimed, unit.next_delivery_at(ids) if len(claimed) < most else None

    async def _send_one(self, structure: str, delivery: Delivery) -> None:
        try:
            await self.send(structure, delivery)
        except Exception:
            # Its lease ends, and it goes again.
            log.exception("webhook_not_sent", delivery=delivery.id)
        finally:
            self._under_way[structure] -= 1
            self._looked.pop(structure, None)

    async def send(self, structure: str, delivery: Delivery) -> None:
        """One try, and what came of it, durably."""
        known = await to_thread.run_sync(self._webhook, structure, delivery.webhook)
        if known is None:
            return
        webhook, key = known
        why, status = "", 0
        seconds = int(self._clock.now().timestamp())
        headers = signing.headers(delivery.id, seconds, delivery.body, key)
        try:
            with anyio.fail_after(self.patience.send.total_seconds()):
                status = await self._poster.post(webhook.url, headers, delivery.body)
        except PostFailed as failed:
            why = failed.why
        except TimeoutError:
            why = "time"
        if not why and not 200 <= status < 300:
            why = f"status {status}"
        await to_thread.run_sync(self.end, structure, delivery, why)
        log.info("webhook_sent", webhook=webhook.id, delivery=delivery.id, failed=why)

    def _webhook(self, structure: str, webhook: str) -> tuple[Webhook, bytes] | None:
        with self._store.unit(structure, writes=False) as unit:
            return unit.webhook(webhook)

    def end(self, structure: str, delivery: Delivery, why: str) -> None:
        """Keep the outcome of a try: taken, to be tried again, or given up; `why` empty: taken."""
        now = self._clock.now()
        with self._store.unit(structure) as unit:
            unit.hold()
            known = unit.webhook(delivery.webhook, lock=True)
            if known is None:
                return
            webhook = known[0]
            if not why:
                webhook = _CHANGED(webhook, last_good_at=now, failing_since=None, why="")
                taken = _CHANGED(delivery, tries=delivery.tries + 1, taken_at=now, due_at=None)
                unit.put_webhook(webhook)
                unit.put_delivery(_CHANGED(taken, why=""))
                return
            webhook = _failed(webhook, why, self.patience, now)
            unit.put_webhook(webhook)
            unit.put_delivery(_tried(delivery, why, self.patience, now))
            if webhook.disabled_at is not None and known[0].disabled_at is None:
                unit.record(now, "server", f"webhook/{webhook.id}", "disable", why)
                log.warning("webhook_disabled", webhook=webhook.id, why=why)


def _failed(webhook: Webhook, why: str, patience: Patience, now: dt.datetime) -> Webhook:
    """Nothing is sent any more to who has said to be gone, or took nothing for too long."""
    since = webhook.failing_since or now
    is_over = why == f"status {_GONE}" or now - since >= patience.disable_after
    disabled_at = webhook.disabled_at or (now if is_over else None)
    return _CHANGED(webhook, failing_since=since, why=why, disabled_at=disabled_at)


def _tried(delivery: Delivery, why: str, patience: Patience, now: dt.datetime) -> Delivery:
    """Given up after the last of the retries."""
    is_last = delivery.tries >= len(patience.retries)
    due_at = None if is_last else now + patience.retries[delivery.tries]
    return _CHANGED(delivery, tries=delivery.tries + 1, why=why, due_at=due_at)
