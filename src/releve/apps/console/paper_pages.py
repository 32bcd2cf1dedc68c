"""Relève's own papers under the GDPR: what there is, and each one filled in for the structure."""

from typing import Any

from anyio import to_thread
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.adapters.pdf import pdf
from releve.apps.console.context import AnyRequest
from releve.apps.console.units import reading
from releve.apps.console.views import structure_name
from releve.apps.console.web import Entered, enter, page
from releve.flow.server.ports import Unit
from releve.report.html import render
from releve.report.privacy_facts import told
from releve.report.privacy_paper import paper_document
from releve.report.text import LANGS, Lang

_LONGEST = 200  # of an operator's name and address


@get("/papers")
async def papers(request: AnyRequest) -> Response[str]:
    """All, with one line each; the operator's name goes into the links."""
    entered = await enter(request)
    context = entered.visit.context
    structure = await to_thread.run_sync(structure_name, context.store, entered.structure)
    return page(
        entered.visit,
        "papers.html",
        papers=context.papers[entered.visit.words.language].papers,
        operator=_operator(request),
        structure=structure,
        most=_LONGEST,
    )


@get("/papers/{name:str}/{file:str}")
async def paper(request: AnyRequest, name: FromPath[str], file: FromPath[str]) -> Response[bytes]:
    """`fr.pdf` or `en.pdf`, shown by the browser, which prints or keeps it."""
    entered = await enter(request)
    lang = next((one for one in LANGS if file == f"{one}.pdf"), None)
    if lang is None:
        raise NotFoundException
    body = await _printed(entered, name, lang, _operator(request))
    headers = {"content-disposition": f'inline; filename="releve-{name}.{lang}.pdf"'}
    return Response(body, media_type="application/pdf", headers=headers)


ROUTES: list[Any] = [papers, paper]


async def _printed(entered: Entered, name: str, lang: Lang, operator: str) -> bytes:
    context = entered.visit.context
    shelf = context.papers[lang]
    wanted = shelf.named(name)
    if wanted is None:
        raise NotFoundException
    structure = await to_thread.run_sync(structure_name, context.store, entered.structure)

    def known(unit: Unit) -> dict[str, str]:
        return told(structure, unit.profile(), operator, lang)

    facts = shelf.figures | await reading(entered, known)
    facts["day"] = entered.visit.now.date().isoformat()
    document = paper_document(wanted, shelf.policy, facts, lang)
    return await to_thread.run_sync(lambda: pdf(render(document)))


def _operator(request: AnyRequest) -> str:
    return request.query_params.get("operator", "").strip()[:_LONGEST]
