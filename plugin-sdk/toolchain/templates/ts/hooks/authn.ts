Answer, text, type Authenticator
//// code
// Who is this? Asked once per CONNECT.
export const authn: Authenticator = {
  authenticate({ username, password }) {
    // Not ours: the next authenticator is asked; where there is none the client is refused.
    if (username !== "alice" || !password) return Answer.next();
    return text(password) === "secret" ? Answer.allow("alice") : Answer.deny("wrong password");
  },
};
