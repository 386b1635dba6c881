from midge import metrics, ticker
#### code
class Ticker(ticker.Ticker):
    """The plugin's own turn, again and again."""

    def tick(self):
        # Refresh keys here, send what was gathered, look after a backend. What the other instances must know goes into `kv`.
        metrics.add("turns", [], 1)
