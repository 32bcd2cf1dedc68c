"""The server's mailbox: a file of its home. Read at each look, so that a change counts at once."""

from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.adapters.mail.imap import ImapLetters
from releve.adapters.mail.smtp import SmtpPostman
from releve.adapters.mail.way import password_in, way_of
from releve.flow.server.mail_ports import Answer, Mailbox
from releve.flow.server.signin import digest


class MailboxFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mailbox.json. The password is not in it."""

    imap: str
    smtp: str
    address: str
    password_file: str
    authority: str = ""  # a certificate to trust beside those of the system

    @property
    def key(self) -> str:
        return digest(self.imap)

    def letters(self) -> ImapLetters:
        """Raises: MailFailed."""
        way = way_of(self.imap, kind="imap")
        return ImapLetters(way, password_in(self.password_file), self.authority)

    def postman(self) -> SmtpPostman:
        """Raises: MailFailed."""
        way = way_of(self.smtp, kind="smtp")
        password = password_in(self.password_file) if way.login else ""
        return SmtpPostman(way, password, self.address, self.authority)


def path_in(home: Path) -> Path:
    return home / "mailbox.json"


def read_mailbox(home: Path) -> MailboxFile | None:
    path = path_in(home)
    return msgspec.json.decode(path.read_bytes(), type=MailboxFile) if path.exists() else None


def write_mailbox(home: Path, wanted: MailboxFile) -> None:
    write(path_in(home), msgspec.json.format(msgspec.json.encode(wanted)))


def mailbox_there(home: Path) -> Mailbox | None:
    """As the mailroom wants it."""
    known = read_mailbox(home)
    if known is None:
        return None
    return Mailbox(known.key, known.address, known.letters, _Postman(known))


class _Postman:
    """Opened when there is something to send: a password that is gone must not stop the reading."""

    def __init__(self, known: MailboxFile) -> None:
        self._known = known

    def send(self, answer: Answer) -> None:
        self._known.postman().send(answer)
