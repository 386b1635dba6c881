/* The Authentication Methods served. */
void midge_enhanced_authn_methods(midge_list_string_t *methods) {
  methods->len = 1;
  methods->ptr = midge_alloc(1, sizeof *methods->ptr);
  methods->ptr[0] = midge_own("WORD");
}

/* Begins an exchange. What the next step needs travels with the challenge: it may reach another instance. */
bool midge_enhanced_authn_start(midge_enhanced_authn_candidate_t *client, midge_list_u8_t *maybe_data,
                                midge_enhanced_authn_borrow_connect_t connect, midge_enhanced_authn_step_t *step,
                                midge_string_t *err) {
  (void)connect, (void)err;
  midge_enhanced_authn_candidate_free(client);
  if (maybe_data != NULL) midge_list_u8_free(maybe_data);
  return midge_enhanced_authn_ask(step, "the word?", "asked");
}

/* Judges the reply to a challenge. */
bool midge_enhanced_authn_proceed(midge_enhanced_authn_candidate_t *client, midge_list_u8_t *state,
                                  midge_list_u8_t *maybe_data, midge_enhanced_authn_borrow_connect_t connect,
                                  midge_enhanced_authn_step_t *step, midge_string_t *err) {
  (void)connect, (void)err;
  bool is_right = maybe_data != NULL && midge_same_secret(maybe_data->ptr, maybe_data->len, "secret", 6);
  midge_enhanced_authn_candidate_free(client);
  midge_list_u8_free(state);
  if (maybe_data != NULL) midge_list_u8_free(maybe_data);
  return is_right ? midge_enhanced_authn_allow(step, "alice") : midge_enhanced_authn_deny(step, "not the word");
}
