"""How long events are kept: long enough to answer for a year, never less than an open incident needs."""

import datetime as dt

from releve.flow.server.ports import Store

KEEP_DAYS = 400  # a year and its last audit; incidents, actions and the audit trail stay
BEFORE_INCIDENT = dt.timedelta(days=7)  # what led to it; hosts' clocks may be a little off
_MOST = 10_000  # at a time: ingest waits behind this transaction


def forget_old_events(store: Store, structure: str, now: dt.datetime, keep: dt.timedelta) -> int:
    """Drop events and findings older than `keep`; what an open incident may need stays. How many went.

    One transaction per host and bite; call it again while it answers more than 0.
    """
    with store.unit(structure, writes=False) as unit:
        hosts = [host.id for host in unit.hosts()] + [vault.id for vault in unit.vaults()]
    gone = 0
    for host in hosts:
        with store.unit(structure) as unit:
            opened = [i.opened_at - BEFORE_INCIDENT for i in unit.open_incidents(host)]
            before = min([now - keep, *opened])
            events = unit.forget_events(host, before, most=_MOST)
            findings = unit.forget_findings(host, before)
            if events or findings:
                detail = f"{events} événements / events, {findings} constats / findings < {before:%Y-%m-%d}"
                unit.record(now, "server", f"host/{host}", "forget", detail)
            gone += events + findings
    return gone
