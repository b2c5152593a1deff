"""Who answers what is seldom asked; part of `controllers.operator.service`, loaded when asked."""

import msgspec

from supervisor.controllers.operator.comparison import Comparer
from supervisor.controllers.operator.logs import LogLook
from supervisor.controllers.operator.machine import MachineLook


class CloseLook(msgspec.Struct, frozen=True, kw_only=True):
    """For one question."""

    comparer: Comparer
    machine: MachineLook
    logs: LogLook
