"""A dossier: seen, edited, signed, taken away as a file, its receipt attached. Never sent from here."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console import obligation_views as views
from releve.apps.console.context import AnyRequest, context_of
from releve.apps.console.dossier_files import KINDS, file_of
from releve.apps.console.obligation_pages import incident_of, wrong_of
from releve.apps.console.units import reading, writing
from releve.apps.console.web import Entered, enter, form_of, go, page, whole_number
from releve.flow.server import dossiers, duties, receipts
from releve.flow.server.access import may
from releve.flow.server.obligations import DecisionIncompleteError
from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.model.access import Verb
from releve.model.dossier import Dossier, Form
from releve.obligation.dossier import is_as_signed
from releve.obligation.times import instant

Act = Callable[[Unit, Form, dossiers.Who, dict[str, str]], Dossier]


@get("/incidents/{identity:str}/dossiers/{kind:str}")
async def dossier(request: AnyRequest, identity: FromPath[str], kind: FromPath[str]) -> Response[str]:  # fmt: skip
    entered = await enter(request)
    context, form = entered.visit.context, _form(entered, kind)

    def read(unit: Unit) -> tuple[views.DossierView, list[Dossier], bool, dt.tzinfo]:
        incident_of(unit, identity)
        versions = unit.dossier_versions(identity, kind)
        if not versions:
            raise NotFoundException
        view = views.dossier_view(unit, form, identity)
        shown = msgspec.structs.replace(view, dossier=_shown(versions[0]))
        is_broken = versions[0].signature is not None and not is_as_signed(versions[0])
        return shown, [_shown(version) for version in versions], is_broken, zone_of(unit)

    view, versions, is_broken, zone = await reading(entered, read)
    return page(
        entered.visit,
        "dossier.html",
        view=view,
        versions=versions,
        is_broken=is_broken,
        zone=zone,
        can_stop=may(entered.visit.role, Verb.SIGN_DUTIES),
        may_be_part=any(
            duty.dossier == kind and receipts.may_be_part(context.law, duty)
            for duty in context.law.duty
        ),
        law=context.law,
        incident=identity,
        wrong=wrong_of(request),
    )


@get("/incidents/{identity:str}/dossiers/{kind:str}/{file:str}")
async def download(
    request: AnyRequest, identity: FromPath[str], kind: FromPath[str], file: FromPath[str]
) -> Response[bytes]:
    entered = await enter(request)
    context, form = entered.visit.context, _form(entered, kind)
    if file not in KINDS:
        raise NotFoundException

    def read(unit: Unit) -> tuple[Dossier, bytes]:
        incident_of(unit, identity)
        made = unit.dossier(identity, kind)
        if made is None:
            raise NotFoundException
        return made, file_of(unit, context.law, form, made, file)

    made, body = await reading(entered, read)
    name = f"{kind}-{identity}-v{made.version}.{file}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=KINDS[file], headers=headers)


@post("/incidents/{identity:str}/dossiers/{kind:str}/make")
async def make(request: AnyRequest, identity: FromPath[str], kind: FromPath[str]) -> Response[str]:
    law = context_of(request).law

    def act(unit: Unit, form: Form, who: dossiers.Who, _: dict[str, str]) -> Dossier:
        return dossiers.make(unit, law, form, identity, who)

    return await _carry(request, identity, kind, act)


@post("/incidents/{identity:str}/dossiers/{kind:str}/edit")
async def edit(request: AnyRequest, identity: FromPath[str], kind: FromPath[str]) -> Response[str]:
    def act(unit: Unit, form: Form, who: dossiers.Who, fields: dict[str, str]) -> Dossier:
        wanted = {f.id: fields[f"field.{f.id}"] for f in form.fields() if f"field.{f.id}" in fields}
        return dossiers.edit(unit, form, identity, wanted, who)

    return await _carry(request, identity, kind, act)


@post("/incidents/{identity:str}/dossiers/{kind:str}/sign")
async def sign(request: AnyRequest, identity: FromPath[str], kind: FromPath[str]) -> Response[str]:
    law = context_of(request).law

    def act(unit: Unit, form: Form, who: dossiers.Who, fields: dict[str, str]) -> Dossier:
        signer = (fields.get("name", ""), fields.get("role", ""))
        return dossiers.sign(unit, law, form, identity, signer, who)

    return await _carry(request, identity, kind, act)


@post("/incidents/{identity:str}/dossiers/{kind:str}/receipt")
async def receipt(
    request: AnyRequest, identity: FromPath[str], kind: FromPath[str]
) -> Response[str]:
    entered = await enter(request)
    given = (await request.form()).get("file")
    body = await given.read() if isinstance(given, UploadFile) else b""
    law = entered.visit.context.law

    def act(unit: Unit, form: Form, who: dossiers.Who, fields: dict[str, str]) -> Dossier:
        made = dossiers.attach(unit, form, identity, fields.get("reference", ""), body, who)
        if may(entered.visit.role, Verb.SIGN_DUTIES):  # else its number waits at the clock
            sending = receipts.Sending(
                login=who.login,
                at=who.at,
                sent_at=instant(fields.get("sent_at", ""), zone_of(unit)),
                is_part=fields.get("partial") == "yes",
            )
            receipts.carry(unit, law, made, sending)
        return made

    return await _carry(request, identity, kind, act)


ROUTES: list[Any] = [dossier, download, make, edit, sign, receipt]


def _shown(made: Dossier) -> Dossier:
    """Without a signature that is not of what stands there now."""
    if is_as_signed(made):
        return made
    return msgspec.structs.replace(made, signature=None, receipt=None)


def _form(entered: Entered, kind: str) -> Form:
    try:
        return dossiers.form_of(entered.visit.context.forms, kind)
    except dossiers.DossierUnknownError as error:
        raise NotFoundException from error


async def _carry(request: AnyRequest, identity: str, kind: str, act: Act) -> Response[str]:
    entered = await enter(request)
    fields, form = await form_of(request, entered.session), _form(entered, kind)
    seen = whole_number(fields.get("version", ""))
    who = dossiers.Who(login=entered.session.login, at=entered.visit.now, seen=seen)
    here = f"/incidents/{identity}/dossiers/{kind}"

    def write(unit: Unit) -> None:
        incident_of(unit, identity)
        act(unit, form, who, fields)

    try:
        await writing(entered, write)
    except DecisionIncompleteError:
        return go(f"{here}?wrong=incomplete")
    except dossiers.DossierChangedError:
        return go(f"{here}?wrong=changed")
    except (dossiers.DossierUnknownError, duties.NotDeclaredError) as error:
        raise NotFoundException from error
    return go(here)
