# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Perl says to custom code is what the daemon will say."""

from __future__ import annotations

import shutil

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.cli import (
    perl_complaint,
)

pytestmark = pytest.mark.skipif(not shutil.which("perl"), reason="no Perl here")


@pytest.mark.parametrize(
    "source",
    [
        "return;",
        "my ($arg) = @_; return $arg->{rows} // 0;",
        "$self->{seen} = $config{piddir}; return;",
        "# Nothing.\nreturn;\n",
    ],
)
def test_it_takes_what_bucardo_takes(source):
    assert perl_complaint(source) == ""


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("return 1 +;", "syntax error"),
        ("$count = 1; return;", "$count"),
        # What closes the function is on the same line.
        ("return; # the end", "Missing right curly"),
    ],
)
def test_it_refuses_what_the_daemon_would_end_at(source, word):
    assert word in perl_complaint(source)
