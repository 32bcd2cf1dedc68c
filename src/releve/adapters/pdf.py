"""HTML to PDF with WeasyPrint (server extra): nothing fetched, one section kept on one page."""

from typing import TYPE_CHECKING, Any

from releve.model.errors import ReleveError

if TYPE_CHECKING:
    from weasyprint import Document  # type: ignore[import-untyped]

SIZES_PT = (8.4, 8.1, 7.8, 7.5, 7.2, 6.9, 6.6)  # below that, nobody reads it on paper


class PdfMissingError(ReleveError):
    """WeasyPrint, or a library of the system that it needs, is not there."""

    status = 97
    remedy = (
        "Install the server extra (`pip install 'releve[server]'`) and Pango "
        "(Debian: `apt-get install libpango-1.0-0 libpangoft2-1.0-0`). "
        "The HTML report is complete without it."
    )

    def __init__(self, why: str) -> None:
        super().__init__(f"No PDF can be made here: {why}.")
        self.why = why


class PdfTooLongError(ReleveError):
    """A section that must be on one page does not fit on it at a readable size."""

    status = 98
    remedy = "Shorten the texts of content/promises.toml, or install the fonts-liberation package."

    def __init__(self, anchor: str) -> None:
        super().__init__(f"The section `{anchor}` does not fit on one page.")
        self.anchor = anchor


def pdf(html: str, *, one_page: str = "") -> bytes:
    """The page as a tagged PDF. The section with the id `one_page` ends on the page it begins on.

    Fonts differ between machines: the section's letters shrink step by step until it fits.

    Raises:
        PdfMissingError: WeasyPrint or its libraries are missing.
        PdfTooLongError: the section fits at no readable size.
    """
    weasyprint = _weasyprint()
    # A report must read the same without a network, and must not tell anyone that it was opened.
    nothing = weasyprint.urls.URLFetcher(allowed_protocols=())
    source = weasyprint.HTML(string=html, url_fetcher=nothing)
    for size in SIZES_PT if one_page else SIZES_PT[:1]:
        sheet = weasyprint.CSS(string=f".one_page {{ --one-page: {size}pt }}", url_fetcher=nothing)
        document = source.render(stylesheets=[sheet])
        if not one_page or _on_one_page(document, one_page):
            return bytes(document.write_pdf(pdf_variant="pdf/ua-1"))
    raise PdfTooLongError(one_page)


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as missing:  # OSError: Pango's shared library is not found
        raise PdfMissingError(str(missing).splitlines()[0]) from missing
    return weasyprint


def _on_one_page(document: "Document", anchor: str) -> bool:
    """True too when the document has no such section at all."""
    pages = [
        number
        for number, page in enumerate(document.pages)
        if anchor in page.anchors or f"{anchor}-end" in page.anchors
    ]
    return len(pages) <= 1
