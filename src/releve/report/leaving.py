"""What a structure that leaves is given to read: the README of its export, and the certificate's page."""

from collections.abc import Mapping

from releve.model.leaving import Erasure, TrailEnd
from releve.report.document import Bullets, Cell, Document, Lead, Prose, Section, Table, Terms
from releve.report.html import render
from releve.report.text import FRANCE, Voice

_FRENCH = Voice("fr")
STAYS = (
    (
        "Ce certificat, avec le nom de la structure, la date, la raison et qui a décidé : preuve de "
        "l’effacement (RGPD, article 5.2). Le serveur le garde."
    ),
    (
        "Les têtes signées du journal d’audit envoyées ailleurs (releve server run --ship-heads) : des "
        "empreintes, l’identifiant de la structure, des dates. Elles ne disent rien d’une personne. "
        "Ce certificat explique à releve audit verify pourquoi la structure n’est plus là."
    ),
    (
        "Les sauvegardes du serveur faites avant (releve server backup) : elles contiennent encore la "
        "structure jusqu’à leur propre fin. Après une restauration, refaire releve leave --erase."
    ),
    (
        "Le coffre et ses copies : les instantanés de la structure y suivent leurs propres règles de "
        "durée ; rien n’en est effacé ici."
    ),
    "Les machines de la structure : leurs originaux et leurs clés restent chez elle.",
    "Les compteurs d’essais de connexion, sans nom en clair : le serveur les oublie en un jour.",
)
_AT_HOME = (
    (
        "Sur chaque machine, en root : systemctl disable --now releve-agent, puis releve agent "
        "stop-guard ; effacer ensuite /etc/systemd/system/releve-agent.service et le dossier de l’agent."
    ),
    (
        "Garder la feuille de clé et le dossier de la sauvegarde tant qu’un coffre tient vos "
        "instantanés : sans clé, personne ne les relit."
    ),
    "Demander à qui tient le coffre qu’il ferme vos droits (releve vault leave), et qu’il le confirme.",
)
_TABLES = {
    "access_grant": "qui avait quel rôle",
    "action": "ordres proposés, décidés, exécutés",
    "admission": "qui est entré du dehors, et pourquoi",
    "api_token": "jetons des outils reliés, sans leur secret",
    "audit": "journal d’audit, chaque ligne avec l’empreinte de la précédente",
    "audit_head": "têtes signées du journal d’audit",
    "declaration": "ce qui a été déclaré de chaque attaque",
    "dossier": "dossiers à déposer, toutes leurs versions (aussi dans documents/)",
    "event": "ce que les machines et les coffres ont dit ; un nom de fichier y est un jeton",
    "finding": "constats",
    "glpi_ticket": "tickets du GLPI de la structure : numéros et états",
    "help_mail": "courriels d’aide, sans leurs pièces jointes",
    "help_request": "demandes d’aide",
    "help_step": "chaque étape de chaque demande d’aide",
    "host": "machines",
    "incident": "incidents",
    "incident_entry": "lignes des chronologies",
    "incident_record": "preuves, remises, décisions sur une rançon",
    "incident_task": "tâches",
    "obligation": "horloges légales",
    "person": "comptes, sans mot de passe ni second facteur",
    "playbook_run": "fiches réflexes suivies",
    "profile": "ce que la structure a dit d’elle-même",
    "rota": "astreinte, sans les adresses des passerelles",
    "statement": "relevés de service (les fichiers sont dans documents/)",
    "situation": "le résumé de la structure pour qui la surveille",
    "posture": "comment la structure se tenait, jour après jour",
    "membership": "groupes, et accords donnés à des assureurs",
    "circle": "la structure est un groupe ou un assureur",
    "insurer_sheet": "chiffres réunis tirés pour un assureur, semaine par semaine",
    "vault": "coffres et leur dernier état",
    "vault_head": "têtes signées des coffres",
    "webhook": "adresses d’outils prévenus, sans leur secret",
    "webhook_delivery": "messages à ces outils",
    "api_answer": "réponses données aux outils, gardées pour ne rien écrire deux fois",
    "break_glass": "empreintes des codes d’urgence imprimés",
    "glpi": "accès au GLPI de la structure",
    "help_code": "empreintes des codes des liens d’aide",
    "help_line": "empreinte du jeton de la ligne téléphonique",
    "help_wake": "quand rappeler une personne pour une demande d’aide",
    "identity_invite": "invitations à relier un compte",
    "identity_link": "comptes reliés à un fournisseur d’identité",
    "nonce": "messages déjà reçus des machines, pour qu’aucun ne serve deux fois",
    "obligation_timer": "rappels à venir des horloges légales",
    "passkey": "clés d’accès (leur part publique)",
    "session": "connexions ouvertes",
    "token": "empreintes des jetons d’inscription",
    "watermark": "jusqu’où le journal de chaque machine a été reçu",
}


def told(table: str) -> str:
    """What a table holds, in words; the name of one that has none here."""
    return _TABLES.get(table, table)


def readme(name: str, rows: Mapping[str, int], left_out: Mapping[str, int]) -> str:
    """In French, plain text: what is in the folder, and what is not."""
    lines = [
        f"Tout ce que Relève tient de « {name} »",
        "",
        "tables/NOM.jsonl : une ligne JSON (UTF-8) par enregistrement ; heures en UTC (ISO 8601).",
        "documents/ : dossiers et relevés de service, en HTML, PDF et JSON.",
        "tetes.jsonl : les têtes signées du journal d’audit, telles qu’elles sont envoyées ailleurs.",
        "manifest.json : le SHA-256 de chaque fichier, signé (Ed25519) par le serveur.",
        "",
        "Ce qui est là, combien d’enregistrements, et dans quel fichier :",
        *(f"  - {told(table)} : {count} (tables/{table}.jsonl)" for table, count in rows.items()),
        "",
        "N’y sont pas, parce que ce ne sont que des clés qui ouvrent une porte :",
        *(f"  - {told(table)} : {count}" for table, count in left_out.items()),
        "",
        "Ce qui reste ailleurs :",
        *(f"  - {line}" for line in STAYS),
        "",
        "À faire chez vous, une fois partis :",
        *(f"  - {line}" for line in _AT_HOME),
        "",
    ]
    return "\n".join(lines)


def erasure_html(made: Erasure, print_: str) -> str:
    """The certificate for people; its file is what counts."""
    rows = tuple(
        (Cell(main=told(table), small=table), Cell(main=_FRENCH.number(count)))
        for table, count in made.rows.items()
    )
    total = sum(made.rows.values())
    blocks = (
        Lead(words=f"Effacé : {_FRENCH.number(total)} enregistrements de {len(rows)} tables."),
        Terms(
            pairs=(
                ("Structure", f"{made.name} ({made.structure})"),
                ("Décidé par", made.by),
                ("Raison", made.reason),
                ("Le", _FRENCH.moment(made.at.astimezone(FRANCE))),
                ("Remis avant (SHA-256 du manifeste)", made.export),
                *_trail(made.trail),
                ("Clé qui signe", print_),
                ("Vérifier", "releve leave --verify effacement.json"),
                (
                    "Vérifier avec les têtes envoyées ailleurs",
                    "releve audit verify --heads DOSSIER --left effacement.json",
                ),
            )
        ),
        Table(
            caption="Effacé, par table", head=("Table", "Enregistrements"), rows=rows, numeric=(1,)
        ),
        Prose(words="Ce qui reste, et pourquoi :"),
        Bullets(items=STAYS),
    )
    section = Section(anchor="effacement", title="", blocks=blocks, sheet=False)
    return render(
        Document(
            lang="fr",
            title=made.name,
            kind="Certificat d’effacement",
            about=(("Le", _FRENCH.moment(made.at.astimezone(FRANCE))),),
            footer="Relève — compté et effacé dans une même transaction, puis recompté.",
            sections=(section,),
            description="Ce qui a été effacé du serveur, et ce qui reste ailleurs.",
        )
    )


def _trail(end: TrailEnd | None) -> tuple[tuple[str, str], ...]:
    """Nothing of a certificate of before, which did not say."""
    if end is None:
        return ()
    whole = "entier" if not end.faults else f"pas entier (défauts : {end.faults})"
    said = f"inscriptions : {_FRENCH.number(end.entries)} ; {whole}"
    head = "aucune"
    if end.head is not None:
        at = _FRENCH.moment(end.head.at.astimezone(FRANCE))
        head = f"n° {end.head.seq}, jusqu’à l’inscription {end.head.number}, le {at}"
    return (("Journal d’audit au départ", said), ("Dernière tête signée", head))
