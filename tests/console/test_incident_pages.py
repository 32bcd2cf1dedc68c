"""The page of an incident: readable for a doctor, every act with a reason, never another's."""

import datetime as dt
import html
import re

import httpx
import msgspec
import pytest

from releve.flow.server import situations
from releve.flow.server.actions import approve, expire
from releve.flow.server.ingest import take
from releve.flow.server.months import month_of
from releve.flow.server.statements import measure
from releve.flow.wire import Vitals
from releve.model.casework import CaseTask
from releve.model.finding import Severity
from releve.model.incident import Incident
from releve.model.structure import CareService, Contact, DataSetEntry, Profile, StructureKind
from tests.console.test_pages import sign_in
from tests.server.world import Running, add_host, batch, rolled_back, stopped

MOST_BYTES = 200_000
PROFILE = Profile(
    kind=StructureKind.PRACTICE,
    legal_name="Cabinet A",
    contacts=(Contact(name="Dr Martin", role="lead", phone="02 99 00 00 01"),),
    data_map=(
        DataSetEntry(name="Dossiers patients", hosts=("serveur",), persons={"patients": 2400}),
    ),
    services=(
        CareService(id="soins", name="Consultations", hosts=("serveur",), consultations_per_hour=6),
    ),
)


class Visitor:
    """Somebody signed in, in front of one incident of two hosts."""

    def __init__(self, served: Running) -> None:
        self.served = served
        self.browser = httpx.Client(
            base_url=served.url, trust_env=False, timeout=30, follow_redirects=True,
            headers={"accept-language": "fr"},
        )  # fmt: skip
        self.csrf = sign_in(served, self.browser)
        now = served.context.clock.now()
        self.hosts = [add_host(served.store, name) for name in ("serveur", "accueil")]
        for host in self.hosts:
            told = batch(stopped("f", now), rolled_back("f", now))
            take(served.store, host.structure, host.id, told, now)
        with served.store.unit(self.hosts[0].structure) as unit:
            unit.put_profile(PROFILE)

    def incidents(self) -> list[Incident]:
        with self.served.store.unit(self.hosts[0].structure, writes=False) as unit:
            return unit.incidents()

    @property
    def at(self) -> str:
        return f"/incidents/{self.incidents()[-1].id}"

    def page(self, path: str = "") -> str:
        return html.unescape(self.browser.get(path or self.at).text)

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self.browser.post(self.at + path, data={"csrf": self.csrf, **fields})


@pytest.fixture
def visitor(served: Running) -> Visitor:
    return Visitor(served)


def test_the_page_says_what_happened_what_is_safe_and_what_to_do(visitor: Visitor) -> None:
    text = visitor.page()
    for said in (
        "Ce qui s’est passé",
        "L’attaque touche 2 machines",
        "Ce qui est à l’abri",
        "Que faire maintenant",
        "Relié parce que le même programme, gpg",
        "L’horloge court",
        "Au plus",
        "critique",
        "Dossiers patients (environ 2",
    ):
        assert said in text, said
    english = visitor.page(visitor.at + "?lang=en")
    assert "The attack touches 2 hosts" in english


def test_what_is_safe_says_that_a_roll_back_is_still_under_way(visitor: Visitor) -> None:
    """ "0 lost" alone would be a promise that nobody measured yet."""

    def safe() -> str:
        return visitor.page().partition('id="safe">')[2].partition("</section>")[0]

    assert "remise en état en cours" not in safe()
    served, host, now = visitor.served, visitor.hosts[0], visitor.served.context.clock.now()
    take(served.store, host.structure, host.id, batch(stopped("g", now), first=3), now)
    assert "remise en état en cours (1\xa0attaque)" in safe()
    take(served.store, host.structure, host.id, batch(rolled_back("g", now), first=4), now)
    assert "remise en état en cours" not in safe()


def test_the_playbook_of_the_attack_is_proposed_until_it_is_started(visitor: Visitor) -> None:
    french, english = visitor.page(), visitor.page(f"{visitor.at}?lang=en")
    assert re.findall(r'<option value="([^"]*)" selected>([^<]*)<', french) == [
        ("ransomware", "Rançongiciel ou effacement (proposée)")
    ]
    assert "Fiche proposée" in french
    assert "Ransomware or wiping (proposed)" in english
    assert "Proposed playbook: Ransomware or wiping" in english
    visitor.post("/playbooks", playbook="ransomware")
    after = visitor.page(f"{visitor.at}?lang=fr")
    assert "proposée" not in after
    assert '<option value="">Choisissez une fiche</option><option value="data-leak">' in after
    assert '<option value="ransomware"' not in after
    assert visitor.post("/playbooks", playbook="").status_code == 404


def test_a_playbook_is_followed_from_the_page(visitor: Visitor) -> None:
    visitor.post("/playbooks", playbook="ransomware")
    assert "Nommez une personne qui mène" in visitor.page()
    done = visitor.post("/playbooks/ransomware/lead", state="done")
    assert "étapes\u00a0: 1 sur 24" in html.unescape(done.text)
    assert done.url.fragment == "playbooks"  # on a long page the next step is where the last was
    assert visitor.post("/playbooks/ransomware/call", state="skipped").status_code == 422
    visitor.post("/playbooks/ransomware/call", state="skipped", why="déjà fait")
    assert "déjà fait" in visitor.page()
    visitor.post("/playbooks/ransomware/isolate", state="propose")
    assert "2 personnes différentes doivent être d’accord" in visitor.page("/").replace("\xa0", " ")
    assert visitor.post("/playbooks/ransomware/lead", state="undone", why="trop tôt").is_success
    assert visitor.post("/playbooks/castle/lead", state="done").status_code == 404


def box(text: str) -> str:
    """What the incident's page says to do now."""
    (found,) = re.findall(
        r'<section class="card" aria-labelledby="next">(.*?)</section>', text, re.DOTALL
    )
    return found.replace("\xa0", " ")


def refused(visitor: Visitor, why: str) -> None:
    """The isolation of both hosts, proposed, and refused by the one who is signed in."""
    visitor.post("/playbooks", playbook="ransomware")
    visitor.post("/playbooks/ransomware/isolate", state="propose")
    for action in set(re.findall(r"/actions/(\w+)/refuse", visitor.page("/"))):
        form = {"csrf": visitor.csrf, "why": why}
        assert visitor.browser.post(f"/actions/{action}/refuse", data=form).is_success


def test_what_to_do_now_says_who_refused_a_step_when_and_why(visitor: Visitor) -> None:
    refused(visitor, "consultation en cours")
    said = box(visitor.page())
    for words in (
        "Proposée, mais aucune machine ne le fera",
        "Isolez du réseau les machines touchées",
        "serveur : refusé par claire le",
        "accueil : refusé par claire le",
        "<q>consultation en cours</q>",
        "faites-le à la main, proposez-le de nouveau avec d’autres mots",
        "Nommez une personne qui mène",  # and the next one, as before
    ):
        assert words in said, words
    assert "consultation en cours" in visitor.page().split('id="timeline"')[1]
    assert "refused by claire on" in box(visitor.page(f"{visitor.at}?lang=en"))


def test_a_refused_step_is_proposed_again_in_other_words_done_or_skipped(visitor: Visitor) -> None:
    refused(visitor, "consultation en cours")
    at = "/playbooks/ransomware/isolate"
    assert visitor.post(at, state="propose", why="l’attaque gagne le PACS").is_success
    assert "refusé par" not in box(visitor.page())  # somebody is asked again
    assert "<q>l’attaque gagne le PACS</q>" in visitor.page("/")
    refused(visitor, "toujours non")
    assert "toujours non" in box(visitor.page())
    visitor.post(at, state="done")
    assert "refusé par" not in box(visitor.page())
    visitor.post(at, state="undone", why="pas tout")
    visitor.post(at, state="skipped", why="on débranche")
    assert "refusé par" not in box(visitor.page())


def test_a_proposal_that_nobody_decided_in_time_needs_a_person_again(visitor: Visitor) -> None:
    visitor.post("/playbooks", playbook="ransomware")
    visitor.post("/playbooks/ransomware/isolate", state="propose")
    with visitor.served.store.unit(visitor.hosts[0].structure) as unit:
        expire(unit, visitor.served.context.clock.now() + dt.timedelta(minutes=16))
    assert "personne n’a décidé à temps" in box(visitor.page())


def test_a_proposal_that_was_approved_and_no_host_answered_is_not_called_undecided(
    visitor: Visitor,
) -> None:
    visitor.post("/playbooks", playbook="ransomware")
    visitor.post("/playbooks/ransomware/isolate", state="propose")
    clock = visitor.served.context.clock
    with visitor.served.store.unit(visitor.hosts[0].structure) as unit:
        for record in unit.actions(state="proposed"):
            for person in ("claire", "anne"):
                approve(
                    unit,
                    record.action.id,
                    visitor.served.context.key,
                    actor=person,
                    now=clock.now(),
                )
        expire(unit, clock.now() + dt.timedelta(days=30))
    said = box(visitor.page())
    assert "approuvé par claire, anne, mais la machine n’a pas répondu à temps" in said
    assert "personne n’a décidé" not in said


def test_before_and_after_closing_the_page_says_what_stays_open(visitor: Visitor) -> None:
    visitor.post("/playbooks", playbook="ransomware")
    visitor.post("/playbooks/ransomware/lead", state="done")
    visitor.post("/playbooks/ransomware/isolate", state="propose")
    visitor.post("/obligations", by="claire")
    (_, asked) = visitor.page().split('id="handling"')
    for words in (
        "Encore ouvert, et que la clôture ne finit pas",
        "23 étapes de fiche ni faites ni passées",
        "2 propositions attendent une décision",
        "Consultations : personne n’a dit que le soin a repris",
        "Inscrire au registre des violations",
        "Notifier la violation à la CNIL</a> : à faire avant",
        "Vous pouvez clore quand même",
    ):
        assert words in asked.replace("\xa0", " "), words
    assert visitor.post("/close", why="relu").is_success  # it is allowed
    after = box(visitor.page())
    assert "Clos, mais encore ouvert" in after
    assert "Notifier la violation à la CNIL" in after
    assert "Closed, but still open" in box(visitor.page(f"{visitor.at}?lang=en"))


def test_a_roll_back_that_nobody_told_the_end_of_is_named_before_and_after_closing(
    visitor: Visitor,
) -> None:
    said = "1 arrêt dont la remise en état n’est pas encore annoncée"
    visitor.post("/care/soins", how="now")
    assert said not in visitor.page().replace("\xa0", " ")
    now, host = visitor.served.context.clock.now(), visitor.hosts[0]
    take(
        visitor.served.store,
        host.structure,
        host.id,
        batch(stopped("g", now), first=3),
        now,
    )
    assert said in visitor.page().replace("\xa0", " ").partition('id="handling"')[2]
    visitor.post("/close", why="relu")
    assert said in box(visitor.page()).replace("\xa0", " ")


def test_closing_what_is_done_warns_of_nothing(visitor: Visitor) -> None:
    visitor.post("/care/soins", how="now")
    assert "que la clôture ne finit pas" not in visitor.page()
    visitor.post("/close", why="relu")
    assert "mais encore ouvert" not in visitor.page()


def test_how_grave_it_is_is_the_same_on_its_page_the_situation_and_the_statement(
    visitor: Visitor,
) -> None:
    (stored,) = visitor.incidents()
    assert (
        stored.severity is Severity.SERIOUS
    )  # as found; that it touches two hosts makes it graver
    assert '<span class="pill sev-pill-critical">critique</span>' in visitor.page()
    now = visitor.served.context.clock.now()
    with visitor.served.store.unit(visitor.hosts[0].structure, writes=False) as unit:
        assert situations.summed(unit, now).severity is Severity.CRITICAL
        month = month_of(f"{now:%Y-%m}", "UTC")
        assert measure(unit, "Cabinet A", month, now).incidents.by_severity == {"critical": 1}


def test_care_resumed_stops_its_clock_and_can_be_taken_back(visitor: Visitor) -> None:
    visitor.post("/care/soins", how="now")
    assert "A repris" in visitor.page()
    visitor.post("/care/soins", how="undo")
    assert "L’horloge court" in visitor.page()
    visitor.post("/care/soins", how="never")
    (incident,) = visitor.incidents()
    assert incident.resumed[0].at == incident.opened_at
    assert visitor.post("/care/labo", how="now").status_code == 404


def test_hosts_are_split_merged_and_the_incident_closed_and_reopened(visitor: Visitor) -> None:
    first = visitor.incidents()[0].id
    second = visitor.hosts[1].id
    visitor.post("/split", **{f"host-{second}": "yes"}, why="un autre poste")
    assert len(visitor.incidents()) == 2
    other = next(i.id for i in visitor.incidents() if i.id != first)
    at = f"/incidents/{first}"
    form = {"csrf": visitor.csrf, "other": other, "why": "finalement le même"}
    assert visitor.browser.post(f"{at}/merge", data=form).is_success
    assert f"/incidents/{first}" in visitor.page(f"/incidents/{other}")
    assert visitor.browser.post(f"{at}/close", data={"csrf": visitor.csrf}).status_code == 422
    shut = visitor.browser.post(f"{at}/close", data={"csrf": visitor.csrf, "why": "relu"})
    assert "Revérifiez qu’aucun point d’appui ne reste" in html.unescape(shut.text)
    again = visitor.browser.post(f"{at}/reopen", data={"csrf": visitor.csrf, "why": "encore"})
    assert "Incident rouvert" in html.unescape(again.text)


def test_tasks_evidence_and_decisions_are_written_and_shown(visitor: Visitor) -> None:
    visitor.post("/tasks", title="Changer les mots de passe", who="Paul", days="2")
    text = visitor.page()
    (task,) = re.findall(r"/tasks/([\w-]+)/done", text)
    assert "Faite le" in html.unescape(visitor.post(f"/tasks/{task}/done").text)
    assert visitor.post(f"/tasks/{task}/done").status_code == 404
    fields = {"name": "note", "sha256": "AB" * 32, "size": "12", "kept": "coffre"}
    visitor.post("/evidence", **fields)
    assert visitor.post("/evidence", **{**fields, "sha256": "x"}).status_code == 422
    (piece,) = re.findall(r'name="evidence" value="([\w-]+)"', visitor.page())
    visitor.post("/hand-over", evidence=piece, giver="A", receiver="police", kept="scellé")
    visitor.post("/ransom", decided="not_paid", decider="Dr M", why="jamais")
    text = visitor.page()
    assert "ab" * 32 in text
    assert "A → police, scellé" in text
    assert "Ne pas payer" in text
    assert "ne jamais payer" in text


def test_numbers_that_are_none_or_too_great_are_no_failure(visitor: Visitor) -> None:
    assert visitor.post("/tasks", title="Appeler", days="²").status_code == 200
    piece = {"name": "photo", "sha256": "ab" * 32, "kept": "coffre"}
    for size in ("²", "9" * 40):
        answer = visitor.post("/evidence", size=size, **piece)
        assert answer.status_code == 422
        assert "nombre d’octets" in html.unescape(answer.text)
    for skip in (10**6 + 1, 10**30, -1):
        answer = visitor.browser.get(f"{visitor.at}?skip={skip}")
        assert answer.status_code == 200
        assert "Appeler" in answer.text


def test_what_people_write_cannot_become_markup(visitor: Visitor) -> None:
    bad = "<script>alert(1)</script>"
    visitor.post("/tasks", title=bad)
    visitor.post("/evidence", name=bad, sha256="a" * 64, size="1", kept=bad)
    visitor.post("/ransom", decided="paid", decider=bad, why=bad)
    visitor.post("/close", why=bad)
    assert bad not in visitor.browser.get(visitor.at).text


def test_every_form_needs_the_sessions_token(visitor: Visitor) -> None:
    for path in ("/close", "/reopen", "/merge", "/split", "/care/soins", "/tasks", "/tasks/t/done",
                 "/evidence", "/hand-over", "/ransom", "/playbooks", "/playbooks/intrusion/lead"):  # fmt: skip
        answer = visitor.browser.post(visitor.at + path, data={"csrf": "x", "why": "x"})
        assert answer.status_code == 403, path
    (incident,) = visitor.incidents()
    assert incident.closed_at is None


def test_the_live_part_comes_as_events_and_a_stranger_is_not_there(visitor: Visitor) -> None:
    with visitor.browser.stream("GET", visitor.at + "/live") as answer:
        assert "event-stream" in answer.headers["content-type"]
        assert "Que faire maintenant" in html.unescape(next(answer.iter_text()))
    assert visitor.browser.get("/incidents/nothing/live").status_code == 404


def test_a_storm_is_read_page_by_page_and_no_page_is_heavy(visitor: Visitor) -> None:
    now = visitor.served.context.clock.now()
    host = visitor.hosts[0]
    storm = [stopped(f"s{n}", now) for n in range(600)]
    take(visitor.served.store, host.structure, host.id, batch(*storm, first=10), now)
    visitor.post("/playbooks", playbook="ransomware")
    body = visitor.browser.get(visitor.at).content
    assert len(body) < MOST_BYTES
    assert "lignes plus anciennes" in html.unescape(body.decode())
    older = visitor.browser.get(visitor.at + "?skip=450").content
    assert len(older) < MOST_BYTES
    assert older.count(b'class="when"') >= 150


def test_the_sheets_are_shown_and_printed_with_the_structures_numbers(visitor: Visitor) -> None:
    assert visitor.page("/playbooks").count("/sheet.pdf") == 7
    assert "02 99 00 00 01" in visitor.page("/playbooks/ransomware")
    paper = visitor.browser.get("/playbooks/ransomware/sheet.pdf")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF")
    assert visitor.browser.get("/playbooks/castle").status_code == 404


def test_a_demonstration_that_is_over_is_not_protected_and_offers_no_act(visitor: Visitor) -> None:
    now = visitor.served.context.clock.now()
    assert "Agir sur ce poste" in visitor.page("/")
    vitals = Vitals(guard_running=False, is_demonstration=True)
    for host in visitor.hosts:
        told = msgspec.structs.replace(batch(), vitals=vitals)
        take(visitor.served.store, host.structure, host.id, told, now)
    text = visitor.page("/")
    assert "plus aucun gardien ne tourne" in text
    assert "il n’exécute aucun ordre" in text
    for untrue in ("Agir sur ce poste", "Protégé", "pas encore faite"):
        assert untrue not in text
    assert "il n’exécute aucun ordre" in visitor.page("/vault")


def test_the_audit_trail_is_told_in_words_and_pages_name_their_zone(visitor: Visitor) -> None:
    text = visitor.page("/health")
    assert "compte créé" in text
    assert "<code>create</code>" not in text
    assert "Heures affichées : heure de Paris." in text.replace("\xa0", " ")
    assert "Times shown: Paris time." in visitor.page("/health?lang=en")


def test_two_thousand_tasks_are_turned_page_by_page(served: Running) -> None:
    doctor = Visitor(served)
    identity, structure = doctor.at.rpartition("/")[2], doctor.hosts[0].structure
    now = served.context.clock.now()
    with served.store.unit(structure) as unit:
        for n in range(2000):
            done_at = now if n < 5 else None
            unit.put_task(
                CaseTask(
                    id=f"t{n:04}", incident=identity, title=f"tâche numéro {n}", made_at=now,
                    made_by="a", done_at=done_at, done_by="a" if done_at else "",
                )
            )  # fmt: skip
    seen: list[str] = []
    path = doctor.at
    while path:
        page = doctor.page(path)
        assert len(page.encode()) < MOST_BYTES
        seen += re.findall(r"tâche numéro (\d+)", page)
        onward = re.findall(r'href="([^"#]+)#tasks">[^<]*autre', page)
        path = onward[0] if onward else ""
    assert len(seen) == len(set(seen)) == 2000
    assert set(seen[-5:]) == {"0", "1", "2", "3", "4"}  # what is done comes last
    assert "tâche numéro" not in doctor.page(f"{doctor.at}?tasks=999999")
