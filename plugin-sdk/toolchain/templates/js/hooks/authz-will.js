Verdict
//// code
// May a client leave this Will? Asked once its topic was allowed: by permissions, or by `authz`.
/** @type {import("midge").WillAuthorizer} */
export const authzWill = {
  authorizeWill: (who, will, delay) =>
    delay > 3600 ? Verdict.deny("no Will waits longer than an hour") : Verdict.allow(),
};
