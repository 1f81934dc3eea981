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


# Bucardo's functions, as far as they matter here: the masters are a, b and c.
RUN = r"""
package Bucardo;
sub push_rows {} sub delete_rows {}
sub disable_triggers { my ($self, $sync, $db) = @_; $db->{triggers_enabled} = 0; }
sub enable_triggers {
    my ($self, $sync) = @_;
    for my $name (sort keys %{ $sync->{db} }) {
        my $db = $sync->{db}{$name};
        next if $db->{triggers_enabled};
        push @commits, $name;
        $db->{triggers_enabled} = 1;
    }
}
package main;
my ($code, $changed) = @ARGV;
eval "sub { $code }" or die $@;
my %db = map { $_ => { role => 'source', triggers_enabled => 1, deltatotal => 0 } } qw(a b c);
$db{plain} = { role => 'target', triggers_enabled => 1 };
my $sync = { db => \%db };
my @written;
eval "$changed; 1" or die $@;
Bucardo->disable_triggers($sync, $db{$_}) for @written;
Bucardo->enable_triggers($sync);
print "waits: ", join(' ', grep { $db{$_}{trackstage} } sort keys %db), "\n";
print "commits: @Bucardo::commits\n";
print "at last: ", join(' ', grep { defined $db{$_}{writtento} and not $db{$_}{writtento} }
    sort keys %db), "\n";
"""


@pytest.mark.skipif(not shutil.which("perl"), reason="no Perl here")
@pytest.mark.parametrize(
    ("changed", "waits", "commits", "last"),
    [
        # It commits after all of these.
        ("$db{a}{deltatotal} = 3; @written = qw(b c)", "", "b c", ""),
        # As where the last table of the run has changes on one of them, and another on the other.
        ("$db{$_}{deltatotal} = 1 for qw(a b); @written = qw(a b c)", "a b c", "a b c", ""),
        # Without quick_delta_check.
        ("delete $db{$_}{deltatotal} for qw(a b c); @written = qw(a b c)", "a b c", "a b c", ""),
        # A table of a was truncated.
        ("$db{a}{truncatewinner} = {}; @written = qw(b c)", "", "b c", "a"),
        (
            "$db{a}{truncatewinner} = {}; $db{b}{deltatotal} = 1; @written = qw(a b c)",
            "a b c",
            "b c a",
            "a",
        ),
    ],
)
def test_marks_wait_where_several_have_changes(changed, waits, commits, last):
    done = subprocess.run(
        ["perl", "-we", RUN, corrections._SOURCE, changed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"waits: {waits}",
        f"commits: {commits}",
        f"at last: {last}",
    ]
