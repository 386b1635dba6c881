Permission
//// code
// May this identity do that? Asked once per identity.
/** @type {import("midge").Authorizer} */
export const authz = {
  // Rules that the broker evaluates itself: `%u` stands for the principal. What no rule allows is refused.
  permissions: () => [Permission.allow("%u/#")],
};
