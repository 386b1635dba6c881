from midge import authz_unsubscribe
#### code
class AuthzUnsubscribe(authz_unsubscribe.UnsubscribeAuthorizer):
    """May a client end a subscription?"""

    def authorize_unsubscribe(self, who, filters):
        return [self.judge(one) for one in filters]

    def judge(self, topic_filter):
        if topic_filter.startswith("alarms/"):
            return authz_unsubscribe.Verdict.deny("alarms stay subscribed")
        return authz_unsubscribe.Verdict.allow()
