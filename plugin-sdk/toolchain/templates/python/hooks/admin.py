from midge import admin
#### code
class Admin(admin.Admin):
    """What is below /plugins/{{name}}/ on the admin port, where `allow.admin` grants it."""

    def handle(self, request):
        if (request.method, request.path) != ("GET", "/"):
            return admin.Response(404, [], b"")
        return admin.Response(200, [("content-type", "text/plain")], b"{{name}} is here\n")
