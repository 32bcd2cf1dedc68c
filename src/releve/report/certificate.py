"""A drill's certificate as a document: for the person who answers for care, and for an auditor."""

import datetime as dt

import msgspec

from releve.model.drill import Certificate, Check, Mark, Outcome, Reason
from releve.report import certificate_words as said
from releve.report.document import (
    Block,
    Callout,
    Cell,
    Document,
    Lead,
    Prose,
    Section,
    Table,
    Terms,
    Tile,
    Tiles,
    Tone,
)
from releve.report.html import render
from releve.report.text import FRANCE, Lang, Text, Voice

_WORSE = frozenset({Outcome.FAILED, Outcome.NOT_DONE})
_TONES: dict[Outcome, Tone] = {
    Outcome.PASSED: "good",
    Outcome.FAILED: "bad",
    Outcome.ABSENT: "quiet",
    Outcome.NOT_DONE: "bad",
}


class Care(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What CaRE domain 2 asks of a restore test, as dated content with its source."""

    dated: str
    name: Text
    asks: Text
    caution: Text
    source: Text


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on the certificate beside what was measured."""

    fingerprint: str
    care: Care | None = None
    zone: dt.tzinfo = FRANCE


def certificate_html(made: Certificate, lang: Lang, setting: Setting) -> str:
    return render(certificate_document(made, lang, setting))


def certificate_document(made: Certificate, lang: Lang, setting: Setting) -> Document:
    """The certificate in one language; a failure stands first, never below."""
    voice, is_drill = Voice(lang), made.kind == "drill"
    about = (
        (voice.say(said.STRUCTURE), made.structure),
        (voice.say(said.HOST), made.place.host),
        (
            voice.say(said.DATE if is_drill else said.DATE_CERTIFY),
            _moment(made.ordered_at, setting, voice),
        ),
        (voice.say(said.NUMBER), made.id),
    )
    sections = [_result(made, setting, voice), _controls(made, voice)]
    if made.referent is not None:
        sections.append(_proof(made, setting, voice))
    sections.append(_conditions(made, setting, voice))
    return Document(
        lang=lang,
        title=voice.say(said.TITLE if is_drill else said.TITLE_CERTIFY),
        kind=voice.say(said.KIND if is_drill else said.KIND_CERTIFY),
        about=tuple((name, value) for name, value in about if value),
        footer=voice.say(said.FOOTER),
        sections=tuple(sections),
        description=voice.say(said.DESCRIPTION),
    )


def certificate_text(made: Certificate, lang: Lang) -> str:
    """The same in lines for a terminal, the verdict first."""
    voice = Voice(lang)
    lines = [_lead(made, voice)]
    for mark in made.rto:
        name, value, rests, _ = _mark(mark, voice)
        lines.append("  " + voice.say(said.FOLLOWED, name=name, told=f"{value} ({rests})"))
    if made.kind == "drill":
        value = voice.age(made.rpo_s) if made.rpo_s is not None else voice.say(said.RPO_NONE)
        lines.append("  " + voice.say(said.FOLLOWED, name=voice.say(said.RPO), told=value))
    for check in made.checks:
        remarks = voice.listed(_reasons(check, voice))
        outcome = voice.say(said.OUTCOMES[check.outcome])
        name = _name(check, made, voice)
        if remarks:
            name = voice.say(said.FOLLOWED, name=name, told=remarks)
        lines.append(f"  [{outcome}] {name}")
    return "\n".join(lines)


def _result(made: Certificate, setting: Setting, voice: Voice) -> Section:
    passed = made.verdict == "passed"
    blocks: list[Block] = [Lead(words=_lead(made, voice), tone="good" if passed else "bad")]
    if failed := _failures(made, voice):
        blocks.append(Callout(title=voice.say(said.FAILED_TITLE), items=failed))
    if made.interruptions:
        idle = voice.duration(made.idle_s * 1000)
        items = (
            voice.count(said.INTERRUPTED, made.interruptions, idle=idle),
            voice.say(said.INTERRUPTED_NOT_RTO),
        )
        title = voice.say(said.INTERRUPTED_TITLE)
        blocks.append(Callout(title=title, items=items, tone="quiet"))
    blocks.append(Tiles(tiles=_tiles(made, setting, voice)))
    return Section(anchor="resultat", title="", blocks=tuple(blocks), sheet=False)


def _lead(made: Certificate, voice: Voice) -> str:
    words = {
        ("drill", "passed"): said.LEAD_PASSED,
        ("drill", "failed"): said.LEAD_FAILED,
        ("certify", "passed"): said.LEAD_PASSED_CERTIFY,
        ("certify", "failed"): said.LEAD_FAILED_CERTIFY,
    }[(made.kind, made.verdict)]
    files = voice.count(said.FILES, made.files)
    return voice.say(words, size=voice.size(made.bytes), files=files)


def _failures(made: Certificate, voice: Voice) -> tuple[str, ...]:
    found = []
    for check in made.checks:
        if check.outcome in _WORSE:
            reasons = voice.listed(_reasons(check, voice))
            outcome = voice.say(said.OUTCOMES[check.outcome]).lower()
            what = f"{outcome} — {reasons}" if reasons else outcome
            found.append(voice.say(said.FOLLOWED, name=_name(check, made, voice), told=what))
    return tuple(found)


def _tiles(made: Certificate, setting: Setting, voice: Voice) -> tuple[Tile, ...]:
    tiles = []
    for mark in made.rto:
        name, value, rests, tone = _mark(mark, voice)
        tiles.append(Tile(label=name, value=value, rests_on=rests, tone=tone))
    if made.kind == "drill":
        if made.rpo_s is None or made.rpo_from is None:
            value, rests, tone = voice.say(said.NO_RPO), voice.say(said.RPO_NONE), "bad"
        else:
            value, tone = voice.age(made.rpo_s), ""
            words = said.RPO_JUDGED if made.rpo_judged else said.RPO_FROM
            rests = voice.say(words, at=_moment(made.rpo_from, setting, voice))
        tiles.append(
            Tile(
                label=voice.say(said.RPO),
                value=value,
                rests_on=rests,
                tone="bad" if tone == "bad" else "",
            )
        )
    volume = Tile(
        label=voice.say(said.VOLUME),
        value=voice.size(made.bytes),
        rests_on=voice.count(said.FILES, made.files),
    )
    return (*tiles, volume)


def _mark(mark: Mark, voice: Voice) -> tuple[str, str, str, Tone]:
    name = voice.say(said.MARKS[mark.name])
    if mark.elapsed_s is None:
        return name, voice.say(said.NOT_REACHED), "—", "quiet"
    value = voice.duration(mark.elapsed_s * 1000)
    if mark.is_interrupted:
        worked = voice.duration((mark.worked_s or 0.0) * 1000)
        return name, value, voice.say(said.MARK_INTERRUPTED, worked=worked), "quiet"
    return name, value, voice.say(said.SINCE_ORDER), ""


def _controls(made: Certificate, voice: Voice) -> Section:
    rows = tuple(
        (
            Cell(main=_name(check, made, voice)),
            Cell(
                main=voice.say(said.OUTCOMES[check.outcome]),
                tone=_TONES[check.outcome],
                badge=True,
            ),
            Cell(main=voice.number(check.counted) if check.counted else "—"),
            Cell(main=voice.listed(_reasons(check, voice))),
        )
        for check in made.checks
    )
    head = (said.CONTROL, said.RESULT, said.EXAMINED, said.REMARK)
    table = Table(caption="", head=tuple(map(voice.say, head)), rows=rows, numeric=(2,))
    blocks: list[Block] = [table]
    if parts := _databases(made, voice):
        blocks.append(parts)
    title = voice.say(said.CONTROLS)
    return Section(anchor="controles", title=title, blocks=tuple(blocks), sheet=False)


def _databases(made: Certificate, voice: Voice) -> Table | None:
    parts = [p for check in made.checks if check.name != "patient_list" for p in check.parts]
    if not parts:
        return None
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            Cell(main=f"{voice.say(said.DATABASE)} {part.label}", small=said.KINDS[part.kind]),
            Cell(main=voice.number(part.tables)),
            Cell(main=voice.number(part.rows)),
            Cell(
                main=voice.say(said.FIRST_TIME)
                if part.rows_before is None
                else voice.number(part.rows_before)
            ),
            Cell(main=part.newest[:10] or voice.say(said.NO_DATE)),
        )
        for part in parts
    )
    head = [said.DATABASE, said.TABLES, said.ROWS, said.ROWS_BEFORE, said.NEWEST]
    if made.kind != "drill":  # nothing came before
        head.remove(said.ROWS_BEFORE)
        rows = tuple((*row[:3], row[4]) for row in rows)
    return Table(
        caption=voice.say(said.DATABASES),
        head=tuple(map(voice.say, head)),
        rows=rows,
        numeric=(1, 2, 3),
    )


def _name(check: Check, made: Certificate, voice: Voice) -> str:
    if made.kind == "certify" and check.name == "hashes":
        return voice.say(said.COMPARED)
    return voice.say(said.CHECKS[check.name])


def _reasons(check: Check, voice: Voice) -> list[str]:
    return list(dict.fromkeys(_reason(reason, voice) for reason in check.reasons))


def _reason(reason: Reason, voice: Voice) -> str:
    seen, wanted = _figure(reason.seen, voice), _figure(reason.wanted, voice)
    return voice.say(said.REASONS[reason.kind], label=reason.label, seen=seen, wanted=wanted)


def _figure(value: str, voice: Voice) -> str:
    """Numbers and times as people write them; words as they came."""
    if value.isdecimal():
        return voice.number(int(value))
    return voice.moment(value) if value[4:5] == "-" else value


def _proof(made: Certificate, setting: Setting, voice: Voice) -> Section:
    referent = made.referent
    if referent is None:
        raise AssertionError("only with a referent")
    production = {None: said.NOT_SAID, True: said.YES, False: said.NO}[referent.in_production]
    pairs = [
        (voice.say(said.REFERENT), f"{referent.name}, {referent.role}"),
        (voice.say(said.PRODUCT), made.place.engine),
        (voice.say(said.PRODUCTION), voice.say(production)),
    ]
    blocks: list[Block] = []
    if care := setting.care:
        pairs += [
            (voice.say(said.PROOF_FOR), voice.say(care.name)),
            (voice.say(said.PROOF_ASKS), voice.say(care.asks)),
            (voice.say(said.PROOF_SOURCE), voice.say(care.source)),
        ]
        blocks.append(Prose(words=voice.say(care.caution), tone="quiet"))
    declares = said.DECLARES if made.verdict == "passed" else said.DECLARES_NOT
    sign = Terms(pairs=((voice.say(said.SIGN_HERE), "\u00a0"),))
    blocks = [Terms(pairs=tuple(pairs)), *blocks, Prose(words=voice.say(declares)), sign]
    title = voice.say(said.PROOF)
    return Section(anchor="referent", title=title, blocks=tuple(blocks), sheet=False)


def _conditions(made: Certificate, setting: Setting, voice: Voice) -> Section:
    place = made.place
    cores = voice.count(said.CPUS, place.cpus) if place.cpus else ""
    pairs = [
        (said.MACHINE, ", ".join(filter(None, (place.host, cores)))),
        (said.ENGINE, place.engine),
        (said.ISOLATION, voice.say(said.ISOLATIONS[place.isolation])),
        (said.ENDED, _moment(made.ended_at, setting, voice)),
        (
            said.SIGNATURE,
            voice.say(said.SIGNED_BY, key=setting.fingerprint, file=f"{made.id}.json"),
        ),
        (said.CHECK_IT, f"releve drill verify {made.id}.{voice.lang}.html"),
    ]
    if made.snapshot_at is not None:
        when = _moment(made.snapshot_at, setting, voice)
        pairs.insert(0, (said.SNAPSHOT, f"{made.snapshot[:8]} — {when}".removeprefix(" — ")))
    terms = Terms(pairs=tuple((voice.say(name), value) for name, value in pairs))
    limits = Prose(words=voice.say(said.LIMITS), tone="quiet")
    title = voice.say(said.CONDITIONS)
    return Section(anchor="conditions", title=title, blocks=(terms, limits), sheet=False)


def _moment(at: dt.datetime, setting: Setting, voice: Voice) -> str:
    return voice.moment(at.astimezone(setting.zone))
