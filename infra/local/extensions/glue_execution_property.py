"""Gap: a Glue job's ExecutionProperty (MaxConcurrentRuns) is dropped, by CloudFormation and by CreateJob alike.

Upstream: services/cloudformation/provisioners.py, `_GLUE_JOB_DEFAULTS` names the properties that pass;
services/glue.py, `_create_job` and `_update_job` keep the fields they know.
"""

from ministack.services import glue
from ministack.services.cloudformation import provisioners
from patching import replace

FIELD = "ExecutionProperty"
DEFAULT = {"MaxConcurrentRuns": 1}


def apply():
    if "MaxRetries" not in provisioners._GLUE_JOB_DEFAULTS:
        raise RuntimeError("provisioners._GLUE_JOB_DEFAULTS no longer lists the properties of a Glue job.")
    provisioners._GLUE_JOB_DEFAULTS.setdefault(FIELD, DEFAULT)
    replace(glue, "_create_job", ("data",), _keep(lambda data: (data.get("Name"), data)))
    replace(glue, "_update_job", ("data",), _keep(lambda data: (data.get("JobName"), data.get("JobUpdate", {}))))


def _keep(name_and_fields):
    def make(original):
        def call(data):
            response = original(data)
            name, fields = name_and_fields(data)
            if response[0] == 200:
                job = glue._jobs[name]
                job[FIELD] = fields.get(FIELD) or job.get(FIELD) or dict(DEFAULT)
            return response

        return call

    return make
