# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of the daemon knows of its sync, for all parts of its corrections (Perl)."""

from __future__ import annotations

SOURCE = r"""
    my $masters = sub {
        my $all = shift->{db};
        return grep {
            ($_->{role} || '') eq 'source' and $_->{dbtype} eq 'postgres' and $_->{dbh}
        } map { $all->{$_} } sort keys %$all;
    };
    # By their names, as Bucardo writes them.
    my $tables = sub {
        return map { ("$_->{safeschema}.$_->{safetable}" => $_) }
            grep { ($_->{reltype} || '') eq 'table' } @{ shift->{goatlist} };
    };
    # Of which tables changes wait on a master: as Bucardo itself asks, one question for all.
    my $waiting = sub {
        my ($sync, $db) = @_;
        my $found = $db->{dbh}->selectcol_arrayref(
            'SELECT * FROM bucardo.bucardo_delta_check(?, ?)',
            undef, $sync->{name}, $db->{DBGROUPNAME});
        # A number, which is 0 where none wait, and the name.
        return { map { (split /,/, $_, 2)[1, 0] } @$found };
    };
    # Whether a change d of a table waits there.
    my $waits = sub {
        my ($db, $table) = @_;
        my $group = $db->{dbh}->quote($db->{DBGROUPNAME});
        return "NOT EXISTS (SELECT FROM bucardo.$table->{tracktable} t"
            . " WHERE t.txntime = d.txntime AND t.target = $group)";
    };
    # Those that wait there, or some of them, as q: see `any_row` of `_postgres/sql.py`.
    my $queued = sub {
        my ($db, $table, @conditions) = @_;
        return "WITH q AS MATERIALIZED (SELECT FROM bucardo.$table->{deltatable} d WHERE "
            . join(' AND ', $waits->($db, $table), @conditions) . ')';
    };
"""
