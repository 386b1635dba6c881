Verdict, type UnsubscribeAuthorizer
//// code
// May a client end a subscription? One verdict for each filter.
export const authzUnsubscribe: UnsubscribeAuthorizer = {
  authorizeUnsubscribe: (who, filters) =>
    filters.map((filter) => (filter.startsWith("alarms/") ? Verdict.deny("alarms stay subscribed") : Verdict.allow())),
};
