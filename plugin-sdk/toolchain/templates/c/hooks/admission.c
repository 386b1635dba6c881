/* May anybody connect from there? Before TLS and before a byte is read; who is refused is closed without a word. */
bool midge_admission_admit(midge_string_t *listener, midge_string_t *address, midge_admission_answer_t *answer,
                           midge_string_t *err) {
  (void)err;
  bool is_welcome = !midge_begins(*address, "192.0.2.");
  midge_string_free(listener);
  midge_string_free(address);
  /* The broker may say no again for a minute without asking. */
  return is_welcome ? midge_admission_yes(answer, 0) : midge_admission_no(answer, 60000);
}
