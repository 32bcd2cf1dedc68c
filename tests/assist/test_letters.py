"""Bytes of a mail -> Letter: what honest people write, and what somebody who means harm does."""

import email
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.assist.letters import Unreadable, parse
from releve.model.mail import Letter
from tests.server.mail_world import mail


def read(raw: bytes) -> Letter:
    letter = parse(raw)
    assert isinstance(letter, Letter), letter
    return letter


def test_a_plain_mail_says_who_what_and_of_which_thread() -> None:
    letter = read(
        mail(
            "=?utf-8?q?R=C3=A9seau?=", "Rien.\r\n", Message_ID="<a@x>", References="<b@x>\r\n <c@x>"
        )
    )
    assert (letter.sender, letter.subject, letter.text) == (
        "claire@parc.example",
        "Réseau",
        "Rien.",
    )
    assert (letter.message_id, letter.thread) == ("<a@x>", ("<b@x>", "<c@x>"))
    assert (letter.attachments, letter.is_automatic, letter.is_forged) == (0, False, False)


def test_of_html_only_its_words_are_taken_and_attachments_are_counted() -> None:
    raw = (
        b"From: a@x.fr\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/html\r\n\r\n<style>p{}</style><p>Plus <b>rien</b> &lt;ici&gt;</p>"
        b"<script>alert(1)</script>\r\n--b\r\nContent-Type: application/pdf\r\n"
        b"Content-Disposition: attachment; filename=DUPONT.pdf\r\n\r\nsecret\r\n--b--\r\n"
    )
    letter = read(raw)
    assert letter.text == "Plus rien <ici>"
    assert letter.attachments == 1
    assert "DUPONT" not in repr(letter)
    assert "secret" not in repr(letter)


def test_a_forwarded_mail_is_an_attachment() -> None:
    raw = (
        b"From: a@x.fr\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nVoir.\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: z@x.fr\r\n\r\npatient\r\n--b--\r\n"
    )
    letter = read(raw)
    assert (letter.sender, letter.text, letter.attachments) == ("a@x.fr", "Voir.", 1)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Auto-Submitted", "auto-replied"),
        ("Precedence", "bulk"),
        ("List-Id", "<liste.example>"),
        ("X-Autoreply", "yes"),
        ("Return-Path", "<>"),
    ],
)
def test_what_a_machine_wrote_is_known(header: str, value: str) -> None:
    assert read(mail(**{header: value})).is_automatic


def test_auto_submitted_no_is_a_person() -> None:
    assert not read(mail(Auto_Submitted="no")).is_automatic


@pytest.mark.parametrize(
    "said",
    [
        "a@x.fr, b@x.fr",
        "a@x.fr\r\nFrom: b@x.fr",
        "nobody",
        "a@x.fr\x00@y.fr",
        '"a@x.fr" <évil@x.fr>',
        "<a@x.fr> <b@x.fr>",
    ],
)
def test_a_sender_that_can_be_read_in_two_ways_is_none(said: str) -> None:
    assert read(f"From: {said}\r\n\r\nx".encode()).sender == ""


def test_only_the_topmost_word_of_the_receiving_server_counts() -> None:
    forged = b"Authentication-Results: mx; dmarc=fail\r\nReceived: from a\r\n" + mail()
    assert read(forged).is_forged
    assert read(forged).received == "from a"
    assert not read(b"Authentication-Results: mx; dmarc=pass\r\n" + forged).is_forged


def test_a_header_cannot_carry_another_line() -> None:
    letter = read(
        mail("=?utf-8?b?YQ0KQmNjOiBldmlsQHguZnI=?=", Message_ID="<a@x>\r\n\tBcc: <b c@x>")
    )
    assert letter.subject == "a Bcc: evil@x.fr"
    assert letter.message_id == "<a@x>"


def test_the_same_mail_delivered_twice_has_one_fingerprint() -> None:
    raw = mail()
    again = b"Received: from elsewhere\r\n" + raw
    assert read(raw).fingerprint == read(again).fingerprint
    assert read(mail()).fingerprint != read(raw).fingerprint


def nested(depth: int) -> bytes:
    head = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth)
    )
    return b"From: a@x.fr\r\n" + head.encode() + b"\r\nau fond\r\n"


@pytest.mark.parametrize("depth", [50, 5000])
def test_boxes_in_boxes_are_read_or_refused_and_stop_nothing(depth: int) -> None:
    assert isinstance(parse(nested(depth)), Letter | Unreadable)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 5000,
        b"From: =?utf-8?b?////?=\r\n\r\n",
        b"Subject: =?no-such-charset?q?a?=\r\n\r\n",
        b"From: a@x.fr\r\nContent-Type: text/plain; charset=rot13\r\n\r\nabc",
        b"From: a@x.fr\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"From: a@x.fr\r\nReferences: " + b"<a@x> " * 50_000 + b"\r\n\r\n",
        b"From: a@x.fr\r\nContent-Type: text/html\r\n\r\n" + b"<p" * 50_000,
    ],
)
def test_broken_mails_are_read_or_refused(raw: bytes) -> None:
    check(parse(raw))


def check(letter: Letter | Unreadable) -> None:
    if isinstance(letter, Letter):
        assert len(letter.text) <= 2000
        assert len(letter.thread) <= 50
        for line in (letter.sender, letter.subject, letter.received, letter.message_id):
            assert line.isprintable()
        letter.text.encode()


_PIECES = st.sampled_from(
    [b"From: ", b"a@x.fr", b"\r\n", b"Content-Type: ", b"multipart/mixed; boundary=b", b"--b", b"--b--",
     b"text/html", b"message/rfc822", b"=?utf-8?q?", b"?=", b"Subject:", b"charset=", b"utf-7", b"<", b">",
     b"<!--", b"<![", b"&#0;", b"\xff\xfe", b"\x00"]
)  # fmt: skip


@given(st.lists(_PIECES | st.binary(max_size=20), max_size=60))
def test_whatever_comes_is_a_letter_or_unreadable(pieces: list[bytes]) -> None:
    check(parse(b"".join(pieces)))


@given(st.text(alphabet=string.printable, max_size=200))
def test_a_subject_is_one_line(subject: str) -> None:
    message = email.message.Message()
    message["From"] = "a@x.fr"
    raw = message.as_bytes().rstrip(b"\n") + b"\nSubject: " + subject.encode() + b"\n\n"
    check(parse(raw))
