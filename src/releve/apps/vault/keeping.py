"""What a vault does without a person: the keeper runs due jobs, one at a time, each a process of its own.

DATA/schedule/<job>.json is on disk before a job begins and after it ends: a kill at any moment
leaves a job that is due again. `vault serve` keeps its vault; `vault keep` is for one without a gate.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import structlog

from releve.adapters.restic.child import dies_with_us
from releve.adapters.vault.records import Records
from releve.apps.vault.copies import Copies
from releve.apps.vault.opened import Vault
from releve.apps.vault.show import data_option, json_option, tell, when
from releve.flow.vault import schedule as core
from releve.flow.vault.schedule import Job, Run, Standing
from releve.model.errors import ReleveError, UsageError

log = structlog.get_logger()
_LOOK_S = 15.0
_SAID = 300  # last words of a failure that are kept
RELEVE = (sys.executable, "-P", "-m", "releve.apps.cli.main")


class KeeperRunningError(ReleveError):
    """Another process keeps this vault: its gate, or `releve vault keep`."""

    status = 121
    remedy = "One keeper is enough: the gate keeps its own vault. See `releve vault schedule`."

    def __init__(self, data: str) -> None:
        super().__init__(f"{data} is kept already.")


class Keeper:
    """The schedule of one vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault, self._clock = vault, vault.clock
        self._folder = vault.layout.data / "schedule"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._runs = Records(self._folder, Run)

    def known(self) -> list[tuple[Job, Run]]:
        """Every job with what became of it; one that is new is known from now on."""
        found = []
        for job in core.jobs(Copies(self._vault.layout).all()):
            run = self._runs.get(_file(job.name))
            if run is None:
                run = Run(name=job.name, since_ns=self._clock.now_ns())
                self._put(run)
            found.append((job, run))
        return found

    def standing(self) -> list[Standing]:
        now, running = self._clock.now_ns(), self.is_kept()
        return [core.standing(job, run, now, running=running) for job, run in self.known()]

    async def forever(self) -> None:
        """Do what is due, until cancelled; a job that runs then ends with us.

        While another process keeps this vault, its end is waited for.
        """
        while True:
            try:
                with self._alone():
                    while True:
                        await self.once()
                        await asyncio.sleep(_LOOK_S)
            except KeeperRunningError:
                pass
            except (OSError, ReleveError) as error:
                log.warning("schedule_not_kept", why=str(error))
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> list[str]:
        """Do all that is due now; their names."""
        done = []
        while (job := core.due(known := self.known(), self._clock.now_ns())) is not None:
            await self.run(job, next(run for one, run in known if one.name == job.name))
            done.append(job.name)
        await self._tell_overdue()
        return done

    async def run(self, job: Job, run: Run) -> Run:
        """One job to its end; what became of it is kept."""
        begun = core.began(run, self._clock.now_ns())
        await asyncio.to_thread(self._put, begun)
        status, said = await self._done(job)
        kept = core.ended(begun, status, said, self._clock.now_ns())
        await asyncio.to_thread(self._put, kept)
        log.info("job_ended", job=job.name, status=status)
        if kept.failures == 1:
            facts = {"status": str(status), "said": said}
            await asyncio.to_thread(self._vault.notices.tell, "job_failed", job.name, **facts)
        return kept

    def find(self, name: str) -> tuple[Job, Run]:
        """Raises: UsageError."""
        for job, run in self.known():
            if job.name == name:
                return job, run
        raise UsageError(f"There is no job {name!r}; see `releve vault schedule`.")

    def is_kept(self) -> bool:
        """Whether a keeper runs."""
        try:
            with self._alone():
                return False
        except KeeperRunningError:
            return True

    async def _done(self, job: Job) -> tuple[int | None, str]:
        """Its status (None: its time was over) and last words."""
        command = [*RELEVE, "vault", *job.words, "--json", "--data", str(self._vault.layout.data)]
        child = await asyncio.create_subprocess_exec(
            *dies_with_us(["nice", "-n", "10", *command]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(job.most_s):
                words = await _last_words(child)
                return await child.wait(), words
        except TimeoutError:
            return None, "its time was over"
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await child.wait()
            if child.returncode is None:
                child.kill()
                await child.wait()

    async def _tell_overdue(self) -> None:
        now = self._clock.now_ns()
        for job, run in self.known():
            if core.wants_telling(job, run, now):
                facts = {"last_ok": when(run.ok_ns), "said": run.said}
                await asyncio.to_thread(self._vault.notices.tell, "job_overdue", job.name, **facts)
                self._put(msgspec.structs.replace(run, told_ns=now))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The kernel lets go of the lock however its holder dies. Raises: KeeperRunningError."""
        path = self._vault.layout.run / "keeper.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise KeeperRunningError(str(self._vault.layout.data)) from error
        finally:
            os.close(handle)

    def _put(self, run: Run) -> None:
        self._runs.put(_file(run.name), run)


async def _last_words(child: asyncio.subprocess.Process) -> str:
    """Of its stderr, read to the end; names of files may be in it: the notice stays at the vault's."""
    said = b""
    while child.stderr is not None and (block := await child.stderr.read(4096)):
        said = (said + block)[-4096:]
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:_SAID] if lines else ""


def _file(name: str) -> str:
    """A job's name as a file's; copies' names are words already."""
    bare = name.replace(":", "-")
    return f"{bare}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@click.command()
@click.option("--run", "wanted", default="", metavar="NAME", help="Faire ce travail maintenant.")
@data_option
@json_option
def schedule(wanted: str, data: str, *, as_json: bool) -> None:
    """Ce que le coffre fait seul : quand, et ce qu'il en est advenu.

    What the vault does without a person: copies, verification, probe, scrub, forecast, seals, views.

    Example: releve vault schedule --json
    """
    keeper = Keeper(Vault(data))
    if wanted:
        _run_now(keeper, wanted, as_json=as_json)
        return
    for one in keeper.standing():
        words = f"{one.name:28} dernier succès {when(one.last_ok_ns)}, prochain {when(one.next_ns)}"
        words += "  EN RETARD" if one.overdue else ""
        words += f"  en échec ({one.status}) : {one.said}" if one.failures else ""
        tell(msgspec.to_builtins(one), words, as_json=as_json)
    if not keeper.is_kept():
        click.echo("Personne ne garde ce coffre : `vault serve` ou `vault keep`.", err=True)


def _run_now(keeper: Keeper, name: str, *, as_json: bool) -> None:
    """Raises: JobFailedError."""
    job, before = keeper.find(name)
    kept = asyncio.run(keeper.run(job, before))
    facts = {"event": "ran", **msgspec.to_builtins(kept)}
    tell(facts, f"{name} : {kept.said or 'fait'}", as_json=as_json)
    if kept.status:
        raise JobFailedError(name, kept.said)


class JobFailedError(ReleveError):
    """The job that was asked for now failed."""

    status = 123
    remedy = "Read its words; run its own command (`releve vault …`) for all of them."

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"{name} failed: {said}")


@click.command()
@data_option
@json_option
def keep(data: str, *, as_json: bool) -> None:
    """Garder un coffre sans porte : faire seul ce qui est dû, jusqu'à SIGTERM.

    For a vault that only pulls; `vault serve` keeps its own.

    Example: releve vault keep --data /srv/copie
    """
    keeper = Keeper(Vault(data))
    if keeper.is_kept():
        raise KeeperRunningError(data)
    tell({"event": "keeping", "data": data}, f"Coffre gardé : {data}", as_json=as_json)
    sys.stdout.flush()
    asyncio.run(_until_told(keeper))


async def _until_told(keeper: Keeper) -> None:
    task = asyncio.ensure_future(keeper.forever())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


_UNIT = """\
[Unit]
Description=Releve vault ({what})
Wants=network-online.target
After=network-online.target local-fs.target

[Service]
Type=exec
ExecStart={command}
Restart=always
RestartSec=5
# What it started ends with it: a job that is cut goes on at the next start.
KillMode=mixed
UMask=0077
LimitNOFILE=16384
LimitCORE=0
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
# Only what seals folders (chattr +i) and reads what is the vault's.
CapabilityBoundingSet=CAP_LINUX_IMMUTABLE CAP_DAC_OVERRIDE CAP_NET_BIND_SERVICE

[Install]
WantedBy=multi-user.target
"""


@click.command()
@click.option("--listen", default="0.0.0.0:8440", show_default=True, help="ADRESSE:PORT.")
@click.option("--keep", "only_keep", is_flag=True, help="Sans porte : `vault keep`.")
@data_option
def unit(listen: str, data: str, *, only_keep: bool) -> None:
    """Écrire l'unité systemd. / Print the systemd unit (to /etc/systemd/system).

    Example: releve vault unit --data /srv/coffre > /etc/systemd/system/releve-vault.service
    """
    words = ("keep",) if only_keep else ("serve", "--listen", listen)
    command = shlex.join([*RELEVE, "vault", *words, "--data", str(Path(data).absolute())])
    what = "keeper" if only_keep else "gate and keeper"
    click.echo(_UNIT.format(command=command, what=what), nl=False)
