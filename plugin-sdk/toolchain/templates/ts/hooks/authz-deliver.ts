DeliveryRuling, type DeliveryAuthorizer
//// code
// May a client have these messages? One ruling for each. It is asked about every message for every subscriber, where `hooks` names
// the hook: let answers be used again.
export const authzDeliver: DeliveryAuthorizer = {
  authorizeDeliver: (who, deliveries) =>
    deliveries.map(({ topic }) =>
      topic.startsWith("drafts/")
        ? DeliveryRuling.deny({ reuseMs: 60000, covers: "drafts/#" })
        : DeliveryRuling.allow({ reuseMs: 60000 }),
    ),
};
