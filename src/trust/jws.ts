/** A token is either in the one strict form, byte for byte, or it is refused before anything in it is believed. */
import { isUtf8 } from 'node:buffer'
import { type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import { digest } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { refuse } from '#protocol/refusal.ts'
import { signSm2, sm2Point, verifySm2 } from './sm2.ts'

/** What every header holds, and all it may hold. */
export type Header = {
  readonly alg: Algorithm
  readonly kid: string
  readonly typ: string
  readonly 'x5t#S256': string
}

/** A token taken apart; nothing in it is proved. */
export type Unproved<H = Header> = {
  readonly header: H
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
 * Every algorithm there is, by its name in `alg`: RFC 7518 section 3.4, RFC 9864, RFC 9964, and for SM2 with SM3 the name of
 * GM/T 0125.1-2022, which takes it from GM/T 0006. No name of one is the name of another in other letters.
 */
export const algorithms = ['ES256', 'Ed25519', 'ML-DSA-65', 'SGD_SM3_SM2'] as const
export type Algorithm = (typeof algorithms)[number]

/** What members may sign with where the federation's rules name nothing else. */
export const defaultAlgorithms: ReadonlySet<Algorithm> = new Set(['ES256', 'Ed25519'])

/**
 * node:crypto and not jose on this path: jose's WebCrypto round trip costs more processor time for the same check
 * (docs/performance.md).
 */
const suites: Readonly<Record<Algorithm, Suite>> = {
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
  'ML-DSA-65': {
    // FIPS 204 table 2. RFC 9964 has no context, and node:crypto makes an empty one of none.
    bytes: 3309,
    fits: key => key.asymmetricKeyType === 'ml-dsa-65',
    sign: (input, key) => signBytes(null, input, key),
    verify: (input, key, signature) => verifyBytes(null, input, key, signature),
  },
  SGD_SM3_SM2: {
    bytes: 64,
    fits: key => sm2Point(key) !== undefined,
    sign: signSm2,
    verify: verifySm2,
  },
}

/** The one algorithm a key is used with: one key, one algorithm. Undefined where the key fits none. */
export function algorithmOf(key: KeyObject): Algorithm | undefined {
  return algorithms.find(alg => suites[alg].fits(key))
}

/**
 * The members of a JSON Web Key that are the public key itself, of a public or a private key: no `kid`, `use` or `alg`. RFC 7518
 * section 6, RFC 8037, RFC 9964; for SM2, which Node cannot export, `{"crv":"SM2","kty":"EC","x","y"}`
 * (draft-dang-webauthn-sm2-00 section 2). Throws what node:crypto throws for a kind of key that has no such form.
 */
export function publicJwk(key: KeyObject): Readonly<Record<string, string>> {
  const point = sm2Point(key)
  if (point !== undefined) {
    const [x, y] = [point.subarray(0, 32).toString('base64url'), point.subarray(32).toString('base64url')]
    return { crv: 'SM2', kty: 'EC', x, y }
  }
  const jwk: Readonly<Record<string, unknown>> = { ...key.export({ format: 'jwk' }) }
  const members: Record<string, string> = {}
  for (const name of PUBLIC) if (typeof jwk[name] === 'string') members[name] = jwk[name]
  return members
}

const PUBLIC = ['crv', 'e', 'kty', 'n', 'pub', 'x', 'y']

/** The `kid` of a key, public or private: its RFC 7638 thumbprint with SHA-256. Throws as `publicJwk` does. */
export function keyId(key: KeyObject): string {
  const jwk = publicJwk(key)
  // RFC 9964: for this kind of key the algorithm is a part of it.
  return digest(jwk['kty'] === 'AKP' ? { ...jwk, alg: key.export({ format: 'jwk' }).alg } : jwk)
}

const THREE_PARTS = /^[^.]+\.[^.]*\.[^.]+$/
const ALPHABET = /^[A-Za-z0-9_.-]+$/
const MEMBERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ', 'x5t#S256'])
const KID = /^[A-Za-z0-9_-]{43}$/

/**
 * Takes a compact JWS (RFC 7515 section 7.1) of the given `typ` apart. Throws `form.*` and `token.header`, `token.type`,
 * `token.algorithm`, `token.signature`. The payload stays text until `readJson`, so that a forged message costs no parse.
 */
export function readJws(token: string, typ: string): Unproved {
  const { header, ...rest } = readCompact(token)
  const { alg, kid, typ: given, 'x5t#S256': thumbprint } = header
  if (given !== typ) throw refuse('token.type')
  if (typeof kid !== 'string' || !KID.test(kid)) throw refuse('token.header', 'kid')
  if (typeof thumbprint !== 'string' || !KID.test(thumbprint)) throw refuse('token.header', 'x5t#S256')
  return { header: { alg, kid, typ, 'x5t#S256': thumbprint }, ...rest }
}

/**
 * The part of `readJws` that holds for every JWS, of this federation or not: the one form of a text, an algorithm of the
 * registry, its length of signature, no header member but those known here, whichever of them there are. Throws `form.*`,
 * `token.algorithm`, `token.header` and `token.signature`.
 */
export function readCompact(token: string): Unproved<{ readonly alg: Algorithm; readonly [member: string]: unknown }> {
  if (!THREE_PARTS.test(token)) throw refuse('form.compact')
  if (!ALPHABET.test(token)) throw refuse('form.base64')
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  const parts = [token.slice(0, first), token.slice(first + 1, second), token.slice(second + 1)] as const
  if (!parts.every(isCanonical)) throw refuse('form.base64')
  const header = readJson(decode(parts[0]))
  const { alg } = header
  if (typeof alg !== 'string' || !isAlgorithm(alg)) throw refuse('token.algorithm', 'not in the registry')
  for (const member of Object.keys(header)) if (!MEMBERS.has(member)) throw refuse('token.header', 'member not allowed')
  const signature = Buffer.from(parts[2], 'base64url')
  if (signature.length !== suites[alg].bytes) throw refuse('token.signature', 'length')
  return { header: { ...header, alg }, payload: parts[1], signingInput: token.slice(0, second), signature }
}

/** Whether the last character leaves its unused bits zero: otherwise several texts decode to the same bytes (RFC 4648 section 3.5). */
function isCanonical(part: string): boolean {
  const last = part.charAt(part.length - 1)
  if (part.length % 4 === 2) return 'AQgw'.includes(last)
  return part.length % 4 === 3 ? 'AEIMQUYcgkosw048'.includes(last) : part.length % 4 === 0
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

/** Whether the signature is the key's, in the one algorithm of the key: a header that says another proves nothing. */
export function proves(
  { header, signingInput, signature }: Unproved<{ readonly alg: Algorithm }>,
  key: KeyObject,
): boolean {
  const suite = suites[header.alg]
  return suite.fits(key) && suite.verify(Buffer.from(signingInput, 'latin1'), key, signature)
}

/** Signs a payload text in compact form. Throws TypeError where the key is not one of the header's algorithm. */
export function compact(header: Header, payload: string, key: KeyObject): { token: string; signingInput: string } {
  const suite = suites[header.alg]
  if (!suite.fits(key)) throw new TypeError(`not a key for ${header.alg}`)
  const signingInput = `${encode(JSON.stringify(header))}.${encode(payload)}`
  const signature = suite.sign(Buffer.from(signingInput, 'latin1'), key)
  return { token: `${signingInput}.${signature.toString('base64url')}`, signingInput }
}

export function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url')
}
