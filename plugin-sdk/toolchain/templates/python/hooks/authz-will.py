from midge import authz_will
#### code
class AuthzWill(authz_will.WillAuthorizer):
    """May a client leave this Will? Asked once its topic was allowed: by permissions, or by `authz`."""

    def authorize_will(self, who, will, delay):
        if delay > 3600:
            return authz_will.Verdict.deny("no Will waits longer than an hour")
        return authz_will.Verdict.allow()
