"""`releve agent status` in words: what runs here, and whether the server answers."""

import datetime as dt

import msgspec

from releve.flow.agent.contact import Contact
from releve.model.errors import ReleveError
from releve.report.text import Voice

_FR = Voice("fr")
_WHY = {
    "ConnectError": "connexion impossible",
    "ConnectTimeout": "pas de réponse à temps",
    "ReadTimeout": "pas de réponse à temps",
    "ReadError": "connexion coupée",
    "RemoteProtocolError": "connexion coupée",
    "the answer is not signed by the server": "la réponse n'est pas signée par ce serveur",
    "clock": "les horloges diffèrent",
    "too_many": "le serveur est débordé",
}


class GuardAwayError(ReleveError):
    """The guard that the agent is to keep at work does not run: nothing holds the originals."""

    status = 15
    remedy = (
        "L'agent le relance en quelques secondes ; s'il ne reste pas : `journalctl -u releve-agent`."
        " / The agent starts it again; if it does not stay: the same."
    )


class AgentNotWorkingError(ReleveError):
    """No agent works on this machine: nothing is backed up, nothing reaches the server."""

    status = 3
    remedy = "Le lancer / start it: `systemctl start releve-agent`, ou / or `releve agent run`."


class UnknownToServerError(ReleveError):
    """The server does not know this machine any more."""

    status = 43
    remedy = "Ce qu'il faut faire est dit plus haut / what to do stands above."


class ServerAwayError(ReleveError):
    """The agent does not reach its server; what it has to say is kept."""

    status = 49
    remedy = (
        "Voir le réseau et le serveur (`releve server run`) ; l'agent reprend de lui-même."
        " / Look at both; the agent goes on by itself."
    )


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of `releve agent status --json`."""

    host: str
    name: str
    structure: str
    server: str
    agent_running: bool
    guard_running: bool
    guard_pid: int | None
    events_waiting: int
    server_answers: bool | None  # None: nobody asks it at this moment, or nobody did yet
    server_knows_agent: bool | None
    server_answered_at: dt.datetime | None
    server_away_since: dt.datetime | None
    server_away_why: str


def shown(facts: Shown, *, guard_asked: bool, now: dt.datetime) -> str:
    """Lines for a person."""
    guard = f"tourne (processus {facts.guard_pid})" if facts.guard_running else "ne tourne pas"
    if not facts.guard_running and not guard_asked:
        guard = "aucun n'est demandé ici"
    lines = [
        f"Machine : {facts.name}, de {facts.structure} ({facts.host})",
        f"Agent : {'travaille' if facts.agent_running else 'ne travaille pas (releve agent run)'}",
        f"Gardien : {guard}",
        f"Serveur : {facts.server}",
        *(f"     {line}" for line in _server(facts, now)),
        f"Événements à envoyer : {_FR.number(facts.events_waiting)}",
    ]
    return "\n".join(lines)


def fault(facts: Shown, *, guard_asked: bool) -> ReleveError | None:
    """What is wrong, the gravest alone: the command ends with its status. None: nothing is known to be.

    A server that nobody asked yet is no fault.
    """
    if guard_asked and not facts.guard_running:
        away = GuardAwayError("Le gardien ne tourne pas / the guard does not run.")
        if not facts.agent_running:  # nobody starts it again
            away.remedy = AgentNotWorkingError.remedy
        return away
    if not facts.agent_running:
        return AgentNotWorkingError("L'agent ne travaille pas / the agent does not work.")
    if facts.server_knows_agent is False:
        return UnknownToServerError(
            "Le serveur ne connaît plus cette machine / it is unknown there."
        )
    if facts.server_answers is False:
        return ServerAwayError("Le serveur ne répond pas / the server does not answer.")
    return None


def answers(contact: Contact, *, agent_running: bool) -> bool | None:
    """Whether the server takes what this agent sends; None: it is not known now."""
    if not agent_running or (contact.answered_at is None and contact.away_since is None):
        return None
    return contact.away_since is None


def knows_agent(contact: Contact) -> bool | None:
    """False once the server said that it does not; None: it never answered."""
    if contact.is_unknown:
        return False
    return True if contact.answered_at else None


def _server(facts: Shown, now: dt.datetime) -> list[str]:
    last, since = facts.server_answered_at, facts.server_away_since
    heard = f"dernière réponse le {_at(last)}" if last else "jamais de réponse"
    if facts.server_knows_agent is False and since is not None:
        return [
            (
                f"il ne connaît plus cette machine depuis le {_at(since)} : sa structure est partie, ou la"
                f" machine a été retirée.{_goes_on(facts)}"
            ),
            (
                "Si c'est voulu : systemctl disable --now releve-agent, releve agent stop-guard, puis"
                " effacer le dossier de l'agent. Sinon : un jeton du serveur (releve server token create),"
                " puis ici releve agent enrol --token JETON --home NOUVEAU_DOSSIER."
            ),
        ]
    if not facts.agent_running:
        return [f"pas interrogé : l'agent ne travaille pas ({heard})"]
    if since is not None:
        # What is not known here is a library's or the server's own word, and marked as that.
        why = _WHY.get(facts.server_away_why, f"détail technique : {facts.server_away_why}")
        return [f"plus atteint depuis le {_at(since)} : {why} ({heard})"]
    if last is None:
        return ["pas encore interrogé"]
    return [f"le serveur répond, il y a {_FR.age(max(0.0, round((now - last).total_seconds())))}"]


def _goes_on(facts: Shown) -> str:
    if facts.agent_running:
        return (
            " Gardien et sauvegarde continuent, celle-ci tant que le coffre la prend."
            if facts.guard_running
            else " La sauvegarde continue tant que le coffre la prend."
        )
    return " Le gardien continue." if facts.guard_running else " Rien ne tourne plus ici."


def _at(moment: dt.datetime) -> str:
    """In this machine's time, with its distance from UTC: another's log may be in another zone."""
    local = moment.astimezone()
    return f"{local:%d/%m/%Y à %H:%M:%S} (UTC{local.isoformat()[-6:]})"
