from midge.authn import Answer, Authenticator
#### code
class Authn(Authenticator):
    """Who is this? Asked once per CONNECT."""

    def authenticate(self, credentials, connect):
        if credentials.username != "alice" or credentials.password is None:
            # Not ours: the next authenticator is asked; where there is none the client is refused.
            return Answer.next()
        if credentials.password == b"secret":
            return Answer.allow("alice")
        return Answer.deny("wrong password")
