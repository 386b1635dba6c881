/* Called once, before any other function: the place to read and check the config. An error stops the broker's start. */
bool midge_lifecycle_init(midge_lifecycle_environment_t *environment,
                          midge_lifecycle_registration_t *registration, midge_string_t *err) {
  (void)err;
  midge_info("%.*s starts", (int)environment->name.len, environment->name.ptr);
  midge_lifecycle_environment_free(environment);
  return midge_lifecycle_ready(registration);
}

/* Asked now and then: false, with an error, shows in /readyz and metrics. */
bool midge_lifecycle_health(midge_string_t *err) {
  (void)err;
  return true;
}

/* The last call. */
void midge_lifecycle_shutdown(void) {}
