# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sync that rows in constant use keep from replicating (a part of the daemon's corrections).

A run sees one moment of each master, and PostgreSQL lets it write no row that was changed since
(SQLSTATE 40001). Bucardo tries again, for ever: where a row is changed more often than a run takes,
on the master that is to receive it, nothing at all of the sync is replicated.

When no run has succeeded for a while, and the last one failed for that reason, the tables of
which changes wait on several masters are locked before the run looks: writers of these wait until
it has ended, others do not. It does not wait long itself, and is the one that ends at a deadlock.
Where much waits, writers would wait for long, and nothing is locked: that is for a catch-up.
"""

from __future__ import annotations

# Seconds without a run that succeeded, and seconds since the last one that failed.
STARVED, RECENT = 10, 60
# Changes of a table on a master that a run may have to bring while others wait for it.
MOST = 10_000

SOURCE = (
    r"""
    if (defined &Bucardo::start_main_transaction and not $Bucardo::multimaster_starving++) {
        my ($start_main_transaction, $lock_all_tables, $enable_triggers) = (
            \&Bucardo::start_main_transaction, \&Bucardo::lock_all_tables,
            \&Bucardo::enable_triggers,
        );
        my $most = """
    + f"{MOST};"
    + r"""
        # Whether no run has succeeded for long, and the last one failed for this reason.
        my $starved = sub {
            my ($control, $name) = @_;
            my ($found) = $control->selectrow_array(q{
                SELECT 1 FROM bucardo.syncrun b
                 WHERE b.sync = ? AND b.lastbad
                   AND b.status ~ 'Serialization failure|could not serialize'
                   AND b.ended > pg_catalog.now() - interval '"""
    + f"{RECENT}"
    + r""" s'
                   AND NOT EXISTS (
                     SELECT FROM bucardo.syncrun g
                      WHERE g.sync = b.sync AND (g.lastgood OR g.lastempty)
                        AND (g.ended > pg_catalog.now() - interval '"""
    + f"{STARVED}"
    + r""" s' OR g.ended > b.ended))
            }, undef, $name);
            $control->rollback();
            return $found;
        };
        # Called once in each run. What is asked here belongs to a transaction before it.
        *Bucardo::start_main_transaction = sub {
            my ($self, $info) = @_;
            my $sync = $info->{sync};
            delete $self->{multimaster_to_lock};
            # Nothing is asked while one run with changes succeeds after the other.
            goto &$start_main_transaction
                if delete $self->{multimaster_succeeded}
                    or not $starved->($self->{masterdbh}, $sync->{name});
            my %table = $tables->($sync);
            my (%waits, %much);
            for my $db ($masters->($sync)) {
                my $dbh = $db->{dbh};
                my $found = $waiting->($sync, $db);
                for my $name (grep { $found->{$_} and $table{$_} } keys %$found) {
                    $waits{$name}++;
                    my ($count) = $dbh->selectrow_array(
                        $queued->($db, $table{$name})
                            . " SELECT count(*) FROM (SELECT FROM q LIMIT $most + 1) l");
                    $much{$name} = 1 if $count > $most;
                }
                ($db->{multimaster_superuser}) = $dbh->selectrow_array(
                    q{SELECT pg_catalog.current_setting('is_superuser') = 'on'});
            }
            # Whoever waits for a run that brings so much would wait for long.
            $self->{multimaster_to_lock} = [
                %much ? () : grep { $waits{$_} > 1 } sort keys %waits
            ];
            $self->glog('Rows in constant use make runs fail, and too much waits for a lock of: '
                . join(', ' => sort keys %much), 0) if %much;
            goto &$start_main_transaction;
        };
        # Called next, before anything is read: a lock that is taken later comes too late.
        *Bucardo::lock_all_tables = sub {
            my ($self, $info) = @_;
            my @tables = @{ delete $self->{multimaster_to_lock} || [] };
            my $names = join ', ' => map { "ONLY $_" } @tables;
            for my $db (@tables ? $masters->($info->{sync}) : ()) {
                my $dbh = $db->{dbh};
                $dbh->pg_savepoint('multimaster_lock');
                my $locked = eval {
                    # A deadlock is found by who looks first.
                    $dbh->do(q{SET LOCAL deadlock_timeout = '100ms'})
                        if $db->{multimaster_superuser};
                    # The one counts for each table anew.
                    $dbh->do(q{SET LOCAL lock_timeout = '500ms'});
                    $dbh->do(q{SET LOCAL statement_timeout = '1s'});
                    $dbh->do("LOCK TABLE $names IN SHARE ROW EXCLUSIVE MODE");
                    $dbh->do('SET LOCAL lock_timeout = 0');
                    $dbh->do('SET LOCAL statement_timeout = 0');
                    1;
                };
                $dbh->pg_rollback_to('multimaster_lock') if ! $locked;
                # The transaction itself must write what follows: marks are known by its number.
                $dbh->pg_release('multimaster_lock');
                $self->glog(($locked ? 'Locked' : 'Could not lock') . " on $db->{name}, as rows in"
                    . ' constant use made earlier runs fail: ' . join(', ' => @tables), 0);
            }
            goto &$lock_all_tables;
        };
        # Called once at the end of a run with changes; it commits.
        *Bucardo::enable_triggers = sub {
            my ($self) = @_;
            $enable_triggers->(@_);
            $self->{multimaster_succeeded} = 1;
            return;
        };
    }
"""
)
