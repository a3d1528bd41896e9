"""Tokens of managed identities: no VM here has an identity, so every question for one is refused as Azure refuses it.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token, "Error handling".
"""

from harness.azure.http import Request, Response


def refuse_token(request: Request) -> Response:
    """The refusal of a question below /metadata/identity, its cause said in the order in which Azure looks."""
    if request.headers.get("metadata", "").lower() != "true" or "x-forwarded-for" in request.headers:
        return _refused("bad_request_102", "Required metadata header not specified")
    if request.path.rstrip("/") not in ("/metadata/identity/oauth2/token", "/metadata/identity/info"):
        return Response.json({"error": "Not found"}, 404)
    if request.method != "GET":
        return Response.json({"error": "Method not allowed"}, 405)
    wanted = ("api-version", "resource") if request.path.rstrip("/").endswith("/token") else ("api-version",)
    for name in wanted:
        if not request.parameter(name):
            return _refused("invalid_request", f"Required query variable '{name}' is missing")
    return _refused("invalid_request", "Identity not found")


def _refused(error: str, description: str) -> Response:
    return Response.json({"error": error, "error_description": description}, 400)
