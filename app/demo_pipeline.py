"""The demo's pipeline: other people's systems on this machine, and the first demo shop connected to them. Its runs are
executed as any shop's are (``app.pipeline``).

It begins once the shop is ready and its agents are loaded, on threads of its own, so nobody waits for it. What the
vendors hold is kept in the home every few seconds and when the process ends, and taken up by the next one; a process
that is killed takes the last seconds of theirs along (``engine.sync.sandbox.keeping`` says what is never kept).
"""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import text, update

from engine.db import Addresses
from engine.embedded.files import write_atomic
from engine.kit import clock
from engine.kit.envelope import derive
from engine.runtime import Runtime
from engine.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from engine.sync.sandbox.world import World

log = structlog.get_logger(__name__)
PICKS_AFTER, SHIPS_AFTER, RECEIVES_AFTER = (timedelta(seconds=seconds) for seconds in (5, 15, 60))
"""The warehouse's pace in the demo."""
BEAT_SECONDS: Final = 2.0
"""How often what the polls ask for is due, and orders are released."""
HASTENED: Final = ("netsuiteToDCL", "dclTrackingUpdate", "partnerAnswer", "netsuiteInvoice", "netsuitePayment")
KEEP_EVERY: Final = 5
"""Beats."""
FILE: Final = "sandbox.world"
PRESET: Final = "summit"
_JOURNAL: Final = 2_000
"""Requests that the sandbox remembers."""
_LATELY: Final = timedelta(minutes=5)
"""Longer than that nothing is in haste: what waits then waits for a person, or for a system that is down."""
_CALMER: Final = 10
"""What began so long ago is asked about every tenth of that: the first seconds count, later there is less to hear."""
_BEGAN: Final = text("""
SELECT greatest(
  (SELECT max(released_at) FROM app.fulfillments WHERE tenant_id = :tenant AND partner <> 'own'
    AND status IN ('released', 'accepted', 'cancel_requested')),
  (SELECT max(created_at) FROM app.sync_runs WHERE tenant_id = :tenant AND subject_kind = 'order'))
""")
"""When the newest thing that is on its way began."""
_JOIN_SECONDS: Final = 1.0
"""What a stop waits for: a beat that is longer under way is left."""


@dataclass
class DemoPipeline:
    """Starts and stops with the serving process. ``url`` is where the sandbox answers, once it does."""

    settings: Settings
    addresses: Addresses
    runtime: Runtime
    web_origin: str
    url: str = ""
    tenant_id: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _world: World | None = None
    _keeping: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="demo-pipeline", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nobody asks the vendors any more when this is called: what they hold is kept."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)
        if self._world is not None:
            self._keep()

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                self._open(stack)
        except Exception:
            log.exception("demo pipeline ended")

    def _open(self, stack: contextlib.ExitStack) -> None:
        from app.demo_systems import connect, first_shop
        from engine.sync.sandbox.serving import serving

        with self.runtime.store.without_tenant() as session:
            shop = first_shop(session)
        if shop is None:
            return
        self.tenant_id = shop.id
        self._world = world = self._made()
        served = stack.enter_context(serving(world))
        with self.runtime.unit_of_work(shop.id) as session:
            first = connect(session, self.runtime, shop.id, world.merchants[0], served.url)
        self.url = served.url
        log.info("demo pipeline runs", sandbox=served.url, first=first)
        self._beat()

    def _made(self) -> World:
        """The world of this home: as it was left, or new. The same home has the same credentials."""
        from engine.sync.sandbox import keeping
        from engine.sync.sandbox.journal import Journal
        from engine.sync.sandbox.world import World

        seed = int.from_bytes(derive(self.addresses.secret_key, "demo sandbox")[:6])
        world = World.preset(PRESET, seed=seed)
        if self._file.exists():
            try:
                keeping.take_up(world, base64.b64decode(self._file.read_bytes()))
            except ValueError as error:
                log.warning("sandbox begins anew", why=str(error))
        world.ground.journal = Journal(_JOURNAL)
        for merchant in world.merchants:
            pace = merchant.house.pace
            pace.picks_after, pace.ships_after, pace.receives_after = PICKS_AFTER, SHIPS_AFTER, RECEIVES_AFTER
        return world

    def _beat(self) -> None:
        """Until told to stop: the demo's haste, and what is kept."""
        beats = 0
        while not self._stop.wait(BEAT_SECONDS):
            beats += 1
            jobs: list[Callable[[], None]] = [self._hasten]
            if beats % KEEP_EVERY == 0:
                jobs.append(self._keep)
            for job in jobs:
                try:
                    job()
                except Exception:
                    log.exception("job failed", job=job.__name__)

    def _hasten(self) -> None:
        """What a shop would wait minutes for is due soon, while something is on its way."""
        from engine.fulfillment.release import release_due
        from engine.workflows.models import CursorRow

        release_due(self.runtime, self.tenant_id)
        now = clock.now()
        with self.runtime.unit_of_work(self.tenant_id) as session:
            began = session.scalar(_BEGAN, {"tenant": self.tenant_id})
            if began is None or now - began > _LATELY:
                return
            due = update(CursorRow).where(
                CursorRow.tenant_id == self.tenant_id,
                CursorRow.workflow.in_(HASTENED),
                CursorRow.failures == 0,
                CursorRow.polled_at <= now - (now - began) / _CALMER,
            )
            session.execute(due.values(due_at=now).execution_options(synchronize_session=False))

    def _keep(self) -> None:
        """Write down what the vendors hold."""
        from engine.sync.sandbox import keeping

        assert self._world is not None
        with self._keeping:
            write_atomic(self._file, base64.b64encode(keeping.keep(self._world)).decode(), sync=False)

    @property
    def _file(self) -> Path:
        return self.settings.home / FILE
