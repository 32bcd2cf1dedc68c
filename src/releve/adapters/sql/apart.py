"""PostgreSQL keeps structures apart by itself: forced row-level security on every tenant table.

A transaction says whose rows it works on (`app.structure`); without it every tenant table is empty.
Before a structure is known, a transaction says what was shown to it (`app.shown`: a login, or the hash
of a secret), and may read the one row that this opens. Both settings end with the transaction: one of
the session would go with the pooled connection to the next structure.
"""

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables
from releve.model.errors import ReleveError

# The words are PostgreSQL's own of what it keeps (pg_policies), so that a start can compare them.
_OWN = "((structure)::text = current_setting('app.structure'::text, true))"
# What may be asked before a structure is known: the row that belongs to what was shown, to read only.
_SHOWN = {
    "token": "hash",
    "vault": "token_hash",
    "person": "login",
    "session": "hash",
    "access_grant": "person",
    "passkey": "id",
    "identity_link": "id",
    "identity_invite": "id",
    "help_line": "token_hash",
    "api_token": "token_hash",
    "help_code": "hash",
    "circle": "'circle'",  # which groups and insurers there are: no secret
    "help_wake": "'help_wake'",  # ids and times of all: whose calls for help are to be moved now
}
WAKING = "help_wake"  # what is shown for them
CIRCLES = "circle"
# A person's id was shown: the rows of the structures that this person is the operator of.
_GRANTED = """(EXISTS ( SELECT 1 FROM access_grant g
 WHERE (((g.structure)::text = (situation.structure)::text)
 AND ((g.person)::text = current_setting('app.shown'::text, true))
 AND ((g.role)::text = 'operator'::text) AND (g.ended_at IS NULL))))"""
# Or the rows of the members of a group that this person is at home in. An insurer's open none.
_GROUPED = """(EXISTS ( SELECT 1 FROM access_grant g
 WHERE (((g.structure)::text = (membership.circle)::text)
 AND ((g.person)::text = current_setting('app.shown'::text, true))
 AND ((g.role)::text = 'group'::text) AND (g.ended_at IS NULL))))"""
_MEMBERS = f"((kind)::text = 'group'::text) AND (ended_at IS NULL) AND {_GROUPED}"
_OF_MEMBERS = f"""(EXISTS ( SELECT 1 FROM membership
 WHERE (((membership.structure)::text = ({{table}}.structure)::text)
 AND ((membership.kind)::text = 'group'::text) AND (membership.ended_at IS NULL) AND {_GROUPED})))"""  # noqa: S608


class _Policy(msgspec.Struct, frozen=True):
    """One policy, for everybody. `check`: what a row that is written must fulfil."""

    on: str
    using: str
    check: str | None = None

    @property
    def words(self) -> str:
        """As SQL after its name and table."""
        check = f" WITH CHECK {self.check}" if self.check else ""
        return f"FOR {self.on} USING {self.using}{check}"


class UnboundRoleError(ReleveError):
    """The database role is above row-level security: structures would not be kept apart."""

    status = 104
    remedy = (
        "Use an ordinary role that owns the database: CREATE ROLE releve LOGIN NOSUPERUSER"
        " NOBYPASSRLS, then ALTER DATABASE … OWNER TO releve and REASSIGN OWNED; see docs/audit.md."
    )

    def __init__(self, role: str) -> None:
        super().__init__(f"The role {role} of PostgreSQL is a superuser, or has BYPASSRLS.")


def enter(connection: sa.Connection, structure: str) -> None:
    """From here to the end of the transaction only this structure's rows are there."""
    _say(connection, "app.structure", structure)


def show(connection: sa.Connection, shown: str) -> None:
    """From here to the end of the transaction the row that this opens can be read."""
    _say(connection, "app.shown", shown)


def check_role(connection: sa.Connection) -> None:
    """Raises: UnboundRoleError."""
    query = "SELECT rolsuper OR rolbypassrls, rolname FROM pg_roles WHERE rolname = current_user"
    is_above, role = connection.exec_driver_sql(query).one()
    if is_above:
        raise UnboundRoleError(role)


def keep_apart(connection: sa.Connection) -> None:
    """Switch it on where it is not as it should be: a server of before, a table that is new."""
    for table in tables.metadata.sorted_tables:
        if "structure" not in table.c:
            continue
        name = connection.dialect.identifier_preparer.format_table(table)
        policies = _policies(table.name)
        if not _is_forced(connection, name) or _standing(connection, table.name) != policies:
            _separate(connection, table.name, policies)


def _say(connection: sa.Connection, setting: str, value: str) -> None:
    if connection.dialect.name == "postgresql":
        say = sa.select(sa.func.set_config(setting, value, sa.true()))
        connection.execute(say)


def _policies(table: str) -> dict[str, _Policy]:
    """The policies of a table by name."""
    made = {"own_structure": _Policy("ALL", _OWN, _OWN)}
    if column := _SHOWN.get(table):
        shown = f"(({column})::text" if column.isidentifier() else f"({column}::text"
        made["shown"] = _Policy("SELECT", f"{shown} = current_setting('app.shown'::text, true))")
    if table == "situation":
        made["granted"] = _shown(_GRANTED)
    if table == "membership":
        made["grouped"] = _shown(f"({_MEMBERS})")
    if table in ("situation", "posture"):
        made["grouped"] = _shown(_OF_MEMBERS.format(table=table))
    return made


def _shown(words: str) -> _Policy:
    return _Policy("SELECT", " ".join(words.split()))


def _is_forced(connection: sa.Connection, table: str) -> bool:
    flags = (
        "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)"
    )
    return bool(connection.exec_driver_sql(flags, (table,)).scalar_one())


def _standing(connection: sa.Connection, table: str) -> dict[str, _Policy | None]:
    """By name, in the words that PostgreSQL keeps; None: one that is not for everybody, or restricts."""
    query = """SELECT policyname, cmd, qual, with_check,
 permissive = 'PERMISSIVE' AND roles = '{public}' AS is_plain
 FROM pg_policies WHERE schemaname = current_schema() AND tablename = %s"""
    return {
        row.policyname: _Policy(row.cmd, " ".join(row.qual.split()), row.with_check)
        if row.is_plain and row.qual
        else None
        for row in connection.exec_driver_sql(query, (table,))
    }


def _separate(connection: sa.Connection, table: str, policies: dict[str, _Policy]) -> None:
    name = connection.dialect.identifier_preparer.quote(table)
    for standing in _standing(connection, table):
        policy = connection.dialect.identifier_preparer.quote_identifier(standing)
        connection.exec_driver_sql(f"DROP POLICY {policy} ON {name}")
    for policy, what in policies.items():
        connection.exec_driver_sql(f"CREATE POLICY {policy} ON {name} {what.words}")
    for verb in ("ENABLE", "FORCE"):
        connection.exec_driver_sql(f"ALTER TABLE {name} {verb} ROW LEVEL SECURITY")
