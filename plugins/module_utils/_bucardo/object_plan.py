# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a task wants and what the control database holds to what is to be done (pure)."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._common.change import Lacks, refuse
from .._common.errors import Refused
from .._common.names import TableName, problem_with_dbname, problem_with_object_name
from .._common.text import nearest
from . import columns
from .keys import registered_key, registrable_keys
from .objects import (
    BucardoSetting,
    Customcode,
    DatabaseRecord,
    Dbgroup,
    Goat,
    NewGoat,
    Override,
    RelationFacts,
    Sync,
    encode_dbname,
)

ROLES = ("source", "target", "fullcopy")
# The trigger check_bucardo_config stores every other setting in lower case.
MIXED_CASE_SETTINGS = frozenset(
    {
        "log_conflict_file",
        "warning_file",
        "email_debug_file",
        "flatfile_dir",
        "reason_file",
        "stats_script_url",
        "stopfile",
        "log_timer_format",
    }
)
# Lower case would make these something else than what was asked for.
CASE_MATTERS = frozenset({"piddir", "host_safety_check", "email_auth_user", "email_auth_pass"})
# Written by the installation; the daemon refuses to start when they are wrong.
FIXED_SETTINGS = frozenset({"bucardo_version", "bucardo_initial_version"})
SETTING_VALUES = {
    "log_level": ("terse", "normal", "verbose", "debug"),
    "isolation_level": ("serializable", "repeatable read"),
}
# goat.pkeytype spells the integers out; the rest is pg_type.typname (validate_goat).
_INTEGERS = {"int2": "smallint", "int4": "integer", "int8": "bigint"}


def check_name(kind: str, name: str) -> None:
    """:raises Refused: when Bucardo cannot take the name."""
    problem = problem_with_object_name(name)
    if problem:
        raise Refused(f"{kind} {name!r} {problem}", "Choose another name.")


def parse_relation(option: str, text: str) -> TableName:
    """:raises Refused: when the text is no relation's name."""
    try:
        return TableName.parse(text)
    except ValueError as error:
        raise Refused(f"{option}: {error}") from error


# --- settings -----------------------------------------------------------------------------------


def plan_settings(
    current: t.Mapping[str, BucardoSetting], wanted: t.Mapping[str, t.Any], known: bool = True
) -> dict[str, str]:
    """The settings that differ, as Bucardo will store them. Null means the default.

    :param known: false while the control database is only planned: names cannot be checked.
    """
    changes: dict[str, str] = {}
    for given_name, given in wanted.items():
        name = str(given_name).lower()
        if name in FIXED_SETTINGS:
            raise Refused(f"settings: {name} belongs to Bucardo's installation", "Leave it out.")
        setting = current.get(name)
        if setting is None and known:
            raise Refused(
                f"settings: Bucardo has no setting {name!r}",
                nearest(name, current) or "bucardo show all lists them.",
            )
        value = _setting_text(name, given, setting)
        if setting is None or setting.value != value:
            changes[name] = value
    return changes


def _setting_text(name: str, given: t.Any, setting: BucardoSetting | None) -> str:
    if given is None:
        return setting.default if setting else ""
    if isinstance(given, bool):
        given = int(given)
    value = str(given)
    if any(char in value for char in "\n\r\0"):
        raise Refused(f"settings: {name} holds a line break")
    if name not in MIXED_CASE_SETTINGS and value != value.lower():
        if name in CASE_MATTERS:
            raise Refused(
                f"settings: Bucardo stores {name} in lower case", "Use a value without capitals."
            )
        value = value.lower()
    choices = SETTING_VALUES.get(name)
    if choices and value not in choices:
        raise Refused(f"settings: {name} cannot be {value!r}", f"Use {', '.join(choices)}.")
    return value


# --- databases ----------------------------------------------------------------------------------


def plan_database(current: DatabaseRecord | None, wanted: t.Mapping[str, t.Any]) -> DatabaseRecord:
    """The database as it shall be; what the task leaves null stays as it is.

    :param wanted: the options of bucardo_db.
    """
    base = current or DatabaseRecord(name=wanted["name"], **columns.defaults(columns.DATABASE))
    check_name("database", base.name)
    if base.dbtype != "postgres" or base.dsn:
        raise Refused(
            f"Bucardo's database {base.name} is of type {base.dbtype} or has a DSN of its own",
            "Only plain PostgreSQL databases can be managed.",
        )
    changes = columns.given(columns.DATABASE, wanted)
    # The daemon sets stalled and takes it back by itself.
    if base.status == "stalled" and changes.get("status") == "active":
        del changes["status"]
    database = dataclasses.replace(base, **changes)
    _check_database(database)
    return database


def _check_database(database: DatabaseRecord) -> None:
    where = f"database {database.name}"
    if not database.dbname and not database.service:
        raise Refused(f"{where} needs dbname, or a service that holds one")
    if database.dbname:
        problem = problem_with_dbname(database.dbname)
        if problem:
            raise Refused(
                f"dbname {database.dbname!r} of {where} {problem}",
                "Put it into a libpq service file and name that with service.",
            )
    for option in ("host", "service", "port"):
        value = getattr(database, option)
        if any(char.isspace() or char in "';\"\\=" for char in value):
            raise Refused(f"{option} {value!r} of {where} holds a character that it cannot hold")
    if any(char in database.user for char in "\n\r"):
        raise Refused(f"user of {where} holds a line break")
    conn = database.conn
    if "\\'" in conn or any(char in conn for char in "\n\r"):
        raise Refused(
            f"conn of {where} holds a single quote or a line break, which Bucardo cannot pass on",
            "Use a libpq service file.",
        )
    if '"' in conn and encode_dbname(database.dbname).startswith("'"):
        raise Refused(
            f"conn of {where} holds a double quote beside a dbname with a blank,"
            " which Bucardo cannot pass on",
            "Use a libpq service file.",
        )


def check_password(database: str, password: str) -> None:
    """:raises Refused: for a password that Bucardo would cut."""
    if any(char in password for char in "\n\r\0"):
        raise Refused(
            f"password of database {database} holds a line break, where Bucardo would cut it",
            "Change the password, or use a password file.",
        )


# --- groups of databases ------------------------------------------------------------------------


def plan_members(
    current: t.Mapping[str, str],
    wanted: t.Mapping[str, t.Any] | None,
    exclusive: bool,
) -> dict[str, str]:
    """The members of a dbgroup as they shall be."""
    if wanted is None:
        return dict(current)
    for db, role in wanted.items():
        if role not in ROLES:
            raise Refused(f"members: role {role!r} of {db} is unknown", f"Use {', '.join(ROLES)}.")
    kept = {} if exclusive else dict(current)
    return {**kept, **{str(db): str(role) for db, role in wanted.items()}}


# --- groups of relations ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class RelgroupPlan:
    """What makes a relgroup as it shall be; see `statements.relgroup`.

    :param create: the relgroup is not there yet.
    :param new: relations to be made known and put in.
    :param learn: known relations whose key must be stored.
    :param join: ids of known relations to be put in.
    :param leave: ids of relations to be taken out.
    :param before: (reltype, name) of the members; likewise `after`.
    """

    create: bool
    new: tuple[NewGoat, ...]
    learn: tuple[NewGoat, ...]
    join: tuple[int, ...]
    leave: tuple[int, ...]
    before: tuple[tuple[str, str], ...]
    after: tuple[tuple[str, str], ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.create or self.new or self.learn or self.join or self.leave)


def plan_relgroup(
    name: str,
    exists: bool,
    goats: t.Sequence[Goat],
    db: str,
    wanted: t.Mapping[TableName, str],
    facts: RelationFacts | None,
    exclusive: t.Collection[str] = (),
) -> RelgroupPlan:
    """How to get the wanted members (name to reltype) into a relgroup.

    :param goats: everything that Bucardo knows.
    :param facts: None while the database is not known yet (check mode): nothing is checked.
    :param exclusive: the reltypes of which only the wanted ones stay.
    """
    members = [goat for goat in goats if name in goat.relgroups]
    if wanted:
        _refuse_strangers(name, members, db)
    known: dict[tuple[TableName, str], Goat] = {}
    for goat in goats:
        if goat.db == db:
            known.setdefault((goat.name, goat.reltype), goat)
    new: list[NewGoat] = []
    learn: list[NewGoat] = []
    join: list[int] = []
    refused: list[str] = []
    for relation, reltype in wanted.items():
        found = known.get((relation, reltype))
        if found is not None and name not in found.relgroups:
            join.append(found.id)
        if found is not None and facts is None:
            continue
        entry = _new_goat(relation, reltype, facts, refused, found.key if found else ())
        if entry is None:
            continue
        if found is None:
            new.append(entry)
        elif (found.key, found.key_types) != (entry.key, entry.key_types):
            learn.append(entry)
    if refused:
        raise Refused(f"relgroup {name}: " + "; ".join(refused))
    leave = [
        goat
        for goat in members
        if goat.reltype in exclusive and wanted.get(goat.name) != goat.reltype
    ]
    before = {(goat.reltype, str(goat.name)) for goat in members}
    after = before - {(goat.reltype, str(goat.name)) for goat in leave}
    after |= {(reltype, str(relation)) for relation, reltype in wanted.items()}
    return RelgroupPlan(
        create=not exists,
        new=tuple(new),
        learn=tuple(learn),
        join=tuple(join),
        leave=tuple(goat.id for goat in leave),
        before=tuple(sorted(before)),
        after=tuple(sorted(after)),
    )


def _refuse_strangers(name: str, members: t.Iterable[Goat], db: str) -> None:
    strangers = sorted({goat.db for goat in members} - {db})
    if strangers:
        raise Refused(
            f"relgroup {name} holds relations of database {strangers[0]}, not of {db}",
            "All relations of a relgroup belong to one database.",
        )


_KINDS = {
    "p": "is a partitioned table (list its partitions instead)",
    "m": "is a materialized view",
    "f": "is a foreign table",
}


def _new_goat(
    relation: TableName,
    reltype: str,
    facts: RelationFacts | None,
    refused: list[str],
    known: tuple[str, ...] = (),
) -> NewGoat | None:
    """What Bucardo shall know of a relation.

    :param known: the key that it knows already, and keeps as long as it identifies rows.
    """
    if '"' in relation.schema + relation.name:
        refused.append(f"{relation} has a double quote in its name, which Bucardo cannot handle")
        return None
    if facts is None:
        return NewGoat(relation, reltype)
    if reltype == "sequence":
        if relation in facts.sequences:
            return NewGoat(relation, reltype)
        hint = nearest(str(relation), map(str, facts.sequences))
        refused.append(f"sequence {relation} does not exist. {hint}".strip())
        return None
    table = facts.tables.get(relation)
    if table is None:
        hint = nearest(str(relation), map(str, facts.tables))
        refused.append(f"table {relation} does not exist. {hint}".strip())
    elif table.kind in _KINDS:
        refused.append(f"{relation} {_KINDS[table.kind]}")
    elif not registered_key(table):
        refused.append(f"table {relation} has no primary key and no usable unique index")
    elif any("|" in column for column in registered_key(table)):
        refused.append(f"table {relation} has a key column with '|' in its name")
    else:
        fits = any(set(known) == set(one) for one in registrable_keys(table))
        key = known if fits else registered_key(table)
        oids = {column.name: column.type_oid for column in table.columns}
        types = [facts.types[oids[column]] for column in key]
        return NewGoat(relation, reltype, key, tuple(_INTEGERS.get(x, x) for x in types))
    return None


def find_goat(
    goats: t.Iterable[Goat], relation: TableName, db: str = "", lacks: Lacks = refuse
) -> Goat:
    """The entry of a relation.

    :param lacks: told when there is none; where it returns, the entry is one to come, with id 0.
    :raises Refused: when there is none, or when it is not clear which one is meant.
    """
    everything = list(goats)
    found = [goat for goat in everything if goat.name == relation and db in ("", goat.db)]
    if not found:
        error = Refused(
            f"Bucardo does not know the relation {relation}",
            nearest(str(relation), {str(goat.name) for goat in everything})
            or "Add it to a relgroup first.",
        )
        lacks(error)
        return Goat(id=0, db=db, name=relation)
    if len({goat.db for goat in found}) > 1:
        raise Refused(
            f"relation {relation} is known for several databases:"
            f" {', '.join(sorted({goat.db for goat in found}))}",
            "Choose one with relation_db.",
        )
    return found[0]


def matching_overrides(
    rows: t.Iterable[Override], goat: Goat, db: str, sync: str
) -> list[Override]:
    """The rows of customname or customcols for one relation, database and sync."""
    return [
        row
        for row in rows
        if (row.relation_db, row.relation, row.db, row.sync) == (goat.db, goat.name, db, sync)
    ]


def users_of_overrides(
    groups: t.Mapping[str, Dbgroup], syncs: t.Mapping[str, Sync], db: str, sync: str
) -> list[str]:
    """The databases that would use a customname or customcols: only those that are no source.

    Bucardo.pm, validate_sync: "We only need to set custom names and columns for targets".
    """
    users: set[str] = set()
    for one in syncs.values():
        if sync in ("", one.name) and one.dbgroup in groups:
            users.update(
                member
                for member, role in groups[one.dbgroup].members.items()
                if role != "source" and db in ("", member)
            )
    return sorted(users)


def check_newname(text: str) -> None:
    """:raises Refused: for a name that the constraint customname_sane_name refuses."""
    if not re.match(r'^["a-zA-Z 0-9_.~]+$', text):
        raise Refused(
            f"newname {text!r} holds a character that Bucardo does not take",
            'Use letters, digits, blanks and " _ . ~',
        )


def check_clause(text: str) -> None:
    """:raises Refused: for a clause that is no SELECT list."""
    if not re.match(r"^\s*SELECT\s", text, re.IGNORECASE):
        raise Refused(f"clause {text!r} does not start with SELECT")


# --- custom code --------------------------------------------------------------------------------


def attachments(
    sync: str | None, goat: Goat | None, priority: int
) -> tuple[dict[str, int] | None, dict[int, int] | None]:
    """What `statements.customcode` shall attach a code to; (None, None) to leave it alone."""
    if sync is None and goat is None:
        return None, None
    return ({sync: priority} if sync else {}), ({goat.id: priority} if goat else {})


def plan_customcode(
    current: Customcode | None,
    wanted: t.Mapping[str, t.Any],
    source: str | None,
    to_syncs: t.Mapping[str, int] | None,
    goat: Goat | None,
) -> Customcode:
    """The custom code as it shall be; what the task leaves null stays as it is."""
    name = wanted["name"]
    if current is None:
        for option, value in (("whenrun", wanted["whenrun"]), ("src", source)):
            if value is None:
                raise Refused(f"custom code {name} is new and needs {option}")
        current = Customcode(name=name, whenrun=wanted["whenrun"], src_code=source or "")
    changes = {
        option: wanted[option]
        for option in ("whenrun", "about", "getdbh", "status")
        if wanted[option] is not None
    }
    if source is not None:
        changes["src_code"] = source
    if to_syncs is not None:
        changes["syncs"] = {sync: (True, priority) for sync, priority in to_syncs.items()}
        changes["relations"] = {goat.name: (True, wanted["priority"])} if goat else {}
    return dataclasses.replace(current, **changes)
