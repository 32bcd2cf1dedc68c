"""What people on call read: the structure, a number to call, the link. Never what was written.

The message travels through other people's gateways; what troubles whom is read after signing in.
"""

from releve.apps.console.words import Words
from releve.flow.server.assist.ports import Call, Message, Tell


def telling(url: str) -> Tell:
    def tell(call: Call) -> Message:
        t = Words(call.language)
        lines = [t("ring.asks", structure=call.structure_name)]
        if call.is_blocked:
            lines.append(t("ring.blocked"))
        lines.append(t("ring.phone", phone=call.phone) if call.phone else t("ring.no_phone"))
        lines.append(t("ring.take", url=f"{url}/a/{call.code}"))
        return Message(title=t("ring.title"), body="\n".join(lines))

    return tell
