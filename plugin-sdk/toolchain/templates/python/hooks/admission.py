from midge import admission
#### code
class Admission(admission.Admission):
    """May anybody connect from there? Before TLS and before a byte is read; who is refused is closed without a word."""

    def admit(self, listener, address):
        if address.startswith("192.0.2."):
            # The broker may say so again for a minute without asking.
            return admission.Admit.no(reuse_ms=60_000)
        return admission.Admit.yes()
