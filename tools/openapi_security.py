"""Which secrets an operation of an OpenAPI document needs, and how they travel."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from planloom.configs.document import child
from planloom.configs.phrases import instead, listed, quoted
from planloom.tools.credentials import Credentials, header_faults
from planloom.tools.openapi_document import OpenApiDocument, Part


@dataclass(frozen=True, slots=True)
class Security:
    """The security schemes of a document, and the secrets that a workflow gives for them."""

    document: OpenApiDocument
    secrets: Mapping[str, str] = field(repr=False)
    schemes: Mapping[str, Part]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield name and message for secrets that fit no scheme or cannot be sent; no secret is told."""
        for name, secret in self.secrets.items():
            if name not in self.schemes:
                yield name, f"unknown security scheme {quoted(name)}, {instead(name, self.schemes)}"
                continue
            if not secret:
                yield name, "expected a secret, found an empty text"
            for _, message in header_faults({"X-Secret": secret}):
                yield name, message
            if self.schemes[name].text("scheme").lower() == "basic" and ":" not in secret:
                yield name, "expected user:password for HTTP's basic scheme, found no colon"

    def for_operation(self, operation: Part, *, other_headers: bool) -> Credentials:
        """Return what goes with an operation: the first alternative for which there are secrets.

        Args:
            operation: Its own `security`, where it has one, stands in place of the document's.
            other_headers: The workflow sends headers of its own, which may be the secret.

        Raises:
            OpenApiError: It needs a secret that the workflow does not give.
        """
        at = child(operation.at, "security") if "security" in operation.data else "security"
        wanted = operation.data.get("security", self.document.data.get("security"))
        alternatives = [sorted(part.data) for _, part in self.document.parts(wanted, at)]
        possible = [names for names in alternatives if all(name in self.secrets for name in names)]
        chosen = max(possible, key=bool, default=None)  # an empty alternative is for want of a better one
        if chosen is None and alternatives and not other_headers:
            needs = " or ".join(" and ".join(names) for names in alternatives)
            raise self.document.fault(at, f"needs a secret for {needs}: name its variable under auth")
        credentials = Credentials()
        for name in chosen or ():
            credentials |= self._credentials(name)
        return credentials

    def reserved(self) -> frozenset[str]:
        """Names of headers and query parameters that carry secrets, in lower case."""
        return frozenset(part.text("name").lower() for part in self.schemes.values() if part.text("type") == "apiKey")

    def _credentials(self, name: str) -> Credentials:
        scheme, secret = self.schemes[name], self.secrets[name]
        match scheme.text("type"), scheme.text("in"), scheme.text("scheme").lower():
            case "apiKey", "header", _:
                return Credentials(headers={scheme.text("name"): secret})
            case "apiKey", "query", _:
                return Credentials(query={scheme.text("name"): secret})
            case "apiKey", "cookie", _:
                return Credentials(headers={"Cookie": f"{scheme.text('name')}={secret}"})
            case "http", _, "basic":
                return Credentials(headers={"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"})
            case ("http", _, "bearer") | ("oauth2" | "openIdConnect", _, _):
                return Credentials(headers={"Authorization": f"Bearer {secret}"})
            case kind, _, form:
                message = f"security scheme {quoted(name)} of type {listed([kind, form])} is not supported"
                raise self.document.fault(scheme.at, message)


def read_security(document: OpenApiDocument, secrets: Mapping[str, str]) -> Security:
    """Read the security schemes of a document.

    Raises:
        OpenApiError: They are not described as OpenAPI wants it.
    """
    components = document.part(document.data.get("components", {}), "components")
    schemes = document.parts(components.data.get("securitySchemes"), "components.securitySchemes")
    return Security(document, secrets, dict(schemes))
