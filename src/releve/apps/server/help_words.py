"""What people on call read: the structure, a number to call, the link. Never what was written.

The message travels through other people's gateways; what troubles whom is read after signing in.
"""

from releve.apps.console.words import Words
from releve.apps.web.words import LANGUAGES
from releve.flow.server.assist.mailing import Write
from releve.flow.server.assist.ports import Call, Message, Tell
from releve.flow.server.assist.ticketing import Written
from releve.model.help import HelpRequest, Step

_SHORT = 8


def telling(url: str) -> Tell:
    def tell(call: Call) -> Message:
        t = Words(call.language)
        if call.is_attack:
            title, lines = t("ring.attack_title"), _attack(t, call)
        elif call.is_reminder:
            title, lines = t("ring.clock_title"), _reminder(t, call)
        else:
            title, lines = t("ring.title"), _asked(t, call)
        lines.append(t("ring.take", url=f"{url}/a/{call.code}"))
        return Message(title=title, body="\n".join(lines))

    return tell


def _asked(t: Words, call: Call) -> list[str]:
    blocked = [t("ring.blocked")] if call.is_blocked else []
    phone = t("ring.phone", phone=call.phone) if call.phone else t("ring.no_phone")
    return [t("ring.asks", structure=call.structure_name), *blocked, phone]


def _reminder(t: Words, call: Call) -> list[str]:
    return [t("ring.clock", structure=call.structure_name)]


def _attack(t: Words, call: Call) -> list[str]:
    return [t("ring.attack", structure=call.structure_name), t("ring.attack_read")]


def replying(url: str) -> Write:
    """What answers a mail, in both languages: its call's number, and where it is followed."""

    def reply(structure: str, request: HelpRequest) -> tuple[str, str]:
        number = request.id[:_SHORT]
        said = []
        for language in LANGUAGES:
            t = Words(language)
            said.append(t("reply.taken", structure=structure, number=number))
            said.append(t("reply.follow", url=f"{url}/help/{request.id}"))
        return Words("fr")("reply.title", number=number), "\n\n".join(said) + "\n"

    return reply


def ticketing(url: str) -> Written:
    """What a ticket says: what happened, a number to call and where to read more; in French, as GLPI is."""
    t = Words("fr")

    def here(request: HelpRequest) -> str:
        return t("ticket.read", url=f"{url}/help/{request.id}")

    def content(request: HelpRequest) -> str:
        lines = [t("ticket.blocked")] if request.is_blocked else []
        lines += [t("ring.phone", phone=request.phone)] if request.phone else []
        return "\n".join([*lines, here(request)])

    def name(request: HelpRequest, mark: str) -> str:
        if request.attacks:
            return t("ticket.name_attack", mark=mark)
        return t("ticket.name_blocked" if request.is_blocked else "ticket.name", mark=mark)

    def step(request: HelpRequest, said: Step) -> str:
        return f"{t(f'help.step_{said.kind}')} {said.name}".strip() + f"\n{here(request)}"

    return Written(
        name=name,
        content=content,
        step=step,
        solution=lambda request: f"{t('ticket.solved')}\n{here(request)}",
        closed_there=lambda number: t("ticket.closed_there", number=number),
    )
