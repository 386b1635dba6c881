/* The plugin's own turn, again and again: refresh keys here, send what was gathered, look after a backend. What the other
 * instances must know goes into kv. */
bool midge_ticker_tick(midge_string_t *err) {
  (void)err;
  midge_count("turns", 1);
  return true;
}
