#!/usr/bin/env python3
"""Verifies files of evidence 证据文件 (docs/evidence.md) with the federation's root certificate and nothing else.

    python3 verify_evidence.py FILE... root.pem

Written from the description of the format, apart from the gateway. It needs Python 3.8 or later and the command `openssl`, 3.0
or later. Exit status 0: every file proves itself. 1: one does not, and every fault is printed with its entry. Certificates are judged
by `openssl verify -x509_strict`, without the federation's closed profile; signatures by ES256 and Ed25519, others are faults here.
"""
import base64, functools, hashlib, json, os, ssl, subprocess, sys, tempfile, time
from datetime import datetime

SKEW, SLACK = 10, 310  # seconds: between two clocks; between a message and its entry, 300 that a question lives and the clocks
MESSAGES, STATEMENTS = "2.25.305419355372480554288331454216116675501", "2.25.62011045556956870471791065649333587181"
STATEMENT = "entity-statement+jwt"
scratch, root = tempfile.TemporaryDirectory(), sys.argv[-1]

sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
b64u = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
unb64u = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
# RFC 8785, for what stands here: names in ASCII, numbers that are whole.
canonical = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
seconds = lambda instant: datetime.fromisoformat(instant.replace("Z", "+00:00")).timestamp()
entity = lambda city: f"xinqiao://{city}.city"


def must(holds, what):
    if not holds:
        raise ValueError(what)


def put(data):
    """A file that holds this, named after what it holds: the same question to openssl is in the same words."""
    data = data if isinstance(data, bytes) else data.encode()
    path = os.path.join(scratch.name, sha(data).hex())
    with open(path, "wb") as held:
        held.write(data)
    return path


@functools.lru_cache(None)
def openssl(*words):
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True)
    return done.stdout.decode() if done.returncode == 0 else None


def is_signed(public, alg, data, signature):
    """`public` is a key as PEM; `signature` is as in a JWS: of ES256 r and s, 32 bytes each, which OpenSSL takes as DER."""
    if alg == "Ed25519":
        words = ["-verify", "-rawin", "-pubin", "-inkey", put(public), "-sigfile", put(signature), "-in", put(data)]
        return openssl("pkeyutl", *words) is not None
    if alg != "ES256" or len(signature) != 64:
        return False
    numbers = [int.from_bytes(half, "big") for half in (signature[:32], signature[32:])]
    der = b"".join(bytes([2, n.bit_length() // 8 + 1]) + n.to_bytes(n.bit_length() // 8 + 1, "big") for n in numbers)
    sequence = put(bytes([0x30, len(der)]) + der)
    return openssl("dgst", "-sha256", "-verify", put(public), "-signature", sequence, put(data)) is not None


def fresh(der, grace):
    """Whether a revocation list is of the file's time: out by then, and not older than the federation's rules let it grow."""
    path = put(ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", "X509 CRL"))
    said = openssl("crl", "-in", path, "-noout", "-lastupdate", "-nextupdate")
    must(said, "malformed: a revocation list cannot be read")
    since, until = (ssl.cert_time_to_seconds(line.partition("=")[2]) for line in said.splitlines())
    return since <= made <= until + grace


def certified(chain, name, purpose, at):
    """The public key of a chain (DER) that led to the root at that time, bears this name and no other, and is not revoked since."""
    leaf, issuers = put(ssl.DER_cert_to_PEM_cert(chain[0])), put("".join(map(ssl.DER_cert_to_PEM_cert, chain[1:])))
    path = ["verify", "-x509_strict", "-CAfile", root, *(["-untrusted", issuers] if chain[1:] else [])]
    must(openssl(*path, "-attime", str(int(at)), leaf), "certificate: no path to the root at that time")
    must(openssl(*path, "-no_check_time", "-crl_check_all", "-CRLfile", lists, leaf), "certificate: revoked, or on no fresh list")
    said = openssl("x509", "-in", leaf, "-noout", "-ext", "subjectAltName,extendedKeyUsage").split("\n")
    must(f"URI:{name}" in map(str.strip, said) and purpose in map(str.strip, said), f"certificate: not {name}'s for this")
    return openssl("x509", "-in", leaf, "-noout", "-pubkey")


def proved(token, typ, chain_of, name, purpose, at):
    """The claims of a compact JWS that `name` signed."""
    header, payload, signature = token.split(".")
    head, claims, text = json.loads(unb64u(header)), json.loads(unb64u(payload)), f"{header}.{payload}".encode()
    must(head["typ"] == typ, f"signature: a message of another kind, {head['typ']}")
    chain = chain_of(head, claims)
    must(chain and b64u(sha(chain[0])) == head["x5t#S256"], "certificate: not in the file")
    must(is_signed(certified(chain, name, purpose, at), head["alg"], text, unb64u(signature)), "signature: not that of the key")
    return claims


def published(head, claims):
    """The chain of a key that a statement publishes itself."""
    keys = {key["kid"]: key["x5c"] for key in claims["jwks"]["keys"]}
    return [base64.b64decode(each) for each in keys.get(head["kid"], [])]


def log_key(city):
    """The Ed25519 key of a city's log, by what the city says of itself: 33 bytes, the first the type."""
    claims = proved(header["statements"][city], STATEMENT, published, entity(city), MESSAGES, made)
    must(claims["iss"] == claims["sub"] == entity(city) and entity(city) in members, f"log: {city} is no member")
    name, _, key = claims["metadata"]["xinqiao_gateway"]["log"]["key"].split("+", 2)
    must(name.startswith(f"xinqiao/{city}/"), "log: that of another city")
    return name, base64.b64decode(key)[1:]


def is_noted(name, kind, key, text_of):
    """When the note was signed by this name and key: a time for a cosigner (4), 0 for the log (1); None where it was not."""
    number = sha(name.encode(), b"\n", bytes([kind]), key)[:4]
    public = ssl.DER_cert_to_PEM_cert(bytes.fromhex("302a300506032b6570032100") + key).replace("CERTIFICATE", "PUBLIC KEY")
    for line in note_signatures:
        data = base64.b64decode(line.split(" ")[2])
        if line.split(" ")[1] == name and data[:4] == number:
            time, signature = (int.from_bytes(data[4:12], "big"), data[12:]) if kind == 4 else (0, data[4:])
            must(is_signed(public, "Ed25519", text_of(time).encode(), signature), f"cosignature: not that of {name}")
            return time
    return None


def is_included(leaf, index, size, proof, root_hash):
    """RFC 9162 section 2.1.3.2."""
    number, last, value = index, size - 1, leaf
    for each in map(base64.b64decode, proof):
        if last == 0:
            return False
        if number & 1 or number == last:
            value = sha(b"\1", each, value)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            value = sha(b"\1", value, each)
        number, last = number >> 1, last >> 1
    return last == 0 and value == root_hash


def is_masked(said, entered):
    """Whether a matter is entered as it was said, sign by sign, but for what the entry hides behind an asterisk for each sign."""
    return len(said) == len(entered) and all(b in ("*", a) for a, b in zip(said, entered))


def is_asked(claims, entry):
    """Whether a question is what its entry says beside who asked whom."""
    subjects, entered = claims["subjects"], entry["subjects"]
    return (
        all(claims[name] == entry[name] for name in ("jti", "agreement", "purpose"))
        and is_masked(claims["matter"], entry["matter"])
        and len(subjects) == len(entered)
        and all(code in (text, text.strip().upper()) for text, code in zip(subjects, entered))
        and (entry["kind"] != "asked" or claims["want"] == entry["want"])
    )


def exchange(line, entry, leaf):
    """The signed texts of one entry: whose they are, and that they say what the entry says."""
    must("questionHash" in entry, "evidence: there was no message to hold")
    ours, held, at = entry["kind"] in ("asked", "outcome"), line["evidence"], seconds(entry["at"])
    must(entry["kind"] == "outcome" or "question" in held, "missing: the question is not there")
    must(entry["kind"] not in ("answered", "outcome") or "answer" in held, "missing: the answer is not there")
    asker, asked = (entry["city"], entry["peer"]) if ours else (entry["peer"], entry["city"])
    by = lambda token, typ, city: proved(token, typ, lambda head, _: chains.get(head["x5t#S256"]), entity(city), MESSAGES, at)
    if "question" in held:
        must(b64u(sha(held["question"].rpartition(".")[0].encode())) == entry["questionHash"], "evidence: another question")
        claims = by(held["question"], "credit-query+jwt", asker)
        same = is_asked(claims, entry) and [claims["iss"], claims["aud"]] == [asker, asked]
        must(same, "binding: the question is not the entry's")
        must(abs(claims["iat"] - at) <= SLACK, "time: the question was signed at another time")
        counts["questions"] += 1
    answer = held.get("answer")
    if answer is not None and answer.startswith("{"):
        # The body of our own answer, where a crash came before the signature; what a peer says it has signed, or it is nothing.
        must(b64u(sha(answer.encode())) == entry.get("answerDigest"), "evidence: another answer")
        must(entry["kind"] == "answered", "signature: an answer that nobody signed")
        counts["unsigned"] += 1
    elif answer is not None:
        answered = entry["kind"] == "answered" or entry.get("outcome") == "answered"
        claims = by(answer, "credit-answer+jwt" if answered else "credit-refusal+jwt", asked)
        must(not answered or b64u(sha(canonical(claims["answer"]).encode())) == entry["answerDigest"], "evidence: another answer")
        bound = [claims[name] for name in ("iss", "aud", "req_jti", "req_hash")]
        must(bound == [asked, asker, entry["jti"], entry["questionHash"]], "binding: it answers another question")
        code = claims.get("refusal", {}).get("code")
        must(code == entry.get("code"), "binding: it is refused for another reason than the entry says")
        must(abs(claims["iat"] - at) <= SLACK, "time: the answer was signed at another time")
        place = entry["receipt"] if ours else {"index": line["index"], "leaf": b64u(leaf), "link": line["link"]}
        must(all(claims["receipt"][name] == place[name] for name in ("index", "leaf", "link")), "receipt: of another place")
        counts["answers"] += 1


def one(line, before):
    entry, leaf, held = json.loads(line["text"]), sha(b"\0", line["text"].encode()), line["evidence"]
    must(before is None or line["index"] > before["index"], "order: entries go up")
    must(canonical(entry) == line["text"] and entry["city"] == header["city"], "entry: not canonical, or another city's")
    must(is_included(leaf, line["index"], size, line["proof"], root_hash), "inclusion: not in the tree of the checkpoint")
    previous = line.get("previous")
    follows = line["index"] == 0 if previous is None else b64u(sha(b"\2", unb64u(previous), leaf)) == line["link"]
    must(follows, "link: not made of the one before and the entry")
    must(before is None or before["index"] + 1 < line["index"] or before["link"] == previous, "link: it follows another entry")
    earlier = before and seconds(json.loads(before["text"])["at"]) - SLACK
    must(before is None or seconds(entry["at"]) >= earlier, "time: earlier than the entry before")
    must(all(seconds(entry["at"]) <= time + SKEW for time in [made, *witnesses.values()]), "time: later than it was seen")
    due = "heldUntil" in entry and seconds(entry["heldUntil"]) > made
    if held == "none":
        must("heldUntil" not in entry, "missing: the entry came with evidence")
    elif isinstance(held, str):
        must(held == "expired" and "heldUntil" in entry and not due, "missing: it was to be held longer")
    else:
        exchange(line, entry, leaf)
    counts["entries"] += 1
    counts["expired"] += held == "expired"


def attempt(where, work):
    try:
        return work()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as fault:
        faults.append(f"{where}: {fault if isinstance(fault, ValueError) else f'malformed: {fault!r}'}")


def roll_of():
    claims = proved(header["roll"]["roll"], STATEMENT, published, entity("federation"), STATEMENTS, made)
    must(claims["iat"] - SKEW <= made < claims["exp"], "roll: it was not in force when the file was made")
    return claims


def whole(path):
    """Verifies one file; gives what is to be printed of one without a fault."""
    global header, made, lists, members, note_text, note_signatures, size, root_hash, witnesses, chains, counts
    with open(path, encoding="utf-8", newline="\n") as source:
        texts = list(source)
    must(texts[-1].endswith("\n"), "cut off: the last line does not end")
    lines = [json.loads(text) for text in texts]
    header, counts = lines[0], dict.fromkeys(("entries", "questions", "answers", "unsigned", "expired"), 0)
    made = seconds(header["made"])
    if made > time.time() + SKEW:
        faults.append("future: the file is of the future")
    # The rules by which the roll is judged are its own, as they are by its members.
    rules = json.loads(unb64u(header["roll"]["roll"].split(".")[1]))["metadata"]["xinqiao_federation"]["rules"]
    ders = [base64.b64decode(each) for each in header["lists"]]
    new = [der for der in ders if attempt("lists", lambda: fresh(der, rules["crlGraceSeconds"]))]
    lists = put("".join(ssl.DER_cert_to_PEM_cert(der) for der in new).replace("CERTIFICATE", "X509 CRL"))
    roll = attempt("roll", roll_of)
    members = [each["sub"] for each in roll["metadata"]["xinqiao_federation"]["members"]] if roll else []
    note_text, _, signature_lines = header["checkpoint"].rpartition("\n\n")
    note_text, note_signatures = note_text + "\n", signature_lines.splitlines()
    origin, size, root_hash = note_text.split("\n")[0], int(note_text.split("\n")[1]), base64.b64decode(note_text.split("\n")[2])
    log = attempt("log", lambda: log_key(header["city"])) or (None, bytes(32))
    is_ours = log[0] == origin == f"xinqiao/{header['city']}/{header['ledger']}"
    if not is_ours or attempt("checkpoint", lambda: is_noted(origin, 1, log[1], lambda _: note_text)) is None:
        faults.append("checkpoint: not signed by the log of this city")
    witnesses = {}
    for city in header["statements"]:
        try:
            key = log_key(city)[1]
        except Exception:
            continue  # a city that cannot show whose key it is has cosigned nothing
        text_of = lambda time: f"cosignature/v1\ntime {time}\n{note_text}"
        seen = attempt(city, lambda: is_noted(f"xinqiao/{city}/witness", 4, key, text_of))
        witnesses.update({city: seen} if seen and city != header["city"] else {})
    chains, before = {}, None
    for line in lines[1:-1]:
        if line["line"] == "certificate":
            chain = [base64.b64decode(each) for each in line["chain"]]
            chains[b64u(sha(chain[0]))] = chain
        else:
            attempt(f"#{line['index']}", lambda: one(line, before))
            before = line
    if lines[-1] != {"line": "end", "entries": sum(line["line"] == "entry" for line in lines)}:
        faults.append("truncated: the end is not that of these entries")
    return [
        f"{counts['entries']} entries of {origin} stand in its first {size}; cosigned by {', '.join(witnesses) or 'nobody'}",
        f"{counts['questions']} questions and {counts['answers']} answers or refusals are signed by the cities that the entries name",
        *(["each answer is to its question"] if counts["answers"] else []),
        f"{counts['unsigned']} answers were never signed: of those there is only the city's own body",
        f"{counts['expired']} entries have texts that have expired",
    ]


if len(sys.argv) < 3:
    sys.exit(__doc__)
are_good = True
for path in sys.argv[1:-1]:
    faults = []
    proves = attempt("malformed", lambda: whole(path))
    print(f"{path}: {f'NOT verified, {len(faults)} faults' if faults else 'verified'}", *(faults or proves), sep="\n  ")
    are_good = are_good and not faults
sys.exit(0 if are_good else 1)
