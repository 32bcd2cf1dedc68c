"""One incident as its page and `releve incident show` tell it: what happened, care, what to do next."""

import datetime as dt
from typing import TypeVar

import msgspec

from releve.apps.console.course_views import CallClock, Milestone, call_clocks, milestones
from releve.apps.console.help_views import CallView, call_view
from releve.apps.console.way_back import Way, unjudged, way_back
from releve.flow.server import duties
from releve.flow.server.incidents import clocks_of, lines_of
from releve.flow.server.playbooks import idle
from releve.flow.server.ports import Unit
from releve.flow.server.recoveries import IncidentRecovery, calls_of, recoveries_of
from releve.model.casework import AnyRecord, CaseTask, Evidence, HandOver, RansomDecision
from releve.model.finding import Severity
from releve.model.help import HelpRequest
from releve.model.incident import Entry, Incident
from releve.model.law import Law
from releve.model.obligation import State
from releve.model.order import Action
from releve.model.playbook import Playbook, PlaybookRun, Playbooks, PlaybookStep, StepWord
from releve.model.structure import DataSetEntry
from releve.obligation.clocks import Look
from releve.respond.playbooks import to_start
from releve.triage import care
from releve.triage.outlook import Totals, totals
from releve.triage.stops import first_hostile_write

T = TypeVar("T", Evidence, HandOver, RansomDecision)
LINES = 150  # of the timeline, on one page
TASKS = 60
_LAPSED = ("refused", "expired", "failed")


def lapsed_how(action: Action) -> str:
    """Of an action that no host will do. One whose time is over was decided, perhaps: its host was away."""
    return "unanswered" if action.state == "expired" and action.decided_by else action.state


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    step: PlaybookStep
    word: StepWord | None
    actions: tuple[Action, ...]  # that the last word proposed
    idle: str = ""  # of an automatic one: why there is nothing to ask of the machines

    @property
    def lapsed(self) -> tuple[Action, ...]:
        """What it proposed and no host will do: refused, over before anybody decided, or failed."""
        if self.word is None or self.word.state != "proposed":
            return ()
        newest = {(a.host, a.task): a for a in self.actions}
        return tuple(a for a in newest.values() if a.state in _LAPSED)

    @property
    def is_open(self) -> bool:
        return self.word is None or self.word.state == "undone" or bool(self.lapsed)

    @property
    def is_settled(self) -> bool:
        """Nobody has to say anything of it any more: what was only proposed waits for a word."""
        return self.word is not None and self.word.state in ("done", "skipped")


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that was started. `next_step`: the first that nobody did, skipped or proposed.

    `lapsed`: steps that were proposed and came to nothing; they need a person again.
    """

    run: PlaybookRun
    playbook: Playbook
    steps: tuple[StepView, ...]
    next_step: PlaybookStep | None
    lapsed: tuple[StepView, ...]
    settled: int


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    incident: Incident
    names: dict[str, str]  # of hosts and vaults, by id
    severity: Severity
    reasons: tuple[care.Reason, ...]
    care: tuple[care.CareClock, ...]
    data_sets: tuple[DataSetEntry, ...]  # of the data map, on the hosts that it touches
    has_services: bool  # the structure told its services of care
    sums: Totals
    entries: tuple[Entry, ...]  # newest first
    skipped: int  # newer ones, on the pages before
    count: int
    tasks: tuple[CaseTask, ...]  # those that wait first
    tasks_skipped: int
    task_count: int
    tasks_waiting: int
    evidence: tuple[Evidence, ...]
    hand_overs: tuple[HandOver, ...]
    ransom: tuple[RansomDecision, ...]
    runs: tuple[RunView, ...]
    proposed: Playbook | None  # to start with; None: no finding speaks for one, or it was started
    recoveries: tuple[IncidentRecovery, ...]
    calls: tuple[CallClock, ...]
    course: tuple[Milestone, ...]
    others: tuple[Incident, ...]  # open ones that could be the same attack
    alarm: CallView | None = None  # how far the newest call is that the attack itself made
    is_silent: bool = False  # the structure set that an attack rings nobody
    way: Way | None = None  # what the recovery's command needs besides; None: nothing is known
    unjudged: tuple[str, ...] = ()  # hosts of which no backup was judged clean
    duties: tuple[Look, ...] = ()  # the legal clocks that run, worst first

    @property
    def host_names(self) -> tuple[str, ...]:
        return tuple(self.names.get(host, host) for host in self.incident.hosts)

    @property
    def asked_calls(self) -> tuple[HelpRequest, ...]:
        """What people asked for meanwhile and is not closed."""
        calls = (clock.request for clock in self.calls)
        return tuple(c for c in calls if c.is_asked and c.course.phase != "closed")

    @property
    def open_steps(self) -> int:
        """Of playbooks that were started: steps that nobody did or skipped."""
        return sum(len(run.steps) - run.settled for run in self.runs)

    @property
    def undecided(self) -> int:
        """Proposals of these steps that wait for a decision."""
        asked = [action for run in self.runs for step in run.steps for action in step.actions]
        return sum(action.state == "proposed" for action in asked)

    @property
    def care_stopped(self) -> tuple[str, ...]:
        """Services of care that nobody said go on."""
        return tuple(clock.service.name for clock in self.care if clock.resumed is None)

    @property
    def first_write(self) -> dt.datetime:
        return first_hostile_write(self.incident)


def case_view(
    unit: Unit,
    incident: Incident,
    names: dict[str, str],
    content: Playbooks,
    now: dt.datetime,
    *,
    skip: int = 0,
    skip_tasks: int = 0,
) -> CaseView:
    """Everything of it, page by page. `skip`: as many of the newest lines."""
    ids = (incident.id, *incident.merged)
    sums, clocks = totals(incident), clocks_of(unit, incident, now)
    reasons = care.reasons(incident, clocks, sums)
    recoveries, calls = recoveries_of(unit, incident), calls_of(unit, incident)
    runs = unit.runs(ids)
    profile, records = unit.profile(), unit.records(ids)
    rung = next((call for call in reversed(calls) if call.attacks), None)
    tasks = sorted(unit.tasks(ids), key=lambda task: task.done_at is not None)
    return CaseView(
        incident=incident,
        names=names,
        severity=care.severity(reasons),
        reasons=reasons,
        care=clocks,
        data_sets=care.data_sets(incident, profile.data_map, names) if profile else (),
        has_services=profile is not None and bool(profile.services),
        sums=sums,
        entries=tuple(lines_of(unit, incident, most=LINES, skip=skip)),
        skipped=skip,
        count=unit.count_entries(ids),
        tasks=tuple(tasks[skip_tasks : skip_tasks + TASKS]),
        tasks_skipped=skip_tasks,
        task_count=len(tasks),
        tasks_waiting=sum(task.done_at is None for task in tasks),
        evidence=_of(records, Evidence),
        hand_overs=_of(records, HandOver),
        ransom=_of(records, RansomDecision),
        runs=tuple(v for run in runs if (v := _run_view(unit, run, content, incident, now))),
        proposed=to_start(content, incident, runs),
        recoveries=recoveries,
        calls=call_clocks([call for call in calls if not call.attacks], now),
        course=milestones(incident, calls, runs, recoveries, clocks),
        others=tuple(i for i in unit.open_incidents() if i.id != incident.id)[:20],
        alarm=call_view(unit, rung, now) if rung else None,
        is_silent=profile is not None and not profile.ring_on_attack,
        way=way_back(unit, incident, names, now),
        unjudged=unjudged(unit, incident),
    )


def with_duties(view: CaseView, unit: Unit, law: Law, now: dt.datetime) -> CaseView:
    """The view with the legal clocks that still run."""
    looks = duties.looks(unit, law, now, view.incident.id)
    running = tuple(look for look in looks if look.obligation.state is State.RUNNING)
    return msgspec.structs.replace(view, duties=running)


def _of(records: list[AnyRecord], kind: type[T]) -> tuple[T, ...]:
    return tuple(record for record in records if isinstance(record, kind))


def _run_view(
    unit: Unit, run: PlaybookRun, content: Playbooks, incident: Incident, now: dt.datetime
) -> RunView | None:
    """None: the content has no such playbook any more."""
    playbook = content.named(run.playbook)
    if playbook is None:
        return None
    told = (_step_view(unit, step, run.word(step.id)) for step in playbook.steps)
    steps = tuple(_with_idle(view, unit, incident, now) for view in told)
    waiting = [view.step for view in steps if view.is_open and not view.lapsed]
    return RunView(
        run=run,
        playbook=playbook,
        steps=steps,
        next_step=waiting[0] if waiting else None,
        lapsed=tuple(view for view in steps if view.lapsed),
        settled=sum(view.is_settled for view in steps),
    )


def _with_idle(view: StepView, unit: Unit, incident: Incident, now: dt.datetime) -> StepView:
    if view.step.kind != "automatic" or not view.is_open or incident.closed_at is not None:
        return view
    return msgspec.structs.replace(view, idle=idle(unit, incident, view.step, now))


def _step_view(unit: Unit, step: PlaybookStep, word: StepWord | None) -> StepView:
    asked = [unit.action(action) for action in word.actions] if word else []
    return StepView(step=step, word=word, actions=tuple(a.action for a in asked if a))
