Answer, text
//// code
// Who is this? Asked once per CONNECT.
/** @type {import("midge").Authenticator} */
export const authn = {
  authenticate({ username, password }) {
    // Not ours: the next authenticator is asked; where there is none the client is refused.
    if (username !== "alice" || !password) return Answer.next();
    return text(password) === "secret" ? Answer.allow("alice") : Answer.deny("wrong password");
  },
};
