"""What people on call read: the structure, a number to call, the link. Never what was written.

The message travels through other people's gateways; what troubles whom is read after signing in.
"""

from releve.apps.console.words import Words
from releve.flow.server.assist.ports import Call, Message, Tell


def telling(url: str) -> Tell:
    def tell(call: Call) -> Message:
        t = Words(call.language)
        lines = _reminder(t, call) if call.is_reminder else _asked(t, call)
        title = t("ring.clock_title" if call.is_reminder else "ring.title")
        lines.append(t("ring.take", url=f"{url}/a/{call.code}"))
        return Message(title=title, body="\n".join(lines))

    return tell


def _asked(t: Words, call: Call) -> list[str]:
    blocked = [t("ring.blocked")] if call.is_blocked else []
    phone = t("ring.phone", phone=call.phone) if call.phone else t("ring.no_phone")
    return [t("ring.asks", structure=call.structure_name), *blocked, phone]


def _reminder(t: Words, call: Call) -> list[str]:
    return [t("ring.clock", structure=call.structure_name)]
