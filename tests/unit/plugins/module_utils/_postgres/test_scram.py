# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords and stored hashes. The hashes are PostgreSQL 15's own."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.scram import fits

STORED = {
    "secret": (
        "SCRAM-SHA-256$4096:RxkIPPODjeCdU1WWFuIR7w==$PccOOtsCm2pZNmahYkzruIAcEaFd9mc04OFnENiZU30=:qn+u6YQyqh0I2DHWBDx9MLd18dzPMH+nW2PrES0XWgo="
    ),
    "p,a's \"s\\ %=\xdf": (
        "SCRAM-SHA-256$4096:LzlZDULatirBx7sFefkjpQ==$dtvkk69UmbQeteiNTUDqQ3vK2Zp9rnFMjArk12AwwZA=:6KNCCoRiaOZktVoM6l2QyPOcHDwh3WGWAwvd8MGlHlA="
    ),
    "a\xa0b": (
        "SCRAM-SHA-256$4096:nkeVWv2p68A/76eIZ5kigw==$x0agiRwi7H463CD2nZzr5jo4PAlpxOIWtMo5tA7QbJQ=:Y2SXGq1aP9bme+raMqkmwH0ZcvkG/Tw6B2JQlKUPOSQ="
    ),
    "soft\xadhyphen": (
        "SCRAM-SHA-256$4096:+p4Q3dcqVoGqqo0JjnkU2A==$xnQBaWcnfSz7vh/AELgsxLXuExojqMdehm37Uwmn2H4=:2dzZbMRW6/UBpv6VCYiXQ+4vyWKqgcgreDgV3uCCtk8="
    ),
    "\ufb01\u2168": (
        "SCRAM-SHA-256$4096:YqDE+WhHVHPtXn5DXN1f2A==$SR5q3JfRaOgu2cgsCOfYMAMEvGOzeGQu3kVcNUHn3dw=:kZ1dMc2R7YmLGcgLnS/VzAt0D76wt43yDGaR64R6Pf0="
    ),
    "\u043f\u0430\u0440\u043e\u043b\u044c": (
        "SCRAM-SHA-256$4096:wmL0UcmyH47/RJvgz/3i9w==$NJeqrzLL+C1MQxYa1wbi7Au50bfwUwfgKMW04aCIGqU=:AKeUu7E4gPeILLbXm9qnwe7HkQo7nGHKK2uT0F9P6so="
    ),
    "\u0627\u0628": (
        "SCRAM-SHA-256$4096:7bm5tH+1+7b3tAOLgAUeYA==$b1XLVt1sgwl109dl3ocRvHHXi4YSjp+fj+arta+uKZs=:n6DbOhKMXUTTLsrmUajCL9kDwKfmweM7oAhSQdGf1oQ="
    ),
    "\u0627x1": (
        "SCRAM-SHA-256$4096:94LTItux5Nf7iHGkZi9J/A==$vt8liICD+mPlJ2Z5WCDkRwF4Lr1RSUoWGFPsgjQCRKY=:Kkd7huGczu5Ebxy1TpIP6mDJ+LWPQpG2sFtEnRKqos4="
    ),
    "bell\x07": (
        "SCRAM-SHA-256$4096:J/F5SQ1l+L9EswMRcMbw4Q==$fiwzya2vGSsinmEGCTS//7wxuCCOKLbPI4O0icEf37o=:zDMTg4u+fy4IovoH1zzFUzRSr3nJZ95JV/R1oFDIX2o="
    ),
    "\u200bzero": (
        "SCRAM-SHA-256$4096:X7q/XEuUhGbrdK6M5p/6rQ==$qVNuS/RNVh66M1njsTacWQLI3OBlXPXBGI6k477sCas=:BmV8reRwzCd8KNweHT5nZnWA1QIKOTH/PyS7PmANb2M="
    ),
}


@pytest.mark.parametrize("password", sorted(STORED))
def test_the_right_password_fits(password):
    assert fits(STORED[password], "hash_role", password)


@pytest.mark.parametrize("password", sorted(STORED))
def test_another_password_does_not(password):
    assert not fits(STORED[password], "hash_role", password + "x")


def test_the_old_md5_form_counts_with_the_role():
    stored = "md5fc29fd610060e2a5cc32481698c8b344"
    assert fits(stored, "hash_role", "secret")
    assert not fits(stored, "other_role", "secret")
    assert not fits(stored, "hash_role", "Secret")


@pytest.mark.parametrize(
    "stored", [None, "", "clear", "SCRAM-SHA-256$x", "SCRAM-SHA-256$4096:!$a:b"]
)
def test_what_is_no_hash_fits_nothing(stored):
    assert not fits(stored, "hash_role", "secret")
