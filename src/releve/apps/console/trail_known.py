"""What the identifiers in the audit trail are called: looked up in the structure's own state."""

from collections.abc import Iterable, Sequence

import msgspec

from releve.apps.console.views import task_name
from releve.apps.console.words import Words
from releve.flow.server.ports import ActionRecord, AuditEntry, Unit
from releve.flow.server.tools.webhooks import place_of
from releve.model.casework import Evidence
from releve.model.circle import Circle

_NOTES = ("note", "acknowledged")
_MOST_LINES = 500  # of an incident's timeline, searched for a note


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """`said`: the task and its host; `why`: in the words of who proposed it."""

    said: str
    why: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Names by the identifiers that the entries hold; `objects` by the whole word, "host/h1"."""

    objects: dict[str, str] = {}
    orders: dict[str, Order] = {}
    tasks: dict[str, str] = {}
    services: dict[str, str] = {}
    pieces: dict[str, str] = {}
    notes: dict[str, str] = {}
    logins: frozenset[str] = frozenset()  # of all who may, or might, be in

    def host(self, host: str) -> str:
        return self.objects.get(f"host/{host}", host)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What stands outside the structure's own rows."""

    structure_name: str
    circles: Sequence[Circle]


def known(unit: Unit, entries: Sequence[AuditEntry], around: Around, t: Words) -> Known:
    """Only what these entries name is looked up."""
    hosts = {host.id: host.name for host in unit.hosts()}
    orders = dict(_orders(unit, entries, hosts, t))
    profile = unit.profile()
    return Known(
        objects={
            **{f"host/{host}": name for host, name in hosts.items()},
            **_people(unit),
            **_tools(unit, entries),
            **{f"{c.kind.value}/{c.id}": c.name for c in around.circles},
            **{f"action/{one}": order.said for one, order in orders.items()},
            f"structure/{unit.structure}": around.structure_name,
            "findings/would_stop": t("trail_object.would_stop"),
            "help/line": t("trail_object.help_line"),
        },
        orders=orders,
        tasks=_tasks(unit, entries, t),
        services={one.id: one.name for one in profile.services} if profile else {},
        pieces=_pieces(unit, entries),
        notes=_notes(unit, entries),
        logins=frozenset(grant.login for grant in unit.grants()),
    )


def _people(unit: Unit) -> dict[str, str]:
    """By login: those of the structure, and those of elsewhere who were granted something here."""
    granted = {f"person/{grant.person}": grant.login for grant in unit.grants()}
    return granted | {f"person/{person.id}": person.login for person in unit.people()}


def _tools(unit: Unit, entries: Iterable[AuditEntry]) -> dict[str, str]:
    found, hooks = {}, {hook.id: hook for hook in unit.webhooks()}
    for about in {entry.object for entry in entries}:
        kind, _, which = about.partition("/")
        if kind == "webhook" and which in hooks:
            found[about] = place_of(hooks[which].url)
        elif kind == "api_token" and (token := unit.api_token(which)) is not None:
            found[about] = token.name
        elif kind == "passkey" and (key := unit.passkey(which)) is not None:
            found[about] = key.name
    return found


def _orders(
    unit: Unit, entries: Iterable[AuditEntry], hosts: dict[str, str], t: Words
) -> Iterable[tuple[str, Order]]:
    named = {entry.object.removeprefix("action/") for entry in entries}
    named |= {entry.detail for entry in entries if entry.object.startswith("host/")}
    for one in named:
        record = unit.action(one) if one else None
        if record is not None:
            yield one, Order(said=_said(record, hosts, t), why=record.action.why)


def _said(record: ActionRecord, hosts: dict[str, str], t: Words) -> str:
    host = hosts.get(record.action.host, record.action.host)
    return t("trail_object.order", task=t(f"task.{task_name(record)}"), host=host)


def _tasks(unit: Unit, entries: Iterable[AuditEntry], t: Words) -> dict[str, str]:
    wanted = (entry.detail for entry in entries if entry.verb in ("add_task", "end_task"))
    found = (unit.task(one) for one in wanted)
    return {one.id: t.either(one.title, one.title_en) for one in found if one is not None}


def _pieces(unit: Unit, entries: Iterable[AuditEntry]) -> dict[str, str]:
    """By identity, and by what its entry says of it: a hash."""
    verbs = ("record_evidence", "record_hand_over")
    told = {_incident(entry) for entry in entries if entry.verb in verbs}
    kept = [one for one in unit.records(tuple(told)) if isinstance(one, Evidence)] if told else []
    names = {one.id: one.name for one in kept}
    return names | {f"sha256 {one.sha256}": one.name for one in kept}


def _notes(unit: Unit, entries: Iterable[AuditEntry]) -> dict[str, str]:
    told = {_incident(entry) for entry in entries if entry.verb in _NOTES}
    found = {}
    for incident in told:
        for line in unit.entries((incident,), most=_MOST_LINES):
            if line.kind in _NOTES and line.id:
                found[line.id.removesuffix(f"-{line.kind}")] = line.why
    return found


def _incident(entry: AuditEntry) -> str:
    return entry.object.partition("/")[2]
