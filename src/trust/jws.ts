/** A token is either in the one strict form, byte for byte, or it is refused before anything in it is believed. */
import { isUtf8 } from 'node:buffer'
import { type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import { readJson } from '#protocol/json.ts'
import { refuse } from '#protocol/refusal.ts'

/** What every header holds, and all it may hold. */
export type Header = {
  readonly alg: Algorithm
  readonly kid: string
  readonly typ: string
  readonly 'x5t#S256': string
}

/** A token taken apart; nothing in it is proved. */
export type Unproved = {
  readonly header: Header
  readonly payload: string
  readonly signingInput: string
  readonly signature: Buffer
}

type Suite = {
  /** Length of a signature in bytes; a signature of another length is refused unread. */
  readonly bytes: number
  readonly fits: (key: KeyObject) => boolean
  readonly sign: (input: Buffer, key: KeyObject) => Buffer
  readonly verify: (input: Buffer, key: KeyObject, signature: Buffer) => boolean
}

/**
 * The algorithms (RFC 7518 section 3.4, RFC 9864). node:crypto and not jose on this path: jose's WebCrypto round trip
 * costs more processor time for the same check (docs/performance.md).
 */
const suites = {
  ES256: {
    bytes: 64,
    fits: key => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
    sign: (input, key) => signBytes('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
    verify: (input, key, signature) => verifyBytes('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature),
  },
  Ed25519: {
    bytes: 64,
    fits: key => key.asymmetricKeyType === 'ed25519',
    sign: (input, key) => signBytes(null, input, key),
    verify: (input, key, signature) => verifyBytes(null, input, key, signature),
  },
} as const satisfies Record<string, Suite>

export type Algorithm = keyof typeof suites

/** The one algorithm a key is used with: one key, one algorithm. Undefined where the key fits none. */
export function algorithmOf(key: KeyObject): Algorithm | undefined {
  if (suites.ES256.fits(key)) return 'ES256'
  return suites.Ed25519.fits(key) ? 'Ed25519' : undefined
}

const THREE_PARTS = /^[^.]+\.[^.]*\.[^.]+$/
const ALPHABET = /^[A-Za-z0-9_.-]+$/
const MEMBERS = new Set(['alg', 'kid', 'typ', 'x5t#S256'])
const KID = /^[A-Za-z0-9_-]{43}$/

/**
 * Takes a compact JWS (RFC 7515 section 7.1) of the given `typ` apart. Throws `form.*` and `token.header`, `token.type`,
 * `token.algorithm`. The payload stays text until `readJson`, so that a forged message costs no parse.
 */
export function readJws(token: string, typ: string): Unproved {
  if (!THREE_PARTS.test(token)) throw refuse('form.compact')
  if (!ALPHABET.test(token)) throw refuse('form.base64')
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  const parts = [token.slice(0, first), token.slice(first + 1, second), token.slice(second + 1)] as const
  if (!parts.every(isCanonical)) throw refuse('form.base64')
  const header = readHeader(decode(parts[0]), typ)
  const signature = Buffer.from(parts[2], 'base64url')
  if (signature.length !== suites[header.alg].bytes) throw refuse('token.signature', 'length')
  return { header, payload: parts[1], signingInput: token.slice(0, second), signature }
}

/** Whether the last character leaves its unused bits zero: otherwise several texts decode to the same bytes (RFC 4648 section 3.5). */
function isCanonical(part: string): boolean {
  const last = part.charAt(part.length - 1)
  if (part.length % 4 === 2) return 'AQgw'.includes(last)
  return part.length % 4 === 3 ? 'AEIMQUYcgkosw048'.includes(last) : part.length % 4 === 0
}

function readHeader(text: string, typ: string): Header {
  const header = readJson(text)
  const { alg, kid, typ: given, 'x5t#S256': thumbprint } = header
  if (typeof alg !== 'string' || !isAlgorithm(alg)) throw refuse('token.algorithm', 'not in the registry')
  if (given !== typ) throw refuse('token.type')
  for (const member of Object.keys(header)) if (!MEMBERS.has(member)) throw refuse('token.header', 'member not allowed')
  if (typeof kid !== 'string' || !KID.test(kid)) throw refuse('token.header', 'kid')
  if (typeof thumbprint !== 'string' || !KID.test(thumbprint)) throw refuse('token.header', 'x5t#S256')
  return { alg, kid, typ, 'x5t#S256': thumbprint }
}

function isAlgorithm(text: string): text is Algorithm {
  return Object.hasOwn(suites, text)
}

/** The bytes of a part as text. Throws `form.json` where they are not UTF-8. */
export function decode(part: string): string {
  const bytes = Buffer.from(part, 'base64url')
  if (!isUtf8(bytes)) throw refuse('form.json', 'not UTF-8')
  return bytes.toString('utf8')
}

/** Whether the signature is the key's. The algorithm is the key's own; a header that says another was refused before. */
export function proves(token: Unproved, key: KeyObject): boolean {
  return suites[token.header.alg].verify(Buffer.from(token.signingInput, 'latin1'), key, token.signature)
}

/** Signs a payload text in compact form. */
export function compact(header: Header, payload: string, key: KeyObject): { token: string; signingInput: string } {
  const signingInput = `${encode(JSON.stringify(header))}.${encode(payload)}`
  const signature = suites[header.alg].sign(Buffer.from(signingInput, 'latin1'), key)
  return { token: `${signingInput}.${signature.toString('base64url')}`, signingInput }
}

export function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url')
}
