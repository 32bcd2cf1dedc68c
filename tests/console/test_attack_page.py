"""What the night operator reads of an attack: who is rung for it, what was stopped, what stays open."""

import datetime as dt
import html

import msgspec
import pytest

from releve.assist.escalation import Acknowledged
from releve.flow.server.assist import answering, rotas
from releve.flow.server.assist.asking import Asked, ask
from releve.flow.server.ingest import take
from tests.assist.people import always, person
from tests.console.test_incident_pages import PROFILE, Visitor
from tests.server.world import Running, add_host, batch, rolled_back, running, stopped


def plain(text: str) -> str:
    """With spaces that break, for comparing."""
    return html.unescape(text).replace("\u00a0", " ").replace("\u202f", " ")


class Night(Visitor):
    """The same visitor before anything happened: nothing is driven but what a test drives."""

    def __init__(self, served: Running) -> None:
        self.hosts = []
        super().__init__(served)

    @property
    def structure(self) -> str:
        return self.hosts[0].structure

    def page(self, path: str = "") -> str:
        return plain(super().page(path))

    def home(self) -> str:
        return self.page("/")


@pytest.fixture
def night(tmp_path_factory: pytest.TempPathFactory):
    with running(tmp_path_factory.mktemp("night"), jobs=False) as served:
        yield Night(served)


def call_of(night: Night) -> str:
    with night.served.store.unit(night.structure, writes=False) as unit:
        (found,) = (r for r in unit.help_requests() if r.attacks)
    return found.id


def test_the_page_says_who_is_looked_for_and_who_has_it(night: Night) -> None:
    text = night.page()
    assert "On cherche quelqu’un" in text
    assert "Relève cherche qui est d’astreinte pour cet incident." in text
    assert "l’astreinte est appelée, personne ne l’a encore pris." in night.home()
    taken = night.post("/take")
    assert taken.status_code == 200
    said = plain(taken.text)
    assert "claire s’en occupe : a répondu en" in said
    assert "Pris en charge" in said
    assert "/take" not in said
    assert "personne ne l’a encore pris." not in night.home()
    call = night.page(f"/help/{call_of(night)}")
    assert "Appel pour un incident grave" in call
    assert f'href="{night.at}"' in call
    assert "aucun chiffre d’aide" in call
    assert 'href="#close-title">Clore la demande' in call


def test_with_nobody_on_call_the_page_says_so_with_whom_to_call(night: Night) -> None:
    from releve.assist.escalation import Limits, Tick

    with night.served.store.unit(night.structure) as unit:
        request = unit.help_request(call_of(night), lock=True)
        assert request is not None
        answering.move(unit, request, (Tick(request.course.due_at, ()),), Limits())
    text = night.page()
    assert "Personne n’est d’astreinte" in text
    assert "Astreinte appelée" not in text  # nobody was
    assert 'Dr Martin <a class="phone" href="tel:0299000001">02 99 00 00 01</a>' in text
    assert "personne n’est d’astreinte, personne n’a été appelé" in night.home()


def test_closing_lists_the_calls_for_help_that_are_open(night: Night) -> None:
    now = night.served.context.clock.now()
    asked = Asked(id="h1", source="console", by="paul", text="x", is_blocked=True, at=now)
    ask(night.served.store, night.structure, asked, now)
    with night.served.store.unit(night.structure) as unit:
        answering.acknowledge(unit, "h1", Acknowledged(now, "ali", "Ali"))
    text = night.page()
    assert "prise par Ali, pas encore close" in text
    assert "&lt;time" not in night.browser.get(night.at).text
    assert 'href="/help/h1#close-title"' in text
    desk = night.page("/desk")
    assert 'action="/help/h1/close"' in desk
    night.post("/close", why="revu")
    assert "Clos, mais encore ouvert" in night.page()
    assert "prise par Ali, pas encore close" in night.page()
    with night.served.store.unit(night.structure, writes=False) as unit:
        phases = {r.source: r.course.phase for r in unit.help_requests()}
    assert phases == {"attack": "closed", "console": "acknowledged"}


def test_a_proposal_leaves_the_fact_that_all_was_stopped(night: Night) -> None:
    assert "Attaque arrêtée" in night.home()
    csrf = {"csrf": night.csrf, "task": "isolate"}
    night.browser.post(f"/hosts/{night.hosts[0].id}/ask", data=csrf)
    text = night.home()
    assert "Action requise" in text
    assert "proposition attend une décision" in text
    assert "Attaque arrêtée : 0 fichier perdu, 6 rétablis" in text


def test_machines_are_asked_only_where_there_is_something_to_ask(night: Night) -> None:
    night.post("/playbooks", playbook="ransomware")
    text = night.page()
    at = f"{night.at}/playbooks/ransomware"
    stop = text.split('id="step-ransomware-stop"')[1].split('id="step-ransomware-')[0]
    assert "aucun programme hostile connu n’y tourne encore" in stop
    assert 'value="propose"' not in stop
    isolate = text.split('id="step-ransomware-isolate"')[1].split('id="step-ransomware-')[0]
    assert 'value="propose"' in isolate
    assert (
        night.browser.post(f"{at}/stop", data={"csrf": night.csrf, "state": "propose"}).status_code
        == 422
    )
    night.post("/playbooks/ransomware/isolate", state="propose")
    again = night.page().split('id="step-ransomware-isolate"')[1].split('id="step-ransomware-')[0]
    assert 'value="propose"' not in again


def test_an_unknown_author_is_no_stop(night: Night) -> None:
    host = add_host(night.served.store, "portable")
    now = night.served.context.clock.now() + dt.timedelta(hours=2)
    seen = msgspec.structs.replace(stopped("u", now, "none"), program="", user="", files_touched=52)
    take(night.served.store, host.structure, host.id, batch(seen, rolled_back("u", now)), now)
    with night.served.store.unit(host.structure, writes=False) as unit:
        (found,) = unit.open_incidents(host.id)
    text = night.page(f"/incidents/{found.id}")
    for said in (
        "Ce qui a été constaté",
        "Vus touchés au constat",
        "par 1 attaque sans auteur connu, que rien n’a arrêtée",
        "aucun programme n’a été arrêté",
        "Vue 12 ms après la première écriture ; rien n’a été arrêté.",
        "Non arrêté : auteur inconnu",
        "Attaques dont l’auteur est inconnu ou déjà parti",
    ):
        assert said in text, said
    for wrong in ("avant 1 arrêt", "1 arrêt ", "Ce qui a été arrêté", "Réaction 12"):
        assert wrong not in text, wrong
    english = night.page(f"/incidents/{found.id}?lang=en")
    assert "nothing was stopped" in english


def test_a_structure_sets_that_an_attack_rings_nobody(night: Night) -> None:
    settings = night.page("/settings")
    assert "Une attaque, ou un autre incident grave, appelle l’astreinte" in settings
    for ring, wanted in (("no", False), ("yes", True)):
        data = {"csrf": night.csrf, "ring": ring}
        assert night.browser.post("/settings/on-attack", data=data).status_code == 200
        with night.served.store.unit(night.structure, writes=False) as unit:
            profile = unit.profile()
        assert profile == msgspec.structs.replace(PROFILE, ring_on_attack=wanted)
    data = {"csrf": night.csrf, "ring": "perhaps"}
    assert night.browser.post("/settings/on-attack", data=data).status_code == 422


def test_one_person_on_call_is_not_many_in_the_trail(night: Night) -> None:
    now = night.served.context.clock.now()
    rotas.keep(night.served.store, night.structure, always(person("ali")), actor="admin", now=now)
    text = night.page("/health")
    assert "1 personne" in text
    assert "1 personnes" not in text
