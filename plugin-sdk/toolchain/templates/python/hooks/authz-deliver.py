from midge import authz_deliver
#### code
class AuthzDeliver(authz_deliver.DeliveryAuthorizer):
    """May a client have this message? Asked about every message for every subscriber, where `hooks` names the hook."""

    def authorize_message(self, who, delivery):
        if delivery.topic.startswith("drafts/"):
            return authz_deliver.Ruling.deny(reuse_ms=60000, covers="drafts/#")
        return authz_deliver.Ruling.allow(reuse_ms=60000)
