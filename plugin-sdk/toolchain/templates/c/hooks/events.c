/* Watches what happens. New kinds appear in any release: ignore the unknown. */
bool midge_events_on_events(midge_events_list_event_t *batch, midge_string_t *err) {
  (void)err;
  for (size_t i = 0; i < batch->len; i++) {
    midge_events_event_t *event = &batch->ptr[i];
    midge_string_t client = event->client_id.is_some ? event->client_id.val : midge_text("");
    midge_info("%.*s %.*s", (int)event->kind.len, event->kind.ptr, (int)client.len, client.ptr);
  }
  midge_events_list_event_free(batch);
  return true;
}
