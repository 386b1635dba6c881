from midge.enhanced_authn import EnhancedAuthenticator, Step
#### code
class EnhancedAuthn(EnhancedAuthenticator):
    """Who is this, in several steps?"""

    def methods(self):
        return ["WORD"]

    def start(self, client, data, connect):
        # What the next step needs travels with the challenge: it may reach another instance.
        return Step.challenge(b"the word?", b"asked")

    def proceed(self, client, state, data, connect):
        return Step.allow("alice") if data == b"secret" else Step.deny("not the word")
