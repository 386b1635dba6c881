metrics, type Ticker
//// code
// The plugin's own turn, again and again.
export const ticker: Ticker = {
  tick() {
    // Refresh keys here, send what was gathered, look after a backend. What the other instances must know goes into `kv`.
    metrics.add("turns", [], 1);
  },
};
