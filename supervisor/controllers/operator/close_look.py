"""Who answers what is seldom asked; part of `controllers.operator.service`, loaded when asked."""

import msgspec

from supervisor.controllers.operator.comparison import Comparer


class CloseLook(msgspec.Struct, frozen=True, kw_only=True):
    """For one question."""

    comparer: Comparer
