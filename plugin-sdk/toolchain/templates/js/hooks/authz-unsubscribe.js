Verdict
//// code
// May a client end a subscription? One verdict for each filter.
/** @type {import("midge").UnsubscribeAuthorizer} */
export const authzUnsubscribe = {
  authorizeUnsubscribe: (who, filters) =>
    filters.map((filter) => (filter.startsWith("alarms/") ? Verdict.deny("alarms stay subscribed") : Verdict.allow())),
};
