"""X-Ray's filter expressions, as far as they are of use here:

    annotation.key = "value"    annotation[key] > 3    service("name")    service("name") { fault }
    fault    error    throttle    ok    partial    duration >= 2    responsetime < 0.5

with `AND`, `OR`, `!` and parentheses; the operators are = != < <= > >= CONTAINS BEGINSWITH ENDSWITH. Whatever else AWS
knows (edge, group, http.url, user) is refused with words, and never matches silently.
"""

import re

import xray_documents as documents

TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)"""
                   r"|(?P<word>[A-Za-z_]\w*)|(?P<sign><=|>=|!=|[=<>!(){}\[\].]))")  # fmt: skip
COMPARE = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
    "contains": lambda found, wanted: wanted in found,
    "beginswith": lambda found, wanted: found.startswith(wanted),
    "endswith": lambda found, wanted: found.endswith(wanted),
}
FLAGS = {
    "fault": lambda trace: any(root.get("fault") for root in documents.roots(trace)),
    "error": lambda trace: any(root.get("error") for root in documents.roots(trace)),
    "throttle": lambda trace: any(segment.get("throttle") for segment in trace),
    "ok": lambda trace: not any(root.get(flag) for root in documents.roots(trace) for flag in ("fault", "error")),
    "partial": lambda trace: any(segment.get("in_progress") for segment in trace),
}
NUMBERS = {
    "duration": lambda trace: documents.end_of(trace) - documents.start_of(trace),
    "responsetime": lambda trace: max(root.get("end_time", root["start_time"]) - root["start_time"]
                                      for root in documents.roots(trace)),
}  # fmt: skip


def compile_filter(expression):
    """A function from the segments of a trace to whether they match. Raises ValueError with words."""
    return _Parser(expression).whole()


class _Parser:
    def __init__(self, expression):
        self.expression, self.tokens, at = expression, [], 0
        while expression[at:].strip():
            found = TOKEN.match(expression, at)
            if not found:
                raise ValueError(f"Invalid filter expression: cannot read {expression[at:].strip()!r}.")
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            at = found.end()

    def whole(self):
        matches = self.either()
        if self.tokens:
            self.fail("the end")
        return matches

    def fail(self, wanted):
        found = self.tokens[0][1] if self.tokens else "its end"
        raise ValueError(f"Invalid filter expression {self.expression!r}: expected {wanted}, found {found}.")

    def next_is(self, *wanted):
        """Takes the next token if it is one of these, words in any case."""
        if self.tokens and self.tokens[0][0] in ("word", "sign") and self.tokens[0][1].lower() in wanted:
            return self.tokens.pop(0)[1].lower()
        return None

    def must(self, *wanted):
        return self.next_is(*wanted) or self.fail(" or ".join(wanted))

    def take(self, kind, wanted):
        if not self.tokens or self.tokens[0][0] not in kind:
            self.fail(wanted)
        kind, text = self.tokens.pop(0)
        return float(text) if kind == "number" else re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "text" else text

    def either(self):
        parts = [self.both()]
        while self.next_is("or"):
            parts.append(self.both())
        return lambda trace: any(part(trace) for part in parts)

    def both(self):
        parts = [self.one()]
        while self.next_is("and"):
            parts.append(self.one())
        return lambda trace: all(part(trace) for part in parts)

    def one(self):
        if self.next_is("!", "not"):
            inner = self.one()
            return lambda trace: not inner(trace)
        if self.next_is("("):
            inner = self.either()
            self.must(")")
            return inner
        if self.next_is("annotation"):
            return self.annotation()
        if self.next_is("service"):
            return self.service()
        word = self.next_is(*FLAGS, *NUMBERS)
        if word in FLAGS:
            return FLAGS[word]
        if word in NUMBERS:
            compare, wanted = self.must("=", "!=", "<", "<=", ">", ">="), self.take(("number",), "a number")
            return lambda trace: COMPARE[compare](NUMBERS[word](trace), wanted)
        return self.fail("annotation, service, fault, error, throttle, ok, partial, duration or responsetime")

    def annotation(self):
        if self.must(".", "[") == "[":
            key = self.take(("word", "text"), "the key of an annotation")
            self.must("]")
        else:
            key = self.take(("word",), "the key of an annotation")
        compare = self.must(*COMPARE)
        wanted = self.value()

        def comparable(found):
            if isinstance(found, bool) or isinstance(wanted, bool):
                return isinstance(found, bool) and isinstance(wanted, bool) and compare in ("=", "!=")
            if isinstance(found, str) and isinstance(wanted, str):
                return True
            return isinstance(found, int | float) and isinstance(wanted, float) and not compare[0].isalpha()

        return lambda trace: any(name == key and comparable(found) and COMPARE[compare](found, wanted)
                                 for name, found, _ in documents.annotations(trace))  # fmt: skip

    def value(self):
        boolean = self.next_is("true", "false")
        if boolean:
            return boolean == "true"
        return self.take(("text", "number"), "a text in quotes, a number or a boolean")

    def service(self):
        self.must("(")
        name = self.take(("text",), "the name of a service in quotes")
        self.must(")")
        inner = None
        if self.next_is("{"):
            inner = self.either()
            self.must("}")

        def matches(trace):
            named = [node for node in documents.services(trace) if node["name"] == name]
            return any(inner([node]) for node in named) if inner else bool(named)

        return matches
