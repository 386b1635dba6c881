/* May a client have these messages? One ruling for each, to be used again for a minute: it is asked about every message for
 * every subscriber, where `hooks` names the hook. */
bool midge_authz_deliver_authorize_deliver(midge_authz_deliver_identity_id_t who,
                                           midge_authz_deliver_list_delivery_t *deliveries,
                                           midge_authz_deliver_list_ruling_t *rulings, midge_string_t *err) {
  (void)who, (void)err;
  rulings->len = deliveries->len;
  rulings->ptr = midge_alloc(rulings->len, sizeof *rulings->ptr);
  for (size_t i = 0; i < rulings->len; i++) {
    bool is_draft = midge_begins(deliveries->ptr[i].topic, "drafts/");
    if (is_draft) midge_authz_deliver_deny(&rulings->ptr[i], 60000);
    else midge_authz_deliver_allow(&rulings->ptr[i], 60000);
  }
  midge_authz_deliver_list_delivery_free(deliveries);
  return true;
}
