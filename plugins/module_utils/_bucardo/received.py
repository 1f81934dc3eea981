# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a master has received in a run that did not end (a part of the daemon's corrections).

A run that ends between the commits of two masters is repeated, for those that had committed as
well. What an application has made meanwhile, on one of these, of a row that it had received is the
later version, but Bucardo sees a conflict and may let the earlier one win.

So each master notes, in the transaction of the run, which changes of the others it received: the
tables, and the snapshot in which they were read. A snapshot knows no subtransactions, so that those
changes of later transactions than its oldest one are named that it shows. The first run of a
worker, and each after one that failed, looks whether changes wait that another master has
received; where that one has changed the row since, they are not brought again.

The notes are replaced by the next run. They would stay true, as what is received stays, but for a
table that is loaded anew: see `_seed.target`.
"""

from __future__ import annotations

# Of Bucardo's schema: made by the daemon's role, goes with it.
TABLE = "multimaster_received"
FORGET = f"DELETE FROM bucardo.{TABLE}"

SOURCE = (
    r"""
    if (defined &Bucardo::start_main_transaction and not $Bucardo::multimaster_received++) {
        my ($start_main_transaction, $lock_all_tables, $enable_triggers) = (
            \&Bucardo::start_main_transaction, \&Bucardo::lock_all_tables,
            \&Bucardo::enable_triggers,
        );
        my $received = 'bucardo."""
    + TABLE
    + r"""';
        # Of a change d: its transaction, without the wraparound.
        my $xid = 'pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint';
        $xid = "($xid - (($xid - d.xmin::text::bigint) & 4294967295))";
        # A row for each key, from arrays of their columns. With its schema unnest takes only one.
        my $keys = sub {
            my @columns = @{ shift->{qpkey} };
            my @names = map { "k$_" } 1 .. @columns;
            return (
                'unnest(' . join(', ', ('?::text[]') x @columns) . ') AS k('
                    . join(', ', @names) . ')',
                join(' AND ', map { "d.$columns[$_]::text = k.$names[$_]" } 0 .. $#columns),
            );
        };
        # Whether a note shows a change d.
        my $over = sub {
            my ($dbh, $snapshot, $later, $read_at) = @_;
            ($snapshot, $later) = map { $dbh->quote($_) } $snapshot, $later;
            return "(d.txntime <= pg_catalog.to_timestamp($read_at) AND ($xid <"
                . " pg_catalog.pg_snapshot_xmin(${snapshot}::pg_catalog.pg_snapshot)::text::bigint"
                . " OR $xid = ANY (${later}::bigint[])))";
        };
        # Takes away what waits on one master where another has changed what it received of it.
        my $not_again = sub {
            my ($self, $from, $there, $table, @seen) = @_;
            my $delta = "bucardo.$table->{deltatable} d";
            my ($unnest, $same) = $keys->($table);
            my ($waits_here, $waits_there) = map { $waits->($_, $table) } $from, $there;
            my $dbh = $from->{dbh};
            my @columns = map { "d.${_}::text" } @{ $table->{qpkey} };
            my $key = join ', ' => @columns;
            my $cursor = 'multimaster_received';
            $dbh->do("DECLARE $cursor CURSOR FOR SELECT $key FROM $delta WHERE $waits_here"
                . " GROUP BY $key HAVING pg_catalog.bool_and(" . $over->($dbh, @seen) . ')');
            my $turned = sub {
                my @rows = @_;
                return map { my $i = $_; [ map { $_->[$i] } @rows ] } 0 .. $#columns;
            };
            my $dropped = 0;
            while (my @found = @{ $dbh->selectall_arrayref("FETCH 10000 FROM $cursor") }) {
                my @changed = @{ $there->{dbh}->selectall_arrayref(
                    "SELECT k.* FROM $unnest WHERE EXISTS"
                        . " (SELECT FROM $delta WHERE $same AND $waits_there)",
                    undef, $turned->(@found)) };
                next if ! @changed;
                $dbh->do("DELETE FROM $delta USING $unnest WHERE $same AND $waits_here",
                    undef, $turned->(@changed));
                $dropped += @changed;
            }
            $dbh->do("CLOSE $cursor");
            $self->glog("Not brought again, as $there->{name} had received and changed them:"
                . " $dropped of $from->{name}.$table->{safeschema}.$table->{safetable}", 0)
                if $dropped;
        };
        # Called once in each run. Looks, in transactions before it, whether anything waits that was
        # received: mostly nothing, and then the run itself is asked nothing more.
        *Bucardo::start_main_transaction = sub {
            my ($self, $info) = @_;
            goto &$start_main_transaction if $self->{multimaster_whole} or $self->{dryrun};
            my $sync = $info->{sync};
            my %table = $tables->($sync);
            my @masters = $masters->($sync);
            my (%waits, @left);
            for my $there (@masters) {
                next if ! $there->{dbh}->selectrow_array(
                    "SELECT pg_catalog.to_regclass('$received') IS NOT NULL");
                my $notes = $there->{dbh}->selectall_arrayref(
                    "SELECT source, tables, snapshot, later::text, read_at FROM $received"
                        . " WHERE sync = ?", undef, $sync->{name});
                for my $note (@$notes) {
                    my ($name, $names, @seen) = @$note;
                    my ($from) = grep { $_->{name} eq $name and $_ != $there } @masters or next;
                    my $found = $waits{$name} ||= $waiting->($sync, $from);
                    for my $known (grep { $table{$_} and $found->{$_} } @$names) {
                        my $table = $table{$known};
                        push @left, [$from, $there, $table, @seen]
                            if $from->{dbh}->selectrow_array(
                                $queued->($from, $table, $over->($from->{dbh}, @seen))
                                    . ' SELECT EXISTS (SELECT FROM q)');
                    }
                }
            }
            $self->{multimaster_left} = \@left;
            $self->{multimaster_whole} = ! @left;
            goto &$start_main_transaction;
        };
        # Called next, in the run, before it reads what waits: both see the same.
        *Bucardo::lock_all_tables = sub {
            my ($self, $info) = @_;
            my $result = $lock_all_tables->(@_);
            my @left = @{ delete $self->{multimaster_left} || [] };
            my %waits;
            for (@left) {
                my ($from, $there, $table, @seen) = @$_;
                my $found = $waits{ $there->{name} } ||= $waiting->($info->{sync}, $there);
                $not_again->($self, $from, $there, $table, @seen)
                    if $found->{"$table->{safeschema}.$table->{safetable}"};
            }
            return $result;
        };
        # Called once at the end of a run with changes; it commits.
        *Bucardo::enable_triggers = sub {
            my ($self, $sync) = @_;
            # Else a statement sees more than what was brought.
            return $enable_triggers->(@_)
                if $self->{dryrun} or ($self->{pg_isolation_level} || '') =~ /committed/i;
            my %table = $tables->($sync);
            my @masters = $masters->($sync);
            my %note;
            for my $from (@masters) {
                # Of a table that was truncated not all are brought.
                my @changed = grep {
                    $from->{deltaquick}{$_} and ! exists $table{$_}{truncatewinner}
                } sort keys %table;
                next if ! @changed;
                my $later = join ' UNION ALL ' => map {
                    "SELECT $xid FROM bucardo.$table{$_}{deltatable} d"
                        . " WHERE d.txntime >= pg_catalog.now() - interval '10 s' AND $xid >="
                        . ' pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())'
                        . '::text::bigint'
                } @changed;
                $note{ $from->{name} } = [
                    \@changed,
                    $from->{dbh}->selectrow_array(
                        'SELECT pg_catalog.pg_current_snapshot()::text,'
                            . " ARRAY(SELECT DISTINCT x FROM ($later) AS l(x)"
                            . ' ORDER BY x DESC LIMIT 10000)::text,'
                            . ' EXTRACT(epoch FROM pg_catalog.clock_timestamp())'
                            . '::double precision'),
                ];
            }
            my @noted;
            for my $there (@masters) {
                my @from = grep { $_ ne $there->{name} } sort keys %note or next;
                my $dbh = $there->{dbh};
                if (! $there->{multimaster_received}) {
                    my ($exists, $may) = $dbh->selectrow_array(
                        "SELECT pg_catalog.to_regclass('$received') IS NOT NULL,"
                            . " pg_catalog.has_schema_privilege('bucardo', 'CREATE')");
                    next if ! $exists and ! $may;
                    $dbh->do(
                        "CREATE TABLE $received (sync text, source text, tables text[] NOT NULL,"
                            . ' snapshot text NOT NULL, later bigint[] NOT NULL,'
                            . ' read_at double precision NOT NULL, PRIMARY KEY (sync, source))'
                    ) if ! $exists;
                }
                $dbh->do(
                    "INSERT INTO $received (sync, source, tables, snapshot, later, read_at) VALUES "
                        . join(', ', ('(?, ?, ?, ?, ?, ?)') x @from)
                        . ' ON CONFLICT (sync, source) DO UPDATE SET tables = excluded.tables,'
                        . ' snapshot = excluded.snapshot, later = excluded.later,'
                        . ' read_at = excluded.read_at',
                    undef, map { ($sync->{name}, $_, @{ $note{$_} }) } @from);
                push @noted, $there;
            }
            $self->{multimaster_whole} = 0;
            $enable_triggers->($self, $sync);
            $_->{multimaster_received} = 1 for @noted;
            $self->{multimaster_whole} = 1;
            return;
        };
    }
"""
)
