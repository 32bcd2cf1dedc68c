"""What tools read: the nouns of one structure."""

import datetime as dt
import hashlib

import msgspec

from releve.apps.api import answers as form
from releve.apps.api.call import Call, after, missing, page_of, slice_of
from releve.flow.server.incidents import clocks_of, weighed
from releve.flow.server.ports import VaultRecord
from releve.flow.server.tool_ports import Mark
from releve.model.casework import CaseTask
from releve.model.help import HelpRequest
from releve.model.host import Host
from releve.model.incident import Entry, Incident
from releve.model.obligation import Obligation
from releve.model.playbook import Playbook
from releve.model.standing import Standing
from releve.model.statement import KeptStatement
from releve.respond.playbooks import to_start
from releve.triage.care import CareClock

_standing = msgspec.json.Decoder(Standing).decode


def hosts(call: Call) -> form.Page[form.ApiHost]:
    return slice_of(call.limit, call.cursor, call.unit.hosts(), lambda host: host.id, _host)


def host(call: Call) -> form.ApiHost:
    found = call.unit.host(call.ids["host"])
    if found is None:
        raise missing("host")
    return _host(found.host)


def incidents(call: Call) -> form.Page[form.ApiIncident]:
    rows = call.unit.incident_page(after(call.cursor), most=call.limit + 1)
    rows = weighed(call.unit, rows, call.now)
    return page_of(call.limit, rows, lambda one: Mark(at=one.opened_at, id=one.id), incident_form)


def incident(call: Call) -> form.ApiCase:
    return case_form(call, known_incident(call))


def timeline(call: Call) -> form.Page[form.ApiEntry]:
    ids = _all_of(known_incident(call))
    rows = call.unit.entry_page(ids, after(call.cursor), most=call.limit + 1)
    return page_of(call.limit, rows, lambda one: Mark(at=one.at, id=one.key), entry_form)


def help_calls(call: Call) -> form.Page[form.ApiHelp]:
    rows = call.unit.help_page(after(call.cursor), most=call.limit + 1)
    return page_of(
        call.limit, rows, lambda one: Mark(at=one.course.opened_at, id=one.id), help_form
    )


def help_call(call: Call) -> form.ApiHelp:
    found = call.unit.help_request(call.ids["help"])
    if found is None:
        raise missing("call for help")
    return help_form(found)


def obligations(call: Call) -> form.Page[form.ApiObligation]:
    rows = call.unit.obligations()
    return slice_of(
        call.limit, call.cursor, rows, lambda one: f"{one.incident}/{one.duty}", _obligation
    )


def statements(call: Call) -> form.Page[form.ApiStatement]:
    rows = call.unit.statements()
    return slice_of(
        call.limit, call.cursor, rows, lambda one: f"{one.month}/{one.version:06}", _statement
    )


def vaults(call: Call) -> form.Page[form.ApiVault]:
    records = [call.unit.vault(vault.id) for vault in call.unit.vaults()]
    found = [record for record in records if record is not None]
    return slice_of(call.limit, call.cursor, found, lambda one: one.vault.id, _vault)


def known_incident(call: Call) -> Incident:
    found = call.unit.incident(call.ids["incident"])
    if found is None:
        raise missing("incident")
    return found


def case_form(call: Call, found: Incident) -> form.ApiCase:
    unit, ids = call.unit, _all_of(found)
    (graver,) = weighed(unit, (found,), call.now)
    return form.ApiCase(
        incident=incident_form(graver),
        care=tuple(_care(clock) for clock in clocks_of(unit, found, call.now)),
        tasks=tuple(task_form(task) for task in unit.tasks(ids)),
        timeline_entries=unit.count_entries(ids),
        proposed_playbook=_playbook(to_start(call.context.playbooks, found, unit.runs(ids))),
    )


def incident_form(found: Incident) -> form.ApiIncident:
    rest = found.rest
    return form.ApiIncident(
        id=found.id,
        severity=found.severity,
        opened_at=found.opened_at,
        last_at=found.last_at,
        closed_at=found.closed_at,
        hosts=found.hosts,
        merged_into=found.merged_into,
        stops=len(found.stops) + rest.stops,
        restored=sum(stop.restored or 0 for stop in found.stops) + rest.restored,
        lost=sum(stop.lost or 0 for stop in found.stops) + rest.lost,
    )


def task_form(task: CaseTask) -> form.ApiTask:
    return form.ApiTask(
        id=task.id,
        title=task.title,
        who=task.who,
        made_at=task.made_at,
        made_by=task.made_by,
        due_at=task.due_at,
        done_at=task.done_at,
        done_by=task.done_by,
    )


def entry_form(entry: Entry) -> form.ApiEntry:
    return form.ApiEntry(
        id=entry.key,
        at=entry.at,
        kind=entry.kind,
        severity=entry.severity,
        host=entry.host,
        why=entry.why,
        why_en=entry.why_en,
        by=entry.by,
    )


def help_form(request: HelpRequest) -> form.ApiHelp:
    course = request.course
    return form.ApiHelp(
        id=request.id,
        source=request.source,
        phase=course.phase,
        is_blocked=request.is_blocked,
        opened_at=course.opened_at,
        acknowledged_at=course.acknowledged_at,
        closed_at=course.closed_at,
        name=course.name,
        incidents=tuple(attack.incident for attack in request.attacks),
    )


def _all_of(incident: Incident) -> tuple[str, ...]:
    """With those that became part of it."""
    return (incident.id, *incident.merged)


def _host(host: Host) -> form.ApiHost:
    state = host.state
    return form.ApiHost(
        id=host.id,
        name=host.name,
        carries_care=host.carries_care,
        care_role=host.care_role,
        enrolled_at=host.enrolled_at,
        last_seen_at=host.last_seen_at,
        guard=state.guard,
        isolated_until=state.isolation.until if state.isolation else None,
        last_good_backup_at=state.backup.last_good_at if state.backup else None,
        last_good_drill_at=state.drill.last_good_at if state.drill else None,
        key_paper_tried_at=state.paper.tried_at if state.paper else None,
    )


def _care(clock: CareClock) -> form.ApiCare:
    return form.ApiCare(
        service=clock.service.id,
        name=clock.service.name,
        since=clock.since,
        resumed_at=clock.resumed.at if clock.resumed else None,
        seconds=clock.seconds,
    )


def _playbook(found: Playbook | None) -> form.ApiPlaybook | None:
    if found is None:
        return None
    return form.ApiPlaybook(
        id=found.id, title=found.title.fr, title_en=found.title.en, dated=found.dated
    )


def _obligation(clock: Obligation) -> form.ApiObligation:
    return form.ApiObligation(
        incident=clock.incident,
        duty=clock.duty,
        law_from=clock.law_from,
        state=clock.state,
        started_at=clock.started_at,
        due_at=clock.due_at,
        sent_at=clock.sent_at,
    )


def _statement(kept: KeptStatement) -> form.ApiStatement:
    files = {name: hashlib.sha256(body).hexdigest() for name, body in kept.files.items()}
    return form.ApiStatement(
        month=kept.month, version=kept.version, made_at=kept.made_at, files=files
    )


def _vault(record: VaultRecord) -> form.ApiVault:
    vault = record.vault
    standing = _standing(record.standing) if record.standing else None
    return form.ApiVault(
        id=vault.id,
        name=vault.name,
        enrolled_at=vault.enrolled_at,
        removed_at=vault.removed_at,
        told_at=vault.standing_at,
        broken=vault.broken,
        hosts=tuple(
            form.ApiVaultHost(
                host=one.host,
                last_snapshot_at=_moment(one.last_snapshot_ns),
                bytes=one.bytes,
                verified_30d_bytes=one.verified_30d_bytes,
                bad_objects=one.bad_objects,
            )
            for one in (standing.hosts if standing else ())
        ),
    )


def _moment(ns: int) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC) if ns else None
