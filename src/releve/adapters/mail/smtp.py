"""Answers by SMTP. They say that a machine wrote them, so that no other machine answers them."""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate

from releve.adapters.mail.way import SECONDS, Way, told, trusting
from releve.flow.server.mail_ports import Answer, MailFailed


class SmtpPostman:
    def __init__(self, way: Way, password: str, address: str, authority: str = "") -> None:
        self._way, self._password, self._address = way, password, address
        self._authority = authority

    def check(self) -> None:
        """Whether it would let us send. Raises: MailFailed."""
        with told(smtplib.SMTPException), self._connected() as smtp:
            self._enter(smtp)

    def send(self, answer: Answer) -> None:
        with told(smtplib.SMTPException), self._connected() as smtp:
            self._enter(smtp)
            smtp.send_message(self._mail(answer), self._address, [answer.to])

    def _connected(self) -> smtplib.SMTP:
        way = self._way
        if way.scheme == "smtps":
            context = trusting(self._authority)
            return smtplib.SMTP_SSL(way.host, way.port, timeout=SECONDS, context=context)
        return smtplib.SMTP(way.host, way.port, timeout=SECONDS)

    def _enter(self, smtp: smtplib.SMTP) -> None:
        if self._way.scheme == "smtp" and not self._way.is_local:
            smtp.starttls(context=trusting(self._authority))
        if self._way.login:
            try:
                smtp.login(self._way.login, self._password)
            except smtplib.SMTPAuthenticationError as error:
                raise MailFailed("login") from error

    def _mail(self, answer: Answer) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._address, answer.to
        mail["Subject"], mail["Date"] = answer.title, formatdate()
        mail["Message-ID"] = answer.message_id
        if answer.replies_to:
            mail["In-Reply-To"] = mail["References"] = answer.replies_to
        mail["Auto-Submitted"], mail["Precedence"] = "auto-replied", "bulk"
        mail["X-Auto-Response-Suppress"] = "All"
        mail.set_content(answer.body)
        return mail
