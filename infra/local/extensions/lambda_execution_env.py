"""Gap: functions have no AWS_EXECUTION_ENV (on AWS `AWS_Lambda_nodejs24.x`), without which Powertools' tracer is off.

Upstream: core/lambda_runtime.py, the environment of a warm worker.
"""

from ministack.core import lambda_runtime
from patching import replace


def apply():
    replace(lambda_runtime, "execution_credentials", ("config",), _with_execution_env)


def _with_execution_env(original):
    def execution_credentials(config):
        return {**original(config), "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}"}

    return execution_credentials
