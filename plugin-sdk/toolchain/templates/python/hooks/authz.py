from midge import Permission
from midge.authz import Authorizer
#### code
class Authz(Authorizer):
    """May this identity do that? Asked once per identity."""

    def permissions(self, id, who):
        # Rules that the broker evaluates itself: `%u` stands for the principal. What no rule allows is refused.
        return [Permission.allow("%u/#")]
