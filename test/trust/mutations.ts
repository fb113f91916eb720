/** Breaks a message in one of many ways, chosen by a seed: what comes out is another text than what went in. */

/** Choices that come again with the same seed. */
export type Random = {
  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number
  /** One of `from`; throws RangeError where there is none. */
  pick<T>(from: readonly T[]): T
}

/** mulberry32: a failure must be seen again from its seed. */
export function random(seed: number): Random {
  let state = seed
  const below = (end: number) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * end)
  }
  return {
    below,
    pick(from) {
      const [chosen] = from.slice(below(from.length))
      if (chosen === undefined) throw new RangeError('nothing to choose from')
      return chosen
    },
  }
}

/** One way to break a text. `others` are texts to take pieces from, among them whole messages that hold. */
type Mutation = readonly [name: string, change: (text: string, r: Random, others: readonly string[]) => string]

const cut = (text: string, at: number, length: number, put: string) => text.slice(0, at) + put + text.slice(at + length)
const place = (text: string, r: Random) => r.below(text.length + 1)

/** What devices, editors and other people's encoders leave in a text. */
const strays = [
  ...[' ', '\n', '\r\n', '\t', '\0', '=', '==', '.', '..', '+', '/', '%2E', '%3D', '~', '"', '{', '\u00a0', '\u2028'],
  ...['\ufeff', '\u200b', 'ａ', '．', 'é', 'е', '\ud800', '💥', '\x7f', '\u0100', 'A', '_', '-'],
]

/** The text as a whole, whatever it is. */
const textual: readonly Mutation[] = [
  ['a character changed', (t, r) => cut(t, r.below(t.length), 1, String.fromCharCode(33 + r.below(94)))],
  [
    'a bit changed',
    (t, r) => {
      const at = r.below(t.length)
      return cut(t, at, 1, String.fromCharCode(t.charCodeAt(at) ^ (1 << r.below(8))))
    },
  ],
  ['a character taken out', (t, r) => cut(t, r.below(t.length), 1, '')],
  ['something put in', (t, r) => cut(t, place(t, r), 0, r.pick(strays))],
  ['something put before', (t, r) => r.pick([...strays, 'Bearer ', 'jwt:']) + t],
  ['something put behind', (t, r) => t + r.pick(strays)],
  ['cut off', (t, r) => t.slice(0, r.below(t.length))],
  ['its beginning cut off', (t, r) => t.slice(1 + r.below(t.length))],
  ['a piece taken out', (t, r) => cut(t, place(t, r), 1 + r.below(40), '')],
  ['a piece said twice', (t, r) => cut(t, place(t, r), 0, t.slice(r.below(t.length)).slice(0, 1 + r.below(80)))],
  ['two neighbours exchanged', (t, r) => swapped(t, r.below(t.length))],
  ['followed by another', (t, r, others) => t + r.pick(['', '.', '\n', ',', '~']) + r.pick(others)],
  ['crossed with another', (t, r, others) => t.slice(0, place(t, r)) + r.pick(others).slice(place(t, r))],
  ['in other letters', (t, r) => r.pick([t.toLowerCase(), t.toUpperCase()])],
  [
    'encoded once more',
    (t, r) => r.pick([Buffer.from(t).toString('base64url'), encodeURIComponent(t.toWellFormed()), `"${t}"`]),
  ],
  ['as JSON serialization', (t, r) => jsonSerialization(t, r)],
  ['stretched', (t, r) => cut(t, place(t, r), 0, r.pick(['A', '.', 'e30.', '====', 'eyJ']).repeat(1 << r.below(14)))],
  ['nothing at all', (_, r) => r.pick(['', '.', '..', '...', 'a.b.c', '{}', 'null', 'e30.e30.', '\0\0\0'])],
]

function swapped(text: string, at: number): string {
  return cut(text, at, 2, [...text.slice(at, at + 2)].reverse().join(''))
}

function jsonSerialization(text: string, r: Random): string {
  const [header = '', payload = '', signature = ''] = text.split('.')
  return r.pick([
    JSON.stringify({ protected: header, payload, signature }),
    JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
    JSON.stringify({ payload, signatures: [{ header: { alg: 'none' }, signature }] }),
  ])
}

const decoded = (part: string) => Buffer.from(part, 'base64url')
const encoded = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64url')

/** The text with one of its parts changed; as it was, where it has no such part. */
function withPart(text: string, at: number, change: (part: string) => string): string {
  const parts = text.split('.')
  const part = parts[at]
  return part === undefined ? text : parts.with(at, change(part)).join('.')
}

const anyPart = (text: string, r: Random) => r.below(text.split('.').length)

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The parts between the dots, and their base64url. */
const structural: readonly Mutation[] = [
  [
    'its parts in another order',
    (t, r) => {
      const parts = t.split('.')
      const [from, to] = [r.below(parts.length), r.below(parts.length)]
      return parts
        .with(from, parts[to] ?? '')
        .with(to, parts[from] ?? '')
        .join('.')
    },
  ],
  ['a part dropped', (t, r) => t.split('.').toSpliced(anyPart(t, r), 1).join('.')],
  [
    'a part twice',
    (t, r) =>
      t
        .split('.')
        .toSpliced(r.below(4), 0, r.pick(t.split('.')))
        .join('.'),
  ],
  ['a part empty', (t, r) => withPart(t, anyPart(t, r), () => '')],
  ['five parts', (t, r) => `${t}.${r.pick(['', 'AAAA', 'e30'])}.${r.pick(['', 'AAAA'])}`],
  [
    'a part of another',
    (t, r, others) => {
      const at = anyPart(t, r)
      return withPart(t, at, () => r.pick(others).split('.')[at] ?? '')
    },
  ],
  ['unused bits set', (t, r) => withPart(t, anyPart(t, r), part => part.slice(0, -1) + r.pick([...BASE64URL]))],
  ['padded', (t, r) => withPart(t, anyPart(t, r), part => part.padEnd(Math.ceil((part.length + 1) / 4) * 4, '='))],
  [
    'in the other base64',
    (t, r) =>
      withPart(t, r.below(3), part =>
        part
          .replaceAll('-', '+')
          .replaceAll('_', '/')
          .replace(/[+/]?$/, '+'),
      ),
  ],
  [
    'a bit of what it encodes changed',
    (t, r) =>
      withPart(t, anyPart(t, r), part => {
        const bytes = decoded(part)
        if (bytes.length === 0) return part
        const at = r.below(bytes.length)
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << r.below(8)), at)
        return encoded(bytes)
      }),
  ],
  [
    'bytes that are no UTF-8',
    (t, r) =>
      withPart(t, r.below(2), part => {
        const bytes = decoded(part)
        const bad = r.pick(['ff', 'c080', 'eda080', 'f4908080', 'e282', 'efbbbf'])
        const at = r.below(bytes.length + 1)
        return encoded(Buffer.concat([bytes.subarray(0, at), Buffer.from(bad, 'hex'), bytes.subarray(at)]))
      }),
  ],
]

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth)
const uuid = '01a2008d-7400-7a3b-8c4d-5e6f70819203'

const words = (text: string) => text.trim().split(/\s+/)

/** JSON texts that stand where others are expected: of another type, too large, too deep, or looking like what they are not. */
const values = [
  ...words(`
    null true false 0 -0 -1 1.5 1e999 -1e999 1e-400 9007199254740993 1795305600.0 17953056e2 01 +1 .5 0x10 NaN Infinity
    123456789012345678901234567890 undefined [] {} [null] [[]] {"":""} {"__proto__":{"admin":true}} {"toString":1}
    {"constructor":{"prototype":{"iss":"huizhou"}}} {"then":1} {"toJSON":1} {"length":1e9}
    "" "huizhou" "jiangyin" "Jiangyin" "jiangyin." "atlantis" "*" ["jiangyin"] ["jiangyin","huizhou"] "none"
    "ｊｉａｎｇｙｉｎ" "жiangyin" "${uuid}" "${uuid.toUpperCase()}" "${'A'.repeat(43)}" "11010519491231002X"
    "2026-02-30" "2026-11-22T00:00:00+08:00" "indefinite" "../../etc/passwd" "https://evil.example/" "';drop/**/table"
  `),
  ...['"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\x41"', '"\\u00"', '"\n"', '" "'],
  ...['"\\u0061\\u030a"', '"jiangyin\\u200b"', '{"\\u005f_proto__":{}}', '"['.repeat(20), '['.repeat(5000)],
  ...[nested(9, '[', ']'), nested(12, '[', ']'), nested(13, '[', ']'), nested(2000, '[', ']'), '{"a":'.repeat(3000)],
  ...[`${'{"a":'.repeat(11)}1${'}'.repeat(11)}`, `"${'['.repeat(40)}"`, `[${'0,'.repeat(5000)}0]`, '1'.repeat(400)],
  ...[`"${'汉'.repeat(3000)}"`, `"${'a'.repeat(20_000)}"`, `"${'\\u0041'.repeat(2000)}"`],
]

const names = [
  ...words(`
    alg kid typ x5t#S256 jku x5u jwk x5c x5t crit zip b64 cty enc epk apu iss sub aud exp nbf iat jti agreement purpose
    matter subjects want admin req_jti req_hash answer refusal receipt fields family nonce cnf act ISS ｉｓｓ a:b 日
    __proto__ constructor prototype toString hasOwnProperty valueOf then toJSON
  `),
  ...['', 'iss ', 'is\\u0073', '\\ud800', '\\u0000', 'a\\"b'],
]

/** What a header member might be made to say. */
const headers = [
  ...words(`
    "alg":"none" "alg":"None" "alg":"HS256" "alg":"ES384" "alg":"RS256" "alg":"PS256" "alg":"EdDSA" "alg":"Ed25519"
    "alg":"ES256" "alg":"es256" "alg":"ES256K" "alg":"ML-DSA-65" "alg":"SM2" "alg":"toString" "alg":"__proto__"
    "alg":"constructor" "alg":["ES256"] "alg":null "alg":"dir" "typ":"JWT" "typ":null "typ":"CREDIT-QUERY+JWT"
    "typ":"credit-query+jwt" "typ":"credit-answer+jwt" "typ":"credit-refusal+jwt" "typ":"credit-agreement+jwt"
    "typ":"application/credit-query+jwt" "typ":"entity-statement+jwt" "typ":"credit-sealed+jwt" "kid":"" "kid":null
    "kid":"../../dev/null" "kid":"__proto__" "kid":"${'A'.repeat(43)}" "kid":"${'A'.repeat(44)}" "kid":{"toString":1}
    "x5t#S256":"${'A'.repeat(43)}" "x5t#S256":"" "x5t#S256":null "x5t":"AAAA" "x5u":"https://evil.example/c"
    "jku":"https://evil.example/jwks" "jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"} "x5c":["MIIB"]
    "crit":["b64"],"b64":false "crit":[] "b64":true "zip":"DEF" "cty":"JWT" "enc":"A256GCM"
  `),
  '"alg":"ES256 "',
]

/** Members, values and signs of a JSON text; all else is left out. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[{}[\],:]/g

/** A JSON text with one of its tokens that `is` accepts replaced; as it was, where there is none. */
function withToken(text: string, r: Random, is: (token: string, follower: string) => boolean, put: string): string {
  const found = [...text.matchAll(TOKENS)].filter(({ 0: token, index }) => is(token, text.charAt(index + token.length)))
  if (found.length === 0) return text
  const { 0: token, index } = r.pick(found)
  return cut(text, index, token.length, put)
}

const isName = (token: string, follower: string) => token.startsWith('"') && follower === ':'
const isValue = (token: string, follower: string) => !/^[{}[\],:]$/.test(token) && follower !== ':'

const MEMBER_TWICE = 'a member twice'

/** A JSON text, as text: grammar and meaning alike. */
const grammatical: readonly Mutation[] = [
  ['a value of another kind', (t, r) => withToken(t, r, isValue, r.pick(values))],
  [
    'a number moved',
    (t, r) =>
      t.replace(/(?<=:)[0-9]+(?=[,}])/g, digits =>
        r.below(2) === 0
          ? digits
          : String(Number(digits) + r.pick([-1, 1]) * r.pick([1, 9, 11, 61, 299, 301, 3600, 1e9])),
      ),
  ],
  ['a member renamed', (t, r) => withToken(t, r, isName, `"${r.pick(names)}"`)],
  ['a member added', (t, r) => t.replace('{', () => `{"${r.pick(names)}":${r.pick(values)},`)],
  ['a member added at its end', (t, r) => t.replace(/\}$/, () => `,"${r.pick(names)}":${r.pick(values)}}`)],
  [
    'a member taken out',
    (t, r) => {
      const found = [...t.matchAll(/"[a-zA-Z0-9_#]+":(?:"[^"]*"|[0-9]+),/g)]
      return found.length === 0 ? t : t.replace(r.pick(found)[0], '')
    },
  ],
  [
    MEMBER_TWICE,
    (t, r) => {
      const [top] = /^\{"([a-zA-Z0-9_#]+)":/.exec(t)?.slice(1) ?? []
      if (top === undefined) return t
      const name = r.pick([top, `\\u00${top.charCodeAt(0).toString(16)}${top.slice(1)}`])
      return t.replace(/\}$/, () => `,"${name}":${r.pick(['null', '"x"', '1', '{}'])}}`)
    },
  ],
  ['a sign exchanged', (t, r) => withToken(t, r, token => /^[{}[\],:]$/.test(token), r.pick([...'{}[],:', '']))],
  ['white space in it', (t, r) => cut(t, place(t, r), 0, r.pick([' ', '\n', '\t', '\f', '\u00a0', '/**/', '//\n']))],
  [
    'a letter as its escape',
    (t, r) => {
      const at = r.below(t.length)
      return cut(t, at, 1, `\\u${t.charCodeAt(at).toString(16).padStart(4, '0')}`)
    },
  ],
  ['a letter changed', (t, r) => cut(t, r.below(t.length), 1, r.pick([...'aZ09"\\{}:,é汉']))],
  ['two texts', (t, r) => t + r.pick([t, '{}', 'null', ',', ' ', '\0'])],
  ['no object', (t, r) => r.pick([`[${t}]`, JSON.stringify(t), 'null', '0', '', '[]', 'true', t.slice(1, -1)])],
]

/** A header says one thing otherwise, more, less or twice. */
const headed: readonly Mutation[] = [
  [
    'a header member that says something else',
    (t, r) => {
      const put = r.pick(headers)
      const name = put.slice(0, put.indexOf(':'))
      const old = new RegExp(`${name.replace('#', '\\#')}:"[^"]*"`)
      return old.test(t) ? t.replace(old, () => put) : t.replace('{', () => `{${put},`)
    },
  ],
  ['a header member more', (t, r) => t.replace('{', () => `{${r.pick(headers)},`)],
  ['a header member more at its end', (t, r) => t.replace(/\}$/, () => `,${r.pick(headers)}}`)],
]

/** The orders of P-256 (FIPS 186) and of Ed25519 (RFC 8032), and the prime of P-256. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const L = 0x1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3edn

const big = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)
const fixed = (value: bigint, bytes = 32) =>
  Buffer.from((value & ((1n << 256n) - 1n)).toString(16).padStart(bytes * 2, '0'), 'hex')
const join = (r: bigint, s: bigint) => Buffer.concat([fixed(r), fixed(s)])

/** The other ES256 signature that holds for the same text: (r, n - s). */
export function twin(signature: string): string {
  const bytes = decoded(signature)
  return encoded(join(big(bytes.subarray(0, 32)), N - (big(bytes.subarray(32)) % N)))
}

function der(r: bigint, s: bigint): Buffer {
  const integers = [r, s].map(each => {
    const hex = each.toString(16)
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
    const signed = bytes.readUInt8(0) > 127 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
    return Buffer.concat([Buffer.of(2, signed.length), signed])
  })
  const content = Buffer.concat(integers)
  return Buffer.concat([Buffer.of(0x30, content.length), content])
}

/** Numbers that a careless check of a signature takes: nothing, the order and the prime, and what is one beside them. */
const extremes = [0n, 1n, N - 1n, N, N + 1n, P - 1n, P, P + 1n, L, L - 1n, (1n << 256n) - 1n, (N - 1n) / 2n]

/** The signature alone, so that everything before it is as it was signed. */
const signatures: readonly Mutation[] = (
  [
    ['r or s a number at the edge', (r, s, c) => c.pick([join(c.pick(extremes), s), join(r, c.pick(extremes))])],
    ['r and s numbers at the edge', (_r, _s, c) => join(c.pick(extremes), c.pick(extremes))],
    ['r and s exchanged', (r, s) => join(s, r)],
    ['the twin signature', (r, s) => join(r, N - (s % N))],
    ['r the negative', (r, s) => join(N - (r % N), s)],
    ['s beyond the order', (r, s) => join(r, s + N)],
    ['DER', (r, s) => der(r, s)],
    ['DER of the edge', (_r, _s, c) => der(c.pick(extremes), c.pick(extremes))],
    ['half of it', (r, s, c) => c.pick([fixed(r), fixed(s)])],
    ['longer', (r, s, c) => Buffer.concat([join(r, s), Buffer.alloc(1 + c.below(64))])],
    ['zeros before it', (r, s) => Buffer.concat([fixed(0n, 16), join(r, s)])],
    ['S of Ed25519 beyond its order', (r, s) => join(r, big(fixed(big(fixed(s).reverse()) + L).reverse()))],
    ['the sign of R', (r, s, c) => join(r ^ (1n << BigInt(c.pick([7, 255]))), s)],
    ['a point of small order', (_r, s, c) => join(1n << 248n, c.pick([0n, s]))],
    ['nothing but zeros', () => Buffer.alloc(64)],
    ['chance', (_r, _s, c) => Buffer.from(Array.from({ length: 64 }, () => c.below(256)))],
  ] satisfies readonly (readonly [string, (r: bigint, s: bigint, c: Random) => Buffer])[]
).map(([name, change]) => [
  `signature: ${name}`,
  (t, r) =>
    withPart(t, 2, part => {
      const bytes = decoded(part)
      return encoded(change(big(bytes.subarray(0, 32)), big(bytes.subarray(32, 64)), r))
    }),
])

/** A mutation of a JSON text, done to what a part encodes. */
function within(at: number, mutations: readonly Mutation[]): Mutation[] {
  return mutations.map(([name, change]) => [
    `${at === 0 ? 'header' : 'claims'}: ${name}`,
    (t, r, others) =>
      withPart(t, at, part => {
        const text = decoded(part).toString()
        return text === '' ? part : encoded(change(text, r, others))
      }),
  ])
}

const groups: readonly (readonly Mutation[])[] = [
  textual,
  structural,
  signatures,
  within(0, [...grammatical, ...headed]),
  within(1, grammatical),
]

export type Mutated = { readonly text: string; readonly how: readonly string[] }

/** Breaks a token in one to three ways. The result is never the text it was given. */
export function forge(token: string, r: Random, others: readonly string[]): Mutated {
  return apply(token, 1 + Math.max(0, r.below(6) - 3), r, () => r.pick(r.pick(groups)), others)
}

/** Breaks a JSON text, as a signer of bad will would before signing it. The result is never the text it was given. */
export function bend(json: string, part: 'header' | 'claims', r: Random): Mutated & { readonly lawless: boolean } {
  const from = part === 'header' ? [...grammatical, ...headed] : grammatical
  const { text, how } = apply(json, 1 + Math.max(0, r.below(5) - 2), r, () => r.pick(from), [])
  return { text, how, lawless: how.at(-1) === MEMBER_TWICE }
}

function apply(from: string, times: number, r: Random, choose: () => Mutation, others: readonly string[]): Mutated {
  const how: string[] = []
  let text = from
  for (let tries = 0; how.length < times && tries < 20; tries += 1) {
    const [name, change] = choose()
    const changed = change(text, r, others)
    if (changed === text || changed.length > MOST) continue
    text = changed
    how.push(name)
  }
  return text === from ? { text: `${from}A`, how: ['A put behind'] } : { text, how }
}

/** Characters of a message; the surfaces take no more of a question (docs/protocol.md, Limits). */
const MOST = 65_536
