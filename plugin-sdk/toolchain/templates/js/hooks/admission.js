Admit
//// code
// May anybody connect from there? Before TLS and before a byte is read; who is refused is closed without a word.
/** @type {import("midge").Admission} */
export const admission = {
  // The broker may say so again for a minute without asking.
  admit: (listener, address) => (address.startsWith("192.0.2.") ? Admit.no({ reuseMs: 60_000 }) : Admit.yes()),
};
