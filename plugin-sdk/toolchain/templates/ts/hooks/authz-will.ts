Verdict, type WillAuthorizer
//// code
// May a client leave this Will? Asked once its topic was allowed: by permissions, or by `authz`.
export const authzWill: WillAuthorizer = {
  authorizeWill: (who, will, delay) =>
    delay > 3600 ? Verdict.deny("no Will waits longer than an hour") : Verdict.allow(),
};
