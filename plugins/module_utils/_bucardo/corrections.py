# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Corrects two statements of the daemon, for syncs with tables that need it.

- `push_rows` reads "SELECT *" and names all columns to COPY; PostgreSQL takes no value for one that
  is generated. Customcols would help, but are for databases whose role is target.
- `delete_rows` deletes without ONLY, and so rows of tables that inherit and have the same key.

Custom code is text that the daemon compiles when it loads a sync. This one wraps both functions,
with the means of customcols and customname. It hangs on a hook that Bucardo has not called since it
uses session_replication_role, so that nothing of it runs by itself.
"""

from __future__ import annotations

import typing as t

from .._postgres.pg import Session
from . import statements
from .objects import CORRECTIONS, Customcode, Goat
from .writes import Control

_NEVER_CALLED = "before_trigger_disable"
_ABOUT = "multimaster.bucardo: rows are copied without generated columns, and deleted with ONLY"
_SOURCE = r"""
BEGIN {
    no warnings;
    if (defined &Bucardo::push_rows and not $Bucardo::multimaster_corrections++) {
        my ($push_rows, $delete_rows) = (\&Bucardo::push_rows, \&Bucardo::delete_rows);
        *Bucardo::push_rows = sub {
            my ($self, $rows, $table, $sync, $source, $targets) = @_;
            if (! exists $table->{multimaster_select}) {
                my $name = "$table->{safeschema}.$table->{safetable}";
                my $sth = $source->{dbh}->prepare(q{
                    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
                               FILTER (WHERE attgenerated = ''),
                           bool_or(attgenerated <> '')::int
                      FROM pg_catalog.pg_attribute
                     WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped
                });
                $sth->execute($name);
                my ($columns, $generated) = @{ $sth->fetchall_arrayref()->[0] };
                my $select = $generated ? "SELECT $columns" : '';
                if ($generated) {
                    # As Bucardo itself finds the names for COPY.
                    $sth = $source->{dbh}->prepare(
                        "SELECT * FROM ($select FROM $name LIMIT 0) AS foo LIMIT 0");
                    $sth->execute();
                    $table->{tcolumns}{$select} = [ @{ $sth->{NAME} } ];
                    $sth->finish();
                }
                $table->{multimaster_select} = $select;
            }
            if (length $table->{multimaster_select}) {
                my $columns = $table->{newcols}{ $sync->{name} || '' } ||= {};
                for my $target (ref $targets eq 'ARRAY' ? @$targets : $targets) {
                    $columns->{ $target->{name} } ||= $table->{multimaster_select};
                }
            }
            goto &$push_rows;
        };
        *Bucardo::delete_rows = sub {
            my ($self, $rows, $table, $sync) = @_;
            my $names = $table->{newname}{ $sync->{name} || '' } || {};
            my @targets = keys %$names;
            my @only = map { "ONLY $names->{$_}" } @targets;
            local @$names{@targets} = @only;
            return $delete_rows->(@_);
        };
    }
}
return;
"""
# Whether any of these tables has generated columns, or others that inherit from it.
_ANY = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN unnest(%s::text[], %s::text[]) AS g (schema, name)
        ON g.schema = n.nspname AND g.name = c.relname
     WHERE EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped))
"""


def writes(
    control: Control, session: Session | None, sync: str, members: t.Sequence[Goat]
) -> statements.Writes:
    """What is missing for a sync of these tables.

    :param session: on one of its masters.
    """
    if session is None or not members:
        return []
    names = [goat.name for goat in members]
    if not session.value(_ANY, ([name.schema for name in names], [name.name for name in names])):
        return []
    current = control.customcodes().get(CORRECTIONS)
    attached = dict(current.syncs) if current else {}
    wanted = Customcode(
        name=CORRECTIONS,
        whenrun=_NEVER_CALLED,
        src_code=_SOURCE,
        about=_ABOUT,
        getdbh=False,
        syncs={**attached, sync: (True, 0)},
    )
    if current == wanted:
        return []
    syncs = {name: priority for name, (_active, priority) in wanted.syncs.items()}
    return statements.customcode(wanted, current is None, syncs, {})
