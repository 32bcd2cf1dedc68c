"""`releve vault standing`: what the vault tells each structure of itself, signed; the gate sends it."""

import json
import shutil
from collections import defaultdict

import click
import msgspec
import structlog

from releve.adapters.vault import scrub as scrubbing
from releve.apps.vault.access import Access
from releve.apps.vault.copies import Copies
from releve.apps.vault.keeping import Keeper
from releve.apps.vault.opened import Vault
from releve.apps.vault.show import data_option, json_option, size, tell, when
from releve.flow.vault import heads, openings, retention, schedule
from releve.flow.vault import standing as core
from releve.flow.vault.copying import is_proved
from releve.model.copies import Copy, CopyKind
from releve.model.errors import ReleveError
from releve.model.standing import (
    CopyStanding,
    JobStanding,
    RoomStanding,
    ScrubStanding,
    Standing,
)
from releve.recover.forecast import Forecast, forecast

log = structlog.get_logger()
_HOUR_NS = 3_600_000_000_000
OVERDUE_NS = 26 * _HOUR_NS  # a daily run, and two hours


class StandingNotTakenError(ReleveError):
    """The server did not take the standing."""

    status = 123
    remedy = "See `releve vault init` (--server-url, --server-token-file, --server-authority)."

    def __init__(self, why: str) -> None:
        super().__init__(f"The server did not take it: {why}.")


class Standings:
    """Composes the standings of one vault; the forecast, which reads the whole journal, once an hour."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._room: RoomStanding | None = None
        self._per_day: dict[str, dict[str, int]] = {}
        self._proofs = core.Proofs()

    def structures(self) -> list[str]:
        """Those of which the vault has anything, by name."""
        standing = (one for one in self._vault.book.generations() if not one.dropped_ns)
        return sorted({one.repository.structure for one in standing})

    def make(self, structure: str) -> Standing:
        vault, layout = self._vault, self._vault.layout
        now_ns, end = vault.clock.now_ns(), vault.journal.end
        self._foresee(now_ns)
        scrub = scrubbing.load(layout)
        passes = scrub.passes if scrub else ()
        per_day = self._per_day.get(structure, {})
        access = Access(vault)
        holds = retention.read(list(vault.book.deeds)).holds.values()
        public = layout.key().public_key().public_bytes_raw()
        hosts = core.hosts(vault.book, structure, passes, per_day, now_ns, self._proofs)
        made = Standing(
            vault=heads.fingerprint(public),
            name=vault.config.name,
            structure=structure,
            at_ns=now_ns,
            wall_ns=vault.clock.wall_ns(),
            seq=end.seq,
            hash=end.hash,
            hosts=hosts,
            scrub=_scrub(scrub) if scrub else None,
            copies=self._copies(now_ns, self._own_receipts(structure)),
            jobs=tuple(_job(one) for one in Keeper(vault).standing()),
            room=self._room,
            holds=tuple(
                core.hold(one) for one in holds if one.structure == structure and not one.lifted_ns
            ),
            openings=tuple(
                core.opening(one)
                for one in access.openings.all()
                if one.structure == structure and openings.is_standing(one, now_ns)
            ),
            paths=tuple(
                core.path(one)
                for one in access.agreements.all()
                if one.structure == structure and not one.drill_every_days
                if openings.stands(one, access.approvers.all(), now_ns)
            ),
            approvers=sum(not one.removed_ns for one in access.approvers.all()),
        )
        return core.own_figures(made) if self._is_shared() else made

    def _is_shared(self) -> bool:
        return len(self.structures()) > 1

    def _own_receipts(self, structure: str) -> frozenset[int] | None:
        """Their numbers; None: the vault is nobody else's."""
        if not self._is_shared():
            return None
        book = self._vault.book
        own = (g.repository for g in book.generations() if g.repository.structure == structure)
        return frozenset(held.seq for one in own for held in book.objects(one))

    def _foresee(self, now_ns: int) -> None:
        if self._room is not None and now_ns - self._room.at_ns < _HOUR_NS:
            return
        vault = self._vault
        disk = shutil.disk_usage(vault.layout.repos)
        told = forecast(vault.entries(), now_ns, disk.free - vault.config.reserve_bytes)
        self._room = _room(told, now_ns, disk.total)
        self._per_day = defaultdict(dict)
        for host in told.hosts:
            self._per_day[host.structure][host.host] = host.bytes_per_day

    def _copies(self, now_ns: int, own: frozenset[int] | None) -> tuple[CopyStanding, ...]:
        copies = Copies(self._vault.layout)
        return tuple(_copy(copies, one, now_ns, own) for one in copies.all())


class StandingTeller:
    """Sends each structure its standing."""

    def __init__(self, vault: Vault) -> None:
        self._vault, self._standings = vault, Standings(vault)

    def send(self) -> str:
        """To the server, with each structure's own token; why the last one failed, if one did."""
        server, why = self._vault.server, ""
        key = self._vault.layout.key()
        for token_of in server.tokens:
            # A vault that has received nothing yet tells of itself all the same.
            for structure in [token_of] if token_of else self._standings.structures() or [""]:
                made = core.sign(key, self._standings.make(structure))
                answer = server.post("standing", msgspec.json.encode(made), token_of)
                why = why if answer.is_gone else answer.why or why
        return why


@click.command()
@click.option("--structure", default="", help="Sinon toutes.")
@click.option("--send", "sent", is_flag=True, help="L'envoyer au serveur, maintenant.")
@data_option
@json_option
def standing(structure: str, data: str, *, sent: bool, as_json: bool) -> None:
    """L'état que le coffre signe et dit au serveur / the standing that the vault signs and tells.

    Last backups, shares read again, copies and their proof, forecast, holds, openings; no file name.
    The gate sends it every five minutes.

    Example: releve vault standing --json
    """
    vault = Vault(data)
    made = Standings(vault)
    for name in [structure] if structure else made.structures():
        told = made.make(name)
        facts = {"event": "standing", **json.loads(msgspec.json.encode(told))}
        tell(facts, _lines(told), as_json=as_json)
    if sent and (why := StandingTeller(vault).send() if vault.server else "there is no server"):
        raise StandingNotTakenError(why)


def _lines(told: Standing) -> str:
    lines = [f"{told.structure} : entrée {told.seq}, {when(told.at_ns)}"]
    for host in told.hosts:
        week, month = (
            _percent(host.verified_7d_bytes, host.bytes),
            _percent(host.verified_30d_bytes, host.bytes),
        )
        lines.append(
            f"  {host.host:24} {size(host.bytes):>10}  dernier instantané"
            f" {when(host.last_snapshot_ns)}  relu : {week} en 7 j, {month} en 30 j"
        )
    for copy in told.copies:
        proof = f"immuable, éprouvé {when(copy.probed_ns)}" if copy.immutable else "non prouvée"
        lines.append(f"  copie {copy.name}: {when(copy.ran_ns)}, {proof}")
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _scrub(at: scrubbing.Scrub) -> ScrubStanding:
    return ScrubStanding(
        started_ns=at.started_ns,
        ended_ns=at.ended_ns,
        objects=at.objects,
        bytes=at.bytes,
        mb_per_s=at.mb_per_s,
        bad=len(at.bad),
    )


def _room(told: Forecast, now_ns: int, disk_bytes: int) -> RoomStanding:
    return RoomStanding(
        at_ns=now_ns,
        disk_bytes=disk_bytes,
        free_bytes=max(0, told.free_bytes),
        bytes_per_day=told.bytes_per_day,
        days_left=told.days_left,
        level=told.level.value,
    )


def _job(one: schedule.Standing) -> JobStanding:
    return JobStanding(
        name=one.name,
        last_ok_ns=one.last_ok_ns,
        next_ns=one.next_ns,
        failures=one.failures,
        is_overdue=one.overdue,
    )


def _copy(copies: Copies, one: Copy, now_ns: int, own: frozenset[int] | None) -> CopyStanding:
    done, probe = copies.progress(one.name), copies.probe(one.name)
    return CopyStanding(
        name=one.name,
        kind=one.kind.value,
        ran_ns=done.ran_ns,
        verified_ns=done.verified_ns,
        done_seq=done.done_seq,
        owed=len(done.owed) if own is None else len(own.intersection(done.owed)),
        is_overdue=one.kind is not CopyKind.VAULT and now_ns - done.ran_ns > OVERDUE_NS,
        lock_days=one.lock_days,
        probed_ns=probe.at_ns if probe else 0,
        trials=len(probe.trials) if probe else 0,
        trials_held=sum(trial.held for trial in probe.trials) if probe else 0,
        immutable=is_proved(one, probe, now_ns),
    )
