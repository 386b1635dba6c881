/* May a client end a subscription? One verdict for each filter. */
bool midge_authz_unsubscribe_authorize_unsubscribe(midge_authz_unsubscribe_identity_id_t who,
                                                   midge_list_string_t *filters,
                                                   midge_authz_unsubscribe_list_verdict_t *verdicts,
                                                   midge_string_t *err) {
  (void)who, (void)err;
  verdicts->len = filters->len;
  verdicts->ptr = midge_alloc(verdicts->len, sizeof *verdicts->ptr);
  for (size_t i = 0; i < filters->len; i++) {
    bool stays = midge_begins(filters->ptr[i], "alarms/");
    if (stays) midge_authz_unsubscribe_deny(&verdicts->ptr[i], "alarms stay subscribed");
    else midge_authz_unsubscribe_allow(&verdicts->ptr[i]);
  }
  midge_list_string_free(filters);
  return true;
}
