# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Corrects what the daemon does to rows (Bucardo.pm 5.6.0).

- A run is committed on one master after the other, and notes in track tables what it has brought.
  Whether these marks wait in stage tables until all have committed is decided for all tables by
  the last one of the run that has changes. So a run that ended between two commits could leave
  changes of other tables marked that a master never got. Here the marks of a run with changes on
  several masters wait, all of them; and a master on which a table was truncated, of which the
  note has no stage, commits last.
- A run that ended between two commits all the same is repeated, and a change that a master has made
  of what it had received is taken for a conflict with that: see `received`.
- Rows in constant use can make every run fail: see `starving`.
- `push_rows` reads "SELECT *" and names all columns to COPY; PostgreSQL takes no value for one that
  is generated. Customcols would help, but are for databases whose role is target.
- `delete_rows` deletes without ONLY, and so rows of tables that inherit and have the same key.

Custom code is text that the daemon compiles when it loads a sync. This one wraps functions, these
two with the means of customcols and customname. It hangs on a hook that Bucardo has not called
since it uses session_replication_role, so that nothing of it runs by itself.
"""

from __future__ import annotations

import typing as t

from . import received, run_state, starving, statements
from .catalog import Catalog
from .objects import CORRECTIONS, Customcode

_NEVER_CALLED = "before_trigger_disable"
_ABOUT = (
    "multimaster.bucardo: changes are marked when all have committed; rows are copied without"
    " generated columns, and deleted with ONLY"
)
_MARKS_AND_ROWS = r"""
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
    # On its own: an earlier release may have wrapped the others in a daemon that goes on running.
    if (defined &Bucardo::enable_triggers and not $Bucardo::multimaster_marks++) {
        my ($disable_triggers, $enable_triggers)
            = (\&Bucardo::disable_triggers, \&Bucardo::enable_triggers);
        # Called for each table and master, after it was decided where the marks go.
        *Bucardo::disable_triggers = sub {
            my ($self, $sync) = @_;
            my @sources = $masters->($sync);
            # Without quick_delta_check nobody knows how many have changes.
            my @changed = grep {
                ! defined $_->{deltatotal} or $_->{deltatotal} or $_->{truncatewinner}
            } @sources;
            $_->{trackstage} = @changed > 1 ? 1 : 0 for @sources;
            goto &$disable_triggers;
        };
        # Called once at the end; it commits those that were written to, by their names.
        *Bucardo::enable_triggers = sub {
            my ($self, $sync) = @_;
            return $enable_triggers->(@_) if $self->{dryrun};
            my $all = $sync->{db};
            my @sources = $masters->($sync);
            my @staged = grep { $_->{trackstage} } @sources;
            my %table = @staged ? $tables->($sync) : ();
            # A stage table may hold what an earlier run has left there.
            my $number = 'SELECT pg_catalog.txid_current() & 4294967295';
            my %run = map { $_->{name} => $_->{dbh}->selectrow_array($number) } @staged;
            my $asked = '';
            {
                # A reload or a stop ends a worker by a signal: not between two commits.
                local @SIG{qw(USR1 HUP INT TERM)} = (sub { $asked = shift }) x 4;
                for my $last (0, 1) {
                    my @some = grep { $last == ($all->{$_}{truncatewinner} ? 1 : 0) } keys %$all;
                    local $sync->{db} = { map { $_ => $all->{$_} } @some };
                    $enable_triggers->($self, $sync);
                }
                # Who was not written to.
                $_->{dbh}->commit() for @sources;
                for my $db (@staged) {
                    my @changed = map { $table{$_} }
                        grep { $db->{deltaquick}{$_} } sort keys %table;
                    # Without quick_delta_check they are left to what follows.
                    next if ! @changed;
                    $db->{dbh}->do(join ';' => map { (
                        "INSERT INTO bucardo.$_->{tracktable}"
                            . " SELECT * FROM bucardo.$_->{stagetable}"
                            . " WHERE xmin::text = '$run{ $db->{name} }'",
                        "DELETE FROM bucardo.$_->{stagetable}",
                    ) } @changed);
                    $db->{dbh}->commit();
                    $db->{trackstage} = 0;
                }
            }
            kill $asked => $$ if $asked;
            return;
        };
    }
"""
_SOURCE = (
    "\nBEGIN {\n    no warnings;"
    f"{run_state.SOURCE}{_MARKS_AND_ROWS}{received.SOURCE}{starving.SOURCE}"
    "}\nreturn;\n"
)


def code(syncs: t.Mapping[str, tuple[bool, int]]) -> Customcode:
    """The code, attached to these syncs, each with whether it is active and its priority."""
    return Customcode(
        name=CORRECTIONS,
        whenrun=_NEVER_CALLED,
        src_code=_SOURCE,
        about=_ABOUT,
        getdbh=False,
        syncs=syncs,
    )


def writes(control: Catalog, sync: str) -> statements.Writes:
    """What is missing for a sync."""
    current = control.customcodes().get(CORRECTIONS)
    wanted = code({**(current.syncs if current else {}), sync: (True, 0)})
    if current == wanted:
        return []
    syncs = {name: priority for name, (_active, priority) in wanted.syncs.items()}
    return statements.customcode(wanted, current is None, syncs, {})
