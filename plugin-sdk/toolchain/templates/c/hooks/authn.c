/* Who is this? Asked once per CONNECT. */
bool midge_authn_authenticate(midge_authn_credentials_t *credentials, midge_authn_borrow_connect_t connect,
                              midge_authn_answer_t *answer, midge_string_t *err) {
  (void)connect, (void)err;
  bool is_alice = midge_some_is(credentials->username, "alice") && credentials->password.is_some;
  bool is_right = midge_password_is(credentials->password, "secret");
  midge_authn_credentials_free(credentials);
  if (!is_alice) {
    /* Not ours: the next authenticator is asked; where there is none the client is refused. */
    return midge_authn_next(answer);
  }
  return is_right ? midge_authn_allow(answer, "alice") : midge_authn_deny(answer, "wrong password");
}
