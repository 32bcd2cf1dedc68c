"""Which file comes home first."""

from hypothesis import given
from hypothesis import strategies as st

from releve.recover.care_order import CareList, Item, Service, batches, plan, words_of


def item(path: str, size: int = 1) -> Item:
    return Item(path=path, size=size)


def paths(items) -> list[str]:
    return [one.path for one in items]


def test_patients_of_today_are_found_by_name_in_any_writing():
    care = CareList(today=("Dupont Hélène", "patients/042"))
    found = plan(
        [
            item("patients/DUPONT_Helene/CR.pdf"),
            item("lettres/2026-11 helene-dupont.doc"),
            item("patients/DUPONT_Marie/CR.pdf"),
            item("patients/042/radio.dcm"),
            item("patients/0421/radio.dcm"),
        ],
        care,
    )
    assert paths(found.today) == [
        "lettres/2026-11 helene-dupont.doc",
        "patients/042/radio.dcm",
        "patients/DUPONT_Helene/CR.pdf",
    ]
    assert found.rest.files == 2


def test_an_empty_line_or_punctuation_wants_nobody():
    found = plan([item("a/b.txt")], CareList(today=("", "  ", "--", "/")))
    assert found.rest.files == 1
    assert not found.today


def test_databases_come_by_rank_then_the_smaller_first():
    care = CareList(
        services=(
            Service(name="imagerie", rank=2, places=("pacs",)),
            Service(name="accueil", rank=1, places=("accueil",), databases=("accueil/base.dat",)),
        )
    )
    found = plan(
        [
            item("pacs/index.db", 1),
            item("accueil/gros.sqlite", 900),
            item("accueil/base.dat", 10),
            item("autre.mdb", 1),
        ],
        care,
    )
    assert paths(found.databases) == [
        "accueil/base.dat", "accueil/gros.sqlite", "pacs/index.db", "autre.mdb",
    ]  # fmt: skip


def test_a_database_is_not_taken_for_a_document_of_today():
    found = plan([item("patients/dupont.db")], CareList(today=("dupont",)))
    assert paths(found.databases) == ["patients/dupont.db"]
    assert not found.today


def test_the_deepest_place_of_a_service_counts():
    care = CareList(
        services=(
            Service(name="tout", rank=5, places=("/",)),
            Service(name="urgences", rank=1, places=("dossiers/urgences/",)),
        )
    )
    found = plan([item("dossiers/a.db"), item("dossiers/urgences/b.db")], care)
    assert paths(found.databases) == ["dossiers/urgences/b.db", "dossiers/a.db"]


def test_batches_go_by_rank_and_end_with_everything():
    care = CareList(
        services=(
            Service(name="b", rank=2, places=("b", "c")),
            Service(name="a", rank=1, places=("a",)),
            Service(name="vide", rank=3, places=("/",)),
        )
    )
    assert batches(care) == [("a",), ("b", "c"), ()]
    assert batches(CareList()) == [()]


def test_words_part_at_signs_and_lose_case_and_accents():
    assert words_of("DUPONT_Jean-Éric (né 1950).pdf") == {
        "dupont",
        "jean",
        "eric",
        "ne",
        "1950",
        "pdf",
    }


names = st.text(alphabet="ab_/é. d", min_size=1, max_size=12).map(
    lambda text: text.strip("/") or "x"
)


@given(st.lists(names, unique=True), st.lists(names), st.lists(names))
def test_every_file_comes_exactly_once(files, today, places):
    care = CareList(
        today=tuple(today),
        services=tuple(Service(name=p, rank=n, places=(p,)) for n, p in enumerate(places)),
    )
    found = plan([item(path) for path in files], care)
    named = paths((*found.today, *found.databases))
    assert set(named) <= set(files)
    assert len(set(named)) == len(named)
    assert found.rest.files == found.rest.bytes == len(files) - len(named)
