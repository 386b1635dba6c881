Step, text, type EnhancedAuthenticator
//// code
// Who is this, in several steps?
export const enhancedAuthn: EnhancedAuthenticator = {
  methods: () => ["WORD"],
  // What the next step needs travels with the challenge: it may reach another instance.
  start: () => Step.challenge("the word?", "asked"),
  proceed: (client, state, data) =>
    data && text(data) === "secret" ? Step.allow("alice") : Step.deny("not the word"),
};
