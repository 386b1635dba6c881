Permission, type Authorizer
//// code
// May this identity do that? Asked once per identity.
export const authz: Authorizer = {
  // Rules that the broker evaluates itself: `%u` stands for the principal. What no rule allows is refused.
  permissions: () => [Permission.allow("%u/#")],
};
