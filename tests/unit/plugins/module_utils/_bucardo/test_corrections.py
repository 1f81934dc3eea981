# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""To which syncs the corrections of the daemon are attached."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import corrections
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.cli import (
    perl_complaint,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    CORRECTIONS,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control

from ..fake_session import FakeSession


def written(rows=(), sync="shop"):
    return corrections.writes(Control(FakeSession({"FROM bucardo.customcode": rows})), sync)


def code(sync, source=corrections._SOURCE):
    return {
        "name": CORRECTIONS,
        "whenrun": "before_trigger_disable",
        "src_code": source,
        "about": corrections._ABOUT,
        "getdbh": False,
        "status": "active",
        "sync": sync,
        "schemaname": None,
        "tablename": None,
        "active": True,
        "priority": 0,
    }


def test_it_is_made_and_attached_once():
    insert, *attached = written()
    assert insert.params["src_code"] == corrections._SOURCE
    assert attached[-2].params["keys"] == ["shop"]
    assert written([code("shop")]) == []


def test_another_sync_keeps_it():
    writes = written([code("other")])
    assert any(write.params.get("keys") == ["other", "shop"] for write in writes)


def test_one_of_an_older_release_is_replaced():
    assert written([code("shop", "old")])[0].params["src_code"] == corrections._SOURCE


@pytest.mark.skipif(not shutil.which("perl"), reason="no Perl here")
def test_perl_takes_it():
    assert perl_complaint(corrections._SOURCE) == ""


# Bucardo's functions, as far as they matter here; sessions tell what they are asked to do.
RUN = r"""
package Session;
sub selectrow_array { 7 }
sub do { push @Bucardo::said, map { "$_[0]{name}: $_" } split /;/, $_[1] }
sub commit { push @Bucardo::said, "$_[0]{name}: COMMIT"; kill USR1 => $$; }
package Bucardo;
sub push_rows {} sub delete_rows {}
sub disable_triggers { my ($self, $sync, $db) = @_; $db->{triggers_enabled} = 0; }
sub enable_triggers {
    my ($self, $sync) = @_;
    for my $db (map { $sync->{db}{$_} } sort keys %{ $sync->{db} }) {
        next if $db->{triggers_enabled};
        $db->{dbh}->commit();
        $db->{triggers_enabled} = 1;
    }
}
package main;
my ($code, $changed) = @ARGV;
eval "sub { $code }" or die $@;
my %db = map { $_ => {
    name => $_, role => 'source', dbtype => 'postgres', triggers_enabled => 1, deltatotal => 0,
    dbh => bless({ name => $_ }, 'Session')
} } qw(a b c);
my @tables = map {
    { reltype => 'table', safeschema => 's', safetable => $_, tracktable => "track_$_",
      stagetable => "stage_$_" }
} qw(t u);
my $sync = { db => \%db, goatlist => [ @tables, { reltype => 'sequence' } ] };
my @written;
eval "$changed; 1" or die $@;
$SIG{USR1} = sub { print "asked to end\n"; exit; };
my $self = bless {}, 'Bucardo';
$self->disable_triggers($sync, $db{$_}) for @written;
print "waits: ", join(' ', grep { $db{$_}{trackstage} } sort keys %db), "\n";
END { print "$_\n" for @Bucardo::said }
$self->enable_triggers($sync);
print "never\n" for 1 .. 3;
"""


def moved(master, table):
    track, stage = f"bucardo.track_{table}", f"bucardo.stage_{table}"
    return [
        f"{master}: INSERT INTO {track} SELECT * FROM {stage} WHERE xmin::text = '7'",
        f"{master}: DELETE FROM {stage}",
    ]


A, B, C = ("a: COMMIT", "b: COMMIT", "c: COMMIT")
BOTH = "$db{a}{deltaquick}{'s.t'} = 2; $db{b}{deltaquick}{'s.u'} = 1"


@pytest.mark.skipif(not shutil.which("perl"), reason="no Perl here")
@pytest.mark.parametrize(
    ("changed", "waits", "said"),
    [
        # It commits after all of these, and its marks with it.
        ("$db{a}{deltatotal} = 3; @written = qw(b c)", "", [B, C, A, B, C]),
        # As where the last table of the run has changes on one of them, and another on the other.
        (
            f"{BOTH}; $db{{$_}}{{deltatotal}} = 1 for qw(a b); @written = qw(a b c)",
            "a b c",
            [A, B, C, A, B, C, *moved("a", "t"), A, *moved("b", "u"), B],
        ),
        # Without quick_delta_check Bucardo moves them.
        (
            "delete $db{$_}{deltatotal} for qw(a b c); @written = qw(a b c)",
            "a b c",
            [A, B, C, A, B, C],
        ),
        # A table of a was truncated.
        ("$db{a}{truncatewinner} = {}; @written = qw(b c)", "", [B, C, A, B, C]),
        (
            f"{BOTH}; $db{{a}}{{truncatewinner}} = {{}}; $db{{b}}{{deltatotal}} = 1;"
            " @written = qw(a b c)",
            "a b c",
            [B, C, A, A, B, C, *moved("a", "t"), A, *moved("b", "u"), B],
        ),
    ],
)
def test_a_run_commits_and_marks_without_being_ended_between(changed, waits, said):
    done = subprocess.run(
        ["perl", "-we", RUN, corrections._SOURCE, changed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    # Each commit was asked to end, as by a reload.
    assert done.stdout.splitlines() == [f"waits: {waits}", "asked to end", *said]
