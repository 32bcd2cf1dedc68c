"""What people on call read: the structure, a number to call, the link. Never what was written.

The message travels through other people's gateways; what troubles whom is read after signing in.
"""

from releve.apps.console.words import Words
from releve.apps.web.words import LANGUAGES
from releve.flow.server.assist.mailing import Write
from releve.flow.server.assist.ports import Call, Message, Tell
from releve.model.help import HelpRequest

_SHORT = 8


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
