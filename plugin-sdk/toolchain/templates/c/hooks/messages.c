/* What becomes of published messages: one action for each. What is below old/ goes to new/. */
bool midge_messages_on_publish(midge_messages_list_inbound_t *batch, midge_messages_list_action_t *actions,
                               midge_string_t *err) {
  (void)err;
  actions->len = batch->len;
  actions->ptr = midge_alloc(actions->len, sizeof *actions->ptr);
  for (size_t i = 0; i < batch->len; i++) {
    midge_messages_message_t *message = &batch->ptr[i].message;
    if (!midge_begins(message->topic, "old/")) {
      actions->ptr[i].tag = MIDGE_MESSAGES_ACTION_KEEP;
      continue;
    }
    memcpy(message->topic.ptr, "new", 3);
    actions->ptr[i].tag = MIDGE_MESSAGES_ACTION_REPLACE;
    actions->ptr[i].val.replace = *message;
    /* It is the answer's now, and must not be freed with the batch. */
    memset(message, 0, sizeof *message);
  }
  midge_messages_list_inbound_free(batch);
  return true;
}
