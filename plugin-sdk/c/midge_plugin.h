/* What nearly every plugin in C needs besides the contract (midge.h): strings, answers, the config, the log.
 *
 * Who owns what, in three rules:
 *  - What a hook is given is the hook's: free it with the `..._free` of its type before you return.
 *  - What an import returns is yours too.
 *  - What a hook answers with becomes the broker's: it must lie on the heap. The functions below copy what they are given.
 *
 * A hook returns true with an answer, or false with an error, which means that the plugin or its backend failed. A
 * refusal is an answer. All functions that make an answer return true, so that a hook can end in
 * `return midge_authn_next(answer);`, and `midge_fail` returns false. */
#ifndef MIDGE_PLUGIN_H
#define MIDGE_PLUGIN_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "midge.h"

/* --- Memory --- */

/* `count` zeroed values of `size` bytes. Traps where there is no memory left: the call fails, and the broker lives on. */
static inline void *midge_alloc(size_t count, size_t size) {
  void *memory = calloc(count > 0 ? count : 1, size);
  if (memory == NULL) __builtin_trap();
  return memory;
}

/* --- Strings: not terminated, UTF-8 --- */

/* A string that refers to `text` and copies nothing: for what an import is called with. */
static inline midge_string_t midge_text(const char *text) {
  midge_string_t string = {(uint8_t *)text, strlen(text)};
  return string;
}

/* A copy of `text` on the heap: for what becomes part of an answer. */
static inline midge_string_t midge_own(const char *text) {
  midge_string_t string;
  midge_string_dup(&string, text);
  return string;
}

/* A copy of `string` on the heap, for what becomes part of an answer. */
static inline midge_string_t midge_own_string(midge_string_t string) {
  midge_string_t copy;
  midge_string_dup_n(&copy, (const char *)string.ptr, string.len);
  return copy;
}

/* A copy of `len` bytes on the heap, for what becomes part of an answer. */
static inline midge_list_u8_t midge_own_bytes(const void *bytes, size_t len) {
  midge_list_u8_t copy = {midge_alloc(len, 1), len};
  memcpy(copy.ptr, bytes, len);
  return copy;
}

/* A terminated copy of `string`; `free` it. */
static inline char *midge_copy(midge_string_t string) {
  char *text = midge_alloc(string.len + 1, 1);
  memcpy(text, string.ptr, string.len);
  return text;
}

/* Whether `string` is `text`. */
static inline bool midge_is(midge_string_t string, const char *text) {
  return string.len == strlen(text) && memcmp(string.ptr, text, string.len) == 0;
}

/* Whether the string is there and is `text`. */
static inline bool midge_some_is(midge_option_string_t option, const char *text) {
  return option.is_some && midge_is(option.val, text);
}

/* Whether `string` begins with `text`. */
static inline bool midge_begins(midge_string_t string, const char *text) {
  size_t len = strlen(text);
  return string.len >= len && memcmp(string.ptr, text, len) == 0;
}

/* Whether two secrets are the same, in a time that does not depend on where they differ. Their lengths are no secret. */
static inline bool midge_same_secret(const void *a, size_t a_len, const void *b, size_t b_len) {
  const volatile uint8_t *left = a, *right = b;
  uint8_t differences = 0;
  if (a_len != b_len) return false;
  for (size_t i = 0; i < a_len; i++) differences |= left[i] ^ right[i];
  return differences == 0;
}

/* Whether the password is there and is `text`; as `midge_same_secret`. */
static inline bool midge_password_is(midge_option_list_u8_t password, const char *text) {
  return password.is_some && midge_same_secret(password.val.ptr, password.val.len, text, strlen(text));
}

/* --- Errors: the plugin or its backend failed --- */

/* `*err` becomes what `format` makes, at most 511 bytes of it. Returns false. */
__attribute__((format(printf, 2, 3))) static inline bool midge_fail(midge_string_t *err, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  midge_string_dup(err, text);
  return false;
}

/* --- The broker's log; never put credentials in --- */

static inline void midge_log_line(midge_log_level_t level, const char *format, va_list arguments) {
  char text[512];
  midge_list_tuple2_string_string_t none = {NULL, 0};
  if (!midge_log_enabled(level)) return;
  vsnprintf(text, sizeof text, format, arguments);
  midge_string_t line = midge_text(text);
  midge_log_write(level, &line, &none);
}

#define MIDGE_LOG_FUNCTION(name, level)                                                              \
  __attribute__((format(printf, 1, 2))) static inline void name(const char *format, ...) {          \
    va_list arguments;                                                                               \
    va_start(arguments, format);                                                                     \
    midge_log_line(level, format, arguments);                                                        \
    va_end(arguments);                                                                               \
  }

/* As printf, a line each, at most 511 bytes. `midge_error`: the operator must act. `midge_warn`: something was lost or
 * refused for cause. `midge_info`: life as usual, worth a line. `midge_debug`: what a developer wants to see. */
MIDGE_LOG_FUNCTION(midge_error, MIDGE_LOG_LEVEL_ERROR)
MIDGE_LOG_FUNCTION(midge_warn, MIDGE_LOG_LEVEL_WARN)
MIDGE_LOG_FUNCTION(midge_info, MIDGE_LOG_LEVEL_INFO)
MIDGE_LOG_FUNCTION(midge_debug, MIDGE_LOG_LEVEL_DEBUG)

/* --- Metrics --- */

/* Adds to a counter without labels. */
static inline void midge_count(const char *counter, uint64_t by) {
  midge_string_t name = midge_text(counter);
  midge_list_tuple2_string_string_t none = {NULL, 0};
  midge_metrics_add(&name, &none, by);
}

/* --- The plugin's own `config` table --- */

/* The scalar at a dotted path ("limits.tries") as terminated text; `free` it. NULL when it is absent or no scalar. */
static inline char *midge_config(const char *path) {
  midge_string_t name = midge_text(path), value;
  if (!midge_config_get(&name, &value)) return NULL;
  char *text = midge_copy(value);
  midge_string_free(&value);
  return text;
}

/* The whole number at a path; `otherwise` when it is absent or no whole number. */
static inline long long midge_config_number(const char *path, long long otherwise) {
  char *text = midge_config(path), *end = NULL;
  if (text == NULL) return otherwise;
  long long number = strtoll(text, &end, 10);
  bool is_number = end != text && *end == '\0';
  free(text);
  return is_number ? number : otherwise;
}

/* --- lifecycle --- */
#ifdef MIDGE_HAS_LIFECYCLE

/* The plugin wants to be called for every topic the operator names, with payloads. */
static inline bool midge_lifecycle_ready(midge_lifecycle_registration_t *registration) {
  memset(registration, 0, sizeof *registration);
  registration->wants_payload = true;
  return true;
}

#endif

/* --- authn: who is this? --- */
#ifdef MIDGE_HAS_AUTHN

/* Let in as `principal`. Its grant is `answer->verdict.val.allow`, for a tenant, permissions or limits. */
static inline bool midge_authn_allow(midge_authn_answer_t *answer, const char *principal) {
  memset(answer, 0, sizeof *answer);
  answer->verdict.tag = MIDGE_AUTHN_VERDICT_ALLOW;
  answer->verdict.val.allow.principal = midge_own(principal);
  return true;
}

/* Refuse as Bad User Name or Password (0x86); `reason` is logged and shown to MQTT 5 clients that ask for it. */
static inline bool midge_authn_deny(midge_authn_answer_t *answer, const char *reason) {
  memset(answer, 0, sizeof *answer);
  answer->verdict.tag = MIDGE_AUTHN_VERDICT_DENY;
  answer->verdict.val.deny.code = 0x86;
  answer->verdict.val.deny.reason.is_some = true;
  answer->verdict.val.deny.reason.val = midge_own(reason);
  return true;
}

/* Not mine: ask the next authenticator. The chain's end refuses. */
static inline bool midge_authn_next(midge_authn_answer_t *answer) {
  memset(answer, 0, sizeof *answer);
  answer->verdict.tag = MIDGE_AUTHN_VERDICT_NEXT;
  return true;
}

#endif

/* --- enhanced-authn: who is this, in several steps? --- */
#ifdef MIDGE_HAS_ENHANCED_AUTHN

/* Ask the client with `data`, and be given `state` back with its reply. */
static inline bool midge_enhanced_authn_ask(midge_enhanced_authn_step_t *step, const char *data, const char *state) {
  memset(step, 0, sizeof *step);
  step->tag = MIDGE_ENHANCED_AUTHN_STEP_CHALLENGE;
  step->val.challenge.data.is_some = true;
  step->val.challenge.data.val = midge_own_bytes(data, strlen(data));
  step->val.challenge.state = midge_own_bytes(state, strlen(state));
  return true;
}

/* Let in, or stay, as `principal`. */
static inline bool midge_enhanced_authn_allow(midge_enhanced_authn_step_t *step, const char *principal) {
  memset(step, 0, sizeof *step);
  step->tag = MIDGE_ENHANCED_AUTHN_STEP_ALLOW;
  step->val.allow.grant.principal = midge_own(principal);
  return true;
}

/* Refuse as Not authorized (0x87); `reason` is logged and shown to clients that ask for it. */
static inline bool midge_enhanced_authn_deny(midge_enhanced_authn_step_t *step, const char *reason) {
  memset(step, 0, sizeof *step);
  step->tag = MIDGE_ENHANCED_AUTHN_STEP_DENY;
  step->val.deny.code = 0x87;
  step->val.deny.reason.is_some = true;
  step->val.deny.reason.val = midge_own(reason);
  return true;
}

#endif

/* --- authz: may this identity do that? --- */

/* A rule that allows the actions (MIDGE_TYPES_ACTIONS_PUBLISH | MIDGE_TYPES_ACTIONS_SUBSCRIBE) on what `filter` matches,
 * at any QoS and with RETAIN. In a filter `%u`, `%c` and `%t` stand for principal, client id and tenant. */
static inline midge_types_permission_t midge_rule_allow(midge_types_actions_t actions, const char *filter) {
  midge_types_permission_t rule;
  memset(&rule, 0, sizeof rule);
  rule.effect = MIDGE_TYPES_EFFECT_ALLOW;
  rule.actions = actions;
  rule.topic_filter = midge_own(filter);
  rule.max_qos = MIDGE_TYPES_QOS_EXACTLY_ONCE;
  rule.retain = true;
  return rule;
}

/* A rule that refuses the actions on what `filter` matches. Of several rules the first that applies decides. */
static inline midge_types_permission_t midge_rule_deny(midge_types_actions_t actions, const char *filter) {
  midge_types_permission_t rule = midge_rule_allow(actions, filter);
  rule.effect = MIDGE_TYPES_EFFECT_DENY;
  return rule;
}

#ifdef MIDGE_HAS_AUTHZ

/* Allow, at any QoS. */
static inline bool midge_authz_allow(midge_authz_ruling_t *ruling) {
  memset(ruling, 0, sizeof *ruling);
  ruling->verdict = MIDGE_AUTHZ_VERDICT_ALLOW;
  ruling->max_qos = MIDGE_TYPES_QOS_EXACTLY_ONCE;
  return true;
}

/* Refuse as Not authorized (0x87); `reason` is logged and shown to MQTT 5 clients that ask for it. */
static inline bool midge_authz_deny(midge_authz_ruling_t *ruling, const char *reason) {
  memset(ruling, 0, sizeof *ruling);
  ruling->verdict = MIDGE_AUTHZ_VERDICT_DENY;
  ruling->refusal.is_some = true;
  ruling->refusal.val.code = 0x87;
  ruling->refusal.val.reason.is_some = true;
  ruling->refusal.val.reason.val = midge_own(reason);
  return true;
}

/* Not mine: ask the next authorizer. The chain's end refuses. */
static inline bool midge_authz_next(midge_authz_ruling_t *ruling) {
  memset(ruling, 0, sizeof *ruling);
  ruling->verdict = MIDGE_AUTHZ_VERDICT_NEXT;
  return true;
}

#endif

/* --- authz-unsubscribe: may a client end a subscription? --- */
#ifdef MIDGE_HAS_AUTHZ_UNSUBSCRIBE

/* Yes; nobody else is asked. */
static inline bool midge_authz_unsubscribe_allow(midge_authz_unsubscribe_verdict_t *verdict) {
  memset(verdict, 0, sizeof *verdict);
  verdict->tag = MIDGE_AUTHZ_UNSUBSCRIBE_VERDICT_ALLOW;
  return true;
}

/* Refuse as Not authorized (0x87); `reason` is logged and shown to MQTT 5 clients that ask for it. */
static inline bool midge_authz_unsubscribe_deny(midge_authz_unsubscribe_verdict_t *verdict, const char *reason) {
  memset(verdict, 0, sizeof *verdict);
  verdict->tag = MIDGE_AUTHZ_UNSUBSCRIBE_VERDICT_DENY;
  verdict->val.deny.code = 0x87;
  verdict->val.deny.reason.is_some = true;
  verdict->val.deny.reason.val = midge_own(reason);
  return true;
}

/* Not mine: ask the next plugin with this hook. The chain's end refuses. */
static inline bool midge_authz_unsubscribe_next(midge_authz_unsubscribe_verdict_t *verdict) {
  memset(verdict, 0, sizeof *verdict);
  verdict->tag = MIDGE_AUTHZ_UNSUBSCRIBE_VERDICT_NEXT;
  return true;
}

#endif

/* --- authz-will: may a client leave this Will? --- */
#ifdef MIDGE_HAS_AUTHZ_WILL

/* Yes; nobody else is asked. */
static inline bool midge_authz_will_allow(midge_authz_will_verdict_t *verdict) {
  memset(verdict, 0, sizeof *verdict);
  verdict->tag = MIDGE_AUTHZ_WILL_VERDICT_ALLOW;
  return true;
}

/* Refuse as Not authorized (0x87); `reason` is logged and shown to MQTT 5 clients that ask for it. */
static inline bool midge_authz_will_deny(midge_authz_will_verdict_t *verdict, const char *reason) {
  memset(verdict, 0, sizeof *verdict);
  verdict->tag = MIDGE_AUTHZ_WILL_VERDICT_DENY;
  verdict->val.deny.code = 0x87;
  verdict->val.deny.reason.is_some = true;
  verdict->val.deny.reason.val = midge_own(reason);
  return true;
}

/* Not mine: ask the next plugin with this hook. The chain's end refuses. */
static inline bool midge_authz_will_next(midge_authz_will_verdict_t *verdict) {
  memset(verdict, 0, sizeof *verdict);
  verdict->tag = MIDGE_AUTHZ_WILL_VERDICT_NEXT;
  return true;
}

#endif

/* --- admission: may anybody connect from there? --- */
#ifdef MIDGE_HAS_ADMISSION

/* As far as this plugin is concerned; the broker may say so again to this address for `reuse_ms`, 0: it asks each time. */
static inline bool midge_admission_yes(midge_admission_answer_t *answer, uint32_t reuse_ms) {
  memset(answer, 0, sizeof *answer);
  answer->admit = true;
  answer->reuse.ttl_ms = reuse_ms;
  return true;
}

/* The connection is closed; `reuse_ms` as above. */
static inline bool midge_admission_no(midge_admission_answer_t *answer, uint32_t reuse_ms) {
  midge_admission_yes(answer, reuse_ms);
  answer->admit = false;
  return true;
}

#endif

/* --- admin: the plugin's own pages --- */
#ifdef MIDGE_HAS_ADMIN

/* A page of plain text. */
static inline bool midge_admin_text(midge_admin_response_t *response, uint16_t status, const char *text) {
  memset(response, 0, sizeof *response);
  response->status = status;
  response->headers.len = 1;
  response->headers.ptr = midge_alloc(1, sizeof *response->headers.ptr);
  response->headers.ptr[0].f0 = midge_own("content-type");
  response->headers.ptr[0].f1 = midge_own("text/plain; charset=utf-8");
  response->body = midge_own_bytes(text, strlen(text));
  return true;
}

#endif

/* --- authz-deliver: may a client have this message? --- */
#ifdef MIDGE_HAS_AUTHZ_DELIVER

/* The client gets it. The broker may say so again for so many milliseconds (0: never); `ruling->reuse.covers` widens that. */
static inline bool midge_authz_deliver_allow(midge_authz_deliver_ruling_t *ruling, uint32_t reuse_ms) {
  memset(ruling, 0, sizeof *ruling);
  ruling->verdict = MIDGE_AUTHZ_DELIVER_VERDICT_ALLOW;
  ruling->reuse.ttl_ms = reuse_ms;
  return true;
}

/* It is dropped for this client, and counted. */
static inline bool midge_authz_deliver_deny(midge_authz_deliver_ruling_t *ruling, uint32_t reuse_ms) {
  midge_authz_deliver_allow(ruling, reuse_ms);
  ruling->verdict = MIDGE_AUTHZ_DELIVER_VERDICT_DENY;
  return true;
}

/* Not mine: ask the next plugin with this hook. The chain's end refuses. */
static inline bool midge_authz_deliver_next(midge_authz_deliver_ruling_t *ruling) {
  midge_authz_deliver_allow(ruling, 0);
  ruling->verdict = MIDGE_AUTHZ_DELIVER_VERDICT_NEXT;
  return true;
}

#endif

#endif
