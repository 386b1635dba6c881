/* The whole authorization of an identity, as rules that the broker evaluates itself: `%u` stands for the principal. What
 * no rule allows is refused. */
bool midge_authz_permissions(midge_authz_identity_id_t id, midge_authz_identity_t *who,
                             midge_authz_option_list_permission_t *rules, midge_string_t *err) {
  (void)id, (void)err;
  midge_authz_identity_free(who);
  rules->is_some = true;
  rules->val.len = 1;
  rules->val.ptr = midge_alloc(1, sizeof *rules->val.ptr);
  rules->val.ptr[0] = midge_rule_allow(MIDGE_TYPES_ACTIONS_PUBLISH | MIDGE_TYPES_ACTIONS_SUBSCRIBE, "%u/#");
  return true;
}

/* May `who` publish this? Asked only where `permissions` gave no rules. */
bool midge_authz_authorize_publish(midge_authz_identity_id_t who, midge_string_t *topic, midge_authz_qos_t qos,
                                   bool retain, midge_authz_ruling_t *ruling, midge_string_t *err) {
  (void)who, (void)qos, (void)retain, (void)err;
  midge_string_free(topic);
  return midge_authz_next(ruling);
}

/* May `who` subscribe? One ruling for each filter. Asked only where `permissions` gave no rules. */
bool midge_authz_authorize_subscribe(midge_authz_identity_id_t who, midge_authz_list_subscription_t *subscriptions,
                                     midge_authz_list_ruling_t *rulings, midge_string_t *err) {
  (void)who, (void)err;
  rulings->len = subscriptions->len;
  rulings->ptr = midge_alloc(rulings->len, sizeof *rulings->ptr);
  for (size_t i = 0; i < rulings->len; i++) midge_authz_next(&rulings->ptr[i]);
  midge_authz_list_subscription_free(subscriptions);
  return true;
}

/* The identity is gone: forget what was kept under its id. */
void midge_authz_identity_gone(midge_authz_identity_id_t who) {
  (void)who;
}
