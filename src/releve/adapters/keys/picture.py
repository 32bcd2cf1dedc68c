"""The QR picture on a sheet."""

from releve.adapters.keys.shares import SheetToolMissingError


def qr(text: str) -> str:
    """As SVG without any address in it; a quarter of the signs may be unreadable (level Q).

    Raises: SheetToolMissingError.
    """
    try:
        import segno
    except ImportError as missing:
        raise SheetToolMissingError("segno") from missing
    return str(segno.make(text, error="q", micro=False).svg_inline(scale=4, border=4))
