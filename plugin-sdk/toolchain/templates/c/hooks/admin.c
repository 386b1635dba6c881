/* What is below /plugins/{{name}}/ on the admin port, where `allow.admin` grants it. */
bool midge_admin_handle(midge_admin_request_t *request, midge_admin_response_t *response, midge_string_t *err) {
  (void)err;
  bool is_there = midge_is(request->method, "GET") && midge_is(request->path, "/");
  midge_admin_request_free(request);
  return is_there ? midge_admin_text(response, 200, "{{name}} is here\n") : midge_admin_text(response, 404, "");
}
