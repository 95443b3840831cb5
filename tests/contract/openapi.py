"""Checks HTTP exchanges with Twilio against its official OpenAPI documents.

The documents need repairs before a JSON Schema validator can use them, made here in memory:
- OpenAPI's `nullable` becomes the type "null"; where a property has no type it allows everything
  anyway and is left out, since it makes some validators skip the whole body without a word;
- ListMessage's links are relative although their format is `uri`, so there that format is dropped.

Responses are checked twice: as the documents say, and by a stricter overlay in which every property is
required and no other is allowed, because the documents themselves require nothing of a response.
"""
import dataclasses
import datetime
import email.utils
import json
import re
import urllib.parse

import jsonschema

FILES = ("twilio_verify_v2.json", "twilio_api_v2010.json")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
METHODS = ("get", "post", "delete")
# Vendor words and documentation, without meaning for validation.
KEPT = {"type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"}

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _date_time(value):
    return not isinstance(value, str) or bool(datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ"))


@formats.checks("date-time-rfc-2822", raises=(TypeError, ValueError))
def _mail_date(value):
    return not isinstance(value, str) or email.utils.parsedate_to_datetime(value).tzinfo is not None


@formats.checks("uri")
def _uri(value):
    parts = urllib.parse.urlsplit(value) if isinstance(value, str) else None
    return parts is None or bool(parts.scheme and parts.netloc)


@formats.checks("uri-map")
def _uri_map(value):
    return not isinstance(value, dict) or all(_uri(link) or link.startswith("/") for link in value.values())


@formats.checks("int32")
def _int32(value):
    return not isinstance(value, int) or abs(value) < 2**31


@dataclasses.dataclass
class Exchange:
    """One request and its answer as they were on the wire."""

    method: str
    target: str  # path and query, still encoded
    headers: dict  # names in lower case
    form: list  # (name, value) pairs of the body, in order
    status: int
    content_type: str
    body: bytes

    @property
    def path(self):
        return urllib.parse.unquote(self.target.partition("?")[0])

    @property
    def query(self):
        return urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True)


class Operation:
    def __init__(self, document, path, method, description, variables):
        self.name = description["operationId"]
        self.method = method.upper()
        self._document = document
        self._path = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))
        parameters = list(variables) + description.get("parameters", [])
        self._path_parameters = {p["name"]: p for p in parameters if p["in"] == "path"}
        self._query_parameters = {p["name"]: p for p in parameters if p["in"] == "query"}
        form = description.get("requestBody", {}).get("content", {}).get(FORM, {}).get("schema", {})
        self._form_parameters = {name: {"schema": schema, "required": name in form.get("required", ())}
                                 for name, schema in form.get("properties", {}).items()}
        self._responses = description["responses"]

    def matches(self, method, path):
        return self.method == method and self._path.fullmatch(path) is not None

    def request_complaints(self, exchange):
        if not exchange.headers.get("authorization", "").startswith("Basic "):
            yield "no basic authentication"
        variables = self._path.fullmatch(exchange.path).groupdict()
        yield from self._field_complaints("path", list(variables.items()), self._path_parameters)
        yield from self._field_complaints("query", exchange.query, self._query_parameters)
        if self.method == "POST" and exchange.headers.get("content-type", "").partition(";")[0] != FORM:
            yield f"content type {exchange.headers.get('content-type')}"
        yield from self._field_complaints("form", exchange.form, self._form_parameters)

    def _field_complaints(self, place, fields, known):
        names = [name for name, _ in fields]
        for name in set(names):
            if names.count(name) > 1 and known.get(name, {}).get("schema", {}).get("type") != "array":
                yield f"{place}: {name} is there twice"
        for name, parameter in known.items():
            if parameter.get("required") and name not in names:
                yield f"{place}: {name} is missing"
        for name, value in fields:
            if name not in known:
                yield f"{place}: {name} is unknown"
                continue
            schema = self._document.converted(known[name]["schema"])
            for error in _errors(schema, _typed(value, schema)):
                yield f"{place}: {name}: {error}"

    def response_complaints(self, status, content_type, text):
        if not content_type.startswith(JSON):
            yield f"{status}: content type {content_type}"
        try:
            body = json.loads(text)
        except ValueError:
            yield f"{status}: the body is not JSON"
            return
        described = self._responses.get(str(status))
        if described is None and status < 400:
            yield f"{status} is not among the answers"
            return
        schema = described["content"][JSON]["schema"] if described else self._document.error_schema
        relative = self.name == "ListMessage"
        for strict in (False, True):
            converted = self._document.converted(schema, strict=strict, relative_links=relative)
            yield from (f"{status}{' (strict)' if strict else ''}: {error}" for error in _errors(converted, body))

    def examples(self):
        """(status, name, value) of every example of an answer."""
        for status, response in self._responses.items():
            for name, example in response.get("content", {}).get(JSON, {}).get("examples", {}).items():
                yield int(status), name, example["value"]


class Document:
    """`error_schema` describes the body of every error that the document does not describe itself."""

    def __init__(self, text, error_schema):
        self._text = text
        self.error_schema = error_schema
        self.operations = [Operation(self, path, method, item[method], item.get("parameters", ()))
                           for path, item in self._text["paths"].items() for method in METHODS if method in item]

    def converted(self, schema, strict=False, relative_links=False):
        """The JSON Schema that means the same."""
        def convert(part):
            if "$ref" in part:
                target = self._text
                for step in part["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
                return convert(target)
            result = {key: value for key, value in part.items() if key in KEPT}
            if "format" in part and not (relative_links and part["format"] == "uri"):
                result["format"] = part["format"]
            if "items" in part:
                result["items"] = convert(part["items"])
            if "properties" in part:
                result["properties"] = {name: convert(value) for name, value in part["properties"].items()}
                if strict:
                    result["required"] = sorted(result["properties"])
                    result["additionalProperties"] = False
                elif "required" in part:
                    result["required"] = part["required"]
            if part.get("nullable") and "type" in result:
                result["type"] = [result["type"], "null"]
                if "enum" in result:
                    result["enum"] = [*result["enum"], None]
            return result

        return convert(schema)


class Contract:
    """Both documents."""

    def __init__(self, folder):
        verify, messages = (json.loads((folder / name).read_text(encoding="utf-8")) for name in FILES)
        # Described once, inline, for a 429; the documentation says that all errors have this form.
        create = verify["paths"]["/v2/Services/{ServiceSid}/Verifications"]["post"]
        error_schema = create["responses"]["429"]["content"][JSON]["schema"]
        self.operations = [operation for text in (verify, messages)
                           for operation in Document(text, error_schema).operations]

    def find(self, method, path):
        return next((operation for operation in self.operations if operation.matches(method, path)), None)

    def complaints(self, exchange):
        operation = self.find(exchange.method, exchange.path)
        if operation is None:
            return [f"{exchange.method} {exchange.path}: no such operation"]
        found = [*operation.request_complaints(exchange),
                 *operation.response_complaints(exchange.status, exchange.content_type, exchange.body)]
        return [f"{operation.name}: {complaint}" for complaint in found]


def _errors(schema, value):
    validator = jsonschema.Draft7Validator(schema, format_checker=formats)
    for error in validator.iter_errors(value):
        place = "/".join(str(step) for step in error.absolute_path)
        yield f"{place}: {error.message}" if place else error.message


def _typed(text, schema):
    """What a form's or query's text means for a schema; the text itself if it does not fit."""
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "array":
        return [text]
    return text
