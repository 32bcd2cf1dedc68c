"""PostgreSQL keeps structures apart by itself: forced row-level security on every tenant table.

A transaction says whose rows it works on (`app.structure`); without it every tenant table is empty.
Before a structure is known, a transaction says what was shown to it (`app.shown`: a login, or the hash
of a secret), and may read the one row that this opens. Both settings end with the transaction: one of
the session would go with the pooled connection to the next structure.
"""

import sqlalchemy as sa

from releve.adapters.sql import tables
from releve.model.errors import ReleveError

_OWN = "structure = current_setting('app.structure', true)"
# What may be asked before a structure is known: the row that belongs to what was shown, to read only.
_SHOWN = {
    "token": "hash",
    "vault": "token_hash",
    "person": "login",
    "session": "hash",
    "access_grant": "person",
    "passkey": "id",
    "help_line": "token_hash",
    "api_token": "token_hash",
    "help_code": "hash",
    "help_wake": "'help_wake'",  # ids and times of all: whose calls for help are to be moved now
}
WAKING = "help_wake"  # what is shown for them
# A person's id was shown: the rows of the structures that this person is the operator of.
_GRANTED = """EXISTS (SELECT 1 FROM access_grant g WHERE g.structure = situation.structure
 AND g.person = current_setting('app.shown', true) AND g.role = 'operator' AND g.ended_at IS NULL)"""


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
        if not _is_forced(connection, name) or _standing(connection, name) != set(policies):
            _separate(connection, name, policies)


def _say(connection: sa.Connection, setting: str, value: str) -> None:
    if connection.dialect.name == "postgresql":
        say = sa.select(sa.func.set_config(setting, value, sa.true()))
        connection.execute(say)


def _policies(table: str) -> dict[str, str]:
    """The policies of a table by name, as SQL after its name and table."""
    made = {"own_structure": f"USING ({_OWN}) WITH CHECK ({_OWN})"}
    if column := _SHOWN.get(table):
        made["shown"] = f"FOR SELECT USING ({column} = current_setting('app.shown', true))"
    if table == "situation":
        made["granted"] = f"FOR SELECT USING ({_GRANTED})"
    return made


def _is_forced(connection: sa.Connection, table: str) -> bool:
    flags = (
        "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)"
    )
    return bool(connection.exec_driver_sql(flags, (table,)).scalar_one())


def _standing(connection: sa.Connection, table: str) -> set[str]:
    query = "SELECT polname FROM pg_policy WHERE polrelid = to_regclass(%s)"
    return set(connection.exec_driver_sql(query, (table,)).scalars())


def _separate(connection: sa.Connection, table: str, policies: dict[str, str]) -> None:
    for name in _standing(connection, table):
        connection.exec_driver_sql(f'DROP POLICY "{name}" ON {table}')
    for name, words in policies.items():
        connection.exec_driver_sql(f"CREATE POLICY {name} ON {table} {words}")
    for what in ("ENABLE", "FORCE"):
        connection.exec_driver_sql(f"ALTER TABLE {table} {what} ROW LEVEL SECURITY")
