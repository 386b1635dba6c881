/* Midge's example of a plugin in C: clients are let in by an API key, of which a file knows the SHA-256. */
#include "midge_plugin.h"
#include "table.h"

/* What lasts between two calls; each instance has its own. */
static struct {
  char *file;
  /* The user name that clients with a key give; NULL: any, or none. */
  char *username;
  bool denies_unknown;
  table_t table;
  /* Of the file, when it was read last, whether or not it was good. */
  uint64_t version;
} plugin;

static const char *file_error(const midge_files_error_t *error) {
  switch (error->tag) {
    case MIDGE_FILES_ERROR_NOT_GRANTED: return "not granted; allow it in the plugin's allow.files";
    case MIDGE_FILES_ERROR_UNREADABLE: return "cannot be read";
    default: return "too large";
  }
}

/* Reads the file and puts its table in place of the old one, which stays where something is wrong. */
static bool read_file(midge_string_t *err) {
  midge_string_t path = midge_text(plugin.file);
  midge_list_u8_t content;
  midge_files_error_t error;
  table_t table;
  char why[160];
  if (!midge_files_read(&path, &content, &error)) {
    midge_fail(err, "%s: %s", plugin.file, file_error(&error));
    midge_files_error_free(&error);
    return false;
  }
  bool is_good = table_parse(&table, content.ptr, content.len, why, sizeof why);
  midge_list_u8_free(&content);
  if (!is_good) return midge_fail(err, "%s: %s", plugin.file, why);
  table_free(&plugin.table);
  plugin.table = table;
  return true;
}

/* Reads the file again if it has changed. What is wrong with it is logged once. */
static void keep_up(void) {
  midge_string_t path = midge_text(plugin.file), why;
  midge_files_error_t error;
  uint64_t version;
  if (!midge_files_version(&path, &version, &error)) {
    midge_files_error_free(&error);
    return;
  }
  if (version == plugin.version) return;
  plugin.version = version;
  if (read_file(&why)) {
    midge_info("%s: %zu keys", plugin.file, plugin.table.count);
    return;
  }
  midge_error("the old keys stay in force: %.*s", (int)why.len, why.ptr);
  midge_string_free(&why);
}

bool midge_lifecycle_init(midge_lifecycle_environment_t *environment,
                          midge_lifecycle_registration_t *registration, midge_string_t *err) {
  midge_lifecycle_environment_free(environment);
  plugin.file = midge_config("file");
  plugin.username = midge_config("username");
  if (plugin.file == NULL) return midge_fail(err, "config: `file` is missing: the path of the keys, granted as well");
  char *unknown = midge_config("unknown_key");
  plugin.denies_unknown = unknown != NULL && strcmp(unknown, "deny") == 0;
  if (unknown != NULL && !plugin.denies_unknown && strcmp(unknown, "next") != 0) {
    return midge_fail(err, "config: `unknown_key` is \"%s\"; it may be \"next\" or \"deny\"", unknown);
  }
  free(unknown);
  midge_string_t path = midge_text(plugin.file);
  midge_files_error_t error;
  if (!midge_files_version(&path, &plugin.version, &error)) midge_files_error_free(&error);
  return read_file(err) && midge_lifecycle_ready(registration);
}

bool midge_lifecycle_health(midge_string_t *err) {
  (void)err;
  return true;
}

void midge_lifecycle_shutdown(void) {}

/* Whose key the client gave; NULL when it is nobody's, or it gave none. */
static const owner_t *owner_of(const midge_authn_credentials_t *credentials) {
  midge_list_u8_t key = credentials->password.val, digest;
  if (!credentials->password.is_some || key.len == 0) return NULL;
  midge_crypto_sha256(&key, &digest);
  const owner_t *owner = digest.len == DIGEST_BYTES ? table_find(&plugin.table, digest.ptr) : NULL;
  midge_list_u8_free(&digest);
  return owner;
}

bool midge_authn_authenticate(midge_authn_credentials_t *credentials, midge_authn_borrow_connect_t connect,
                              midge_authn_answer_t *answer, midge_string_t *err) {
  (void)connect, (void)err;
  keep_up();
  bool is_ours = plugin.username == NULL || midge_some_is(credentials->username, plugin.username);
  const owner_t *owner = is_ours ? owner_of(credentials) : NULL;
  midge_authn_credentials_free(credentials);
  if (owner == NULL) {
    return is_ours && plugin.denies_unknown ? midge_authn_deny(answer, "unknown API key") : midge_authn_next(answer);
  }
  midge_authn_allow(answer, owner->name);
  if (owner->tenant != NULL) {
    answer->verdict.val.allow.tenant.is_some = true;
    answer->verdict.val.allow.tenant.val = midge_own(owner->tenant);
  }
  return true;
}
