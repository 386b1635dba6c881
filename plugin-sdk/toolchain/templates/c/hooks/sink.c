/* Takes messages elsewhere: one outcome for each. */
bool midge_sink_deliver(midge_sink_list_delivery_t *batch, midge_sink_list_outcome_t *outcomes, midge_string_t *err) {
  (void)err;
  outcomes->len = batch->len;
  outcomes->ptr = midge_alloc(outcomes->len, sizeof *outcomes->ptr);
  for (size_t i = 0; i < batch->len; i++) {
    midge_types_message_t *message = &batch->ptr[i].inbound.message;
    /* Here it would be sent somewhere. MIDGE_SINK_OUTCOME_RETRY has it come again, midge_fail the batch. */
    midge_info("%.*s: %zu bytes", (int)message->topic.len, message->topic.ptr, message->payload.len);
    outcomes->ptr[i].tag = MIDGE_SINK_OUTCOME_DONE;
  }
  midge_sink_list_delivery_free(batch);
  return true;
}

/* Called before the instance is retired: send what is buffered. */
bool midge_sink_flush(midge_string_t *err) {
  (void)err;
  return true;
}
