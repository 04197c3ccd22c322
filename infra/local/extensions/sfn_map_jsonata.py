"""Gap: a distributed Map of a JSONata machine evaluates none of its JSONata: ItemReader, ItemSelector, Items, Output,
Assign and the limits stay text, so that it may list nothing and succeed.

Upstream: services/stepfunctions.py, `_run_distributed_map` treats every state as JSONPath. Here it is given what these
fields evaluate to. As on AWS, the children do not see the machine's variables.
"""

from ministack.services import stepfunctions as sfn
from patching import replace

LIMITS = ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")
MAP = ("state_def", "raw_input", "effective", "iterator", "execution", "ctx")


class _Selector(dict):
    """An ItemSelector with what its expressions may see besides the item."""

    raw_input = variables = None


def apply():
    replace(sfn, "_run_distributed_map", MAP, _evaluated)
    replace(sfn, "_resolve_params_obj", ("template", "data", "ctx"), _select)


def _select(original):
    def resolve(template, data, ctx=None):
        if isinstance(template, _Selector):
            outer = {**(ctx or {}), "variables": template.variables}
            return sfn._apply_jsonata_template(dict(template), template.raw_input, outer)
        return original(template, data, ctx)

    return resolve


def _evaluated(original):
    def run(state_def, raw_input, effective, iterator, execution, ctx):
        if sfn._state_query_language(state_def, ctx) != "JSONata":
            return original(state_def, raw_input, effective, iterator, execution, ctx)
        plain = {key: value for key, value in state_def.items() if key not in ("ItemReader", "ItemSelector", "Items")}
        plain.update({key: sfn._jsonata_state_field(state_def, key, "number", raw_input, ctx)
                      for key in LIMITS if key in state_def})  # fmt: skip
        if "ItemReader" in state_def:
            plain["ItemReader"] = sfn._apply_jsonata_template(state_def["ItemReader"], raw_input, ctx)
        elif "Items" in state_def:
            effective = sfn._jsonata_state_field(state_def, "Items", "array", raw_input, ctx)
        if "ItemSelector" in state_def:
            plain["ItemSelector"] = selector = _Selector(state_def["ItemSelector"])
            selector.raw_input, selector.variables = raw_input, ctx.get("variables", {})
        results, following = original(plain, raw_input, effective, iterator, execution, {**ctx, "variables": {}})
        output = sfn._apply_jsonata_output(state_def, raw_input, ctx, result=results, default=results)
        sfn._apply_state_assign(state_def, raw_input, ctx, result=results)
        return output, following

    return run
