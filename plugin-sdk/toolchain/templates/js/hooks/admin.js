bytes
//// code
// What is below /plugins/{{name}}/ on the admin port, where `allow.admin` grants it.
/** @type {import("midge").Admin} */
export const admin = {
  handle({ method, path }) {
    if (method !== "GET" || path !== "/") return { status: 404, headers: [], body: bytes("") };
    return { status: 200, headers: [["content-type", "text/plain"]], body: bytes("{{name}} is here\n") };
  },
};
