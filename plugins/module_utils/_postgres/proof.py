# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which sums rows are proven equal (pure)."""

from __future__ import annotations

# Names the way in which sums of hashes are made; what another way has proven is not believed.
PROOF = "mixed-64"
