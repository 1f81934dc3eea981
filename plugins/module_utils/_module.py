# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""The edge between Ansible and the rest: the only place that knows AnsibleModule."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.multimaster.bucardo.plugins.module_utils import _pg
from ansible_collections.multimaster.bucardo.plugins.module_utils._args import Spec
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import MultimasterError

Params = t.Dict[str, t.Any]


@dataclasses.dataclass
class Result:
    """What a module body hands back.

    :param changed: whether something was, or in check mode would be, changed.
    :param before: state for the diff, {} for absent; secrets never belong here.
    :param after: the same, as it is now or would be.
    :param values: further return values.
    :param commands: what was run, or would be; secrets are masked on the way out.
    :param warnings: lines for the user.
    """

    changed: bool = False
    before: t.Any = None
    after: t.Any = None
    values: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    commands: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


Body = t.Callable[[Params, bool], Result]


def run(argument_spec: Spec, body: Body, **module_options: t.Any) -> t.NoReturn:
    """Run a module: ``body(params, check_mode)`` does the work and returns a Result.

    In check mode the body reads everything and writes nothing, and returns the same Result.
    """
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **module_options)
    if _pg.IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("psycopg2"), exception=_pg.IMPORT_ERROR)
    try:
        result = body(module.params, module.check_mode)
    except MultimasterError as error:
        # from None: the chain below would repeat the one line with a traceback of ours.
        module.fail_json(msg=error.one_line, **_masked(error.details, module.no_log_values))
    for line in result.warnings:
        module.warn(line)
    output: dict[str, t.Any] = {"changed": result.changed, **result.values}
    if result.commands:
        output["commands"] = result.commands
    if result.before is not None or result.after is not None:
        output["diff"] = {"before": result.before or {}, "after": result.after or {}}
    module.exit_json(**_masked(output, module.no_log_values))


def _masked(value: t.Any, secrets: t.Collection[str]) -> t.Any:
    """Replace every secret inside texts.

    AnsibleModule does the same for its result, but not inside keys and not for escaped forms.
    """
    if isinstance(value, str):
        for secret in sorted((s for s in secrets if s), key=len, reverse=True):
            for form in (secret, secret.replace("'", "''"), secret.replace("\\", "\\\\")):
                value = value.replace(form, "********")
        return value
    if isinstance(value, dict):
        return {_masked(k, secrets): _masked(v, secrets) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(v, secrets) for v in value]
    return value
