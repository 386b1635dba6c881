/* May a client leave this Will? Asked once its topic was allowed: by permissions, or by authz. */
bool midge_authz_will_authorize_will(midge_authz_will_identity_id_t who, midge_authz_will_message_t *will,
                                     uint32_t delay, midge_authz_will_verdict_t *verdict, midge_string_t *err) {
  (void)who, (void)err;
  midge_authz_will_message_free(will);
  if (delay > 3600) return midge_authz_will_deny(verdict, "no Will waits longer than an hour");
  return midge_authz_will_allow(verdict);
}
