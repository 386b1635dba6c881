// Users of several tenants from the plugin's config: who they are, and that each tenant has its part of the topics to itself.

import { Answer, config, passwords, Permission, type Authenticator, type Lifecycle } from "midge";

interface Config {
  /** Between user and tenant in a user name. */
  separator?: string;
  /** Topic filters that everybody may subscribe to. */
  public?: string[];
  tenants: Record<string, Tenant>;
}

interface Tenant {
  /** Password hashes by user. */
  users: Record<string, string>;
  /** Users that may subscribe and not publish. */
  readers?: string[];
  /** PUBLISH packets a second, of each client. */
  publish_per_second?: number;
}

let separator = "@";
let tenants = new Map<string, Tenant>();
/** What everybody may subscribe to. */
let shared: string[] = [];

export const lifecycle: Lifecycle = {
  init() {
    const given = config<Partial<Config>>();
    const known = ["separator", "public", "tenants"];
    const unknown = Object.keys(given).find((key) => !known.includes(key));
    if (unknown) throw new Error(`unknown key ${unknown}; there are ${known.join(", ")}`);
    separator = given.separator ?? "@";
    shared = given.public ?? [];
    tenants = new Map(Object.entries(given.tenants ?? {}));
    if (tenants.size === 0) throw new Error("tenants is empty: nobody could be let in");
    for (const [name, { users, readers = [] }] of tenants) {
      if (/[/+#]/.test(name)) throw new Error(`tenants.${name}: the name becomes a topic level, so it has no /, + or #`);
      if (!users) throw new Error(`tenants.${name}.users is missing`);
      const stranger = readers.find((reader) => !(reader in users));
      if (stranger) throw new Error(`tenants.${name}.readers: there is no user ${stranger}`);
    }
  },
};

export const authn: Authenticator = {
  authenticate({ username, password }) {
    const at = username?.lastIndexOf(separator) ?? -1;
    if (!username || at <= 0) return Answer.next();
    const [user, name] = [username.slice(0, at), username.slice(at + separator.length)];
    const tenant = tenants.get(name);
    if (!tenant) return Answer.next();
    const hash = Object.hasOwn(tenant.users, user) ? tenant.users[user] : undefined;
    if (!hash || !password || !passwords.verify(hash, password)) return Answer.deny("wrong user name or password");
    const mayPublish = !tenant.readers?.includes(user);
    return Answer.allow(username, {
      tenant: name,
      // %t is the tenant: one component serves them all, and none can name another's topics.
      permissions: [
        Permission.allow("%t/#", { publish: mayPublish, subscribe: true }),
        ...shared.map((filter) => Permission.allow(filter, { subscribe: true })),
      ],
      limits: tenant.publish_per_second ? { publishPerSecond: tenant.publish_per_second } : null,
    });
  },
};
