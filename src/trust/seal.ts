/** What is sealed can be read by one city alone, and what was opened is a signed message, or it is refused. */
import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { z } from 'zod'
import { readJson } from '#protocol/json.ts'
import { limits, types } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { decode, keyId, publicJwk } from './jws.ts'

/** The `typ` of the encrypted layer around a signed message. */
export const SEALED = 'credit-sealed+jwt'

/** The kinds of message that travel sealed, by the `typ` of the signature inside. */
export type Kind = (typeof types)[keyof typeof types]

/** 32 bytes in canonical base64url: a coordinate, or a SHA-256. */
const Bytes32 = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/)
const p256 = { kty: z.literal('EC'), crv: z.literal('P-256'), x: Bytes32, y: Bytes32 }
const x25519 = { kty: z.literal('OKP'), crv: z.literal('X25519'), x: Bytes32 }
const use = { kid: Bytes32, use: z.literal('enc'), alg: z.literal('ECDH-ES') }

/** A point of one of the two curves and nothing besides (RFC 7518 section 6.2.1, RFC 8037 section 2). */
const Point = z.discriminatedUnion('crv', [z.strictObject(p256), z.strictObject(x25519)])
type Point = z.infer<typeof Point>
type Curve = Point['crv']

/** The form in which a city publishes an encryption key: public members alone, made for this use and no other. */
const EncryptionJwk = z.discriminatedUnion('crv', [
  z.strictObject({ ...p256, ...use }),
  z.strictObject({ ...x25519, ...use }),
])
type EncryptionJwk = z.infer<typeof EncryptionJwk>

/** A city's public key, to seal for that city. `kid` is its RFC 7638 thumbprint. */
export type EncryptionKey = { readonly kid: string; readonly curve: Curve; readonly key: KeyObject }

/** Our own private key, to open what was sealed for us. `kid` is the thumbprint of its public half. */
export type Opener = { readonly kid: string; readonly curve: Curve; readonly key: KeyObject }

/** All that a header holds. No `zip`: what is compressed tells by its length what it says. */
const Header = z.strictObject({
  alg: z.literal('ECDH-ES'),
  enc: z.literal('A256GCM'),
  kid: Bytes32,
  cty: z.enum(types),
  typ: z.literal(SEALED),
  epk: Point,
})

/** Characters of the longest header of the profile, with room for spaces: nothing longer is decoded. */
const HEADER = 600
const IV = 12
const TAG = 16

/** Most characters of a sealed text around a message of so many characters (RFC 7516 section 7.1, base64url). */
export function sealedLength(characters: number): number {
  return HEADER + '....'.length + encodedLength(IV) + encodedLength(characters) + encodedLength(TAG)
}

function encodedLength(bytes: number): number {
  return Math.ceil((bytes * 4) / 3)
}

/**
 * Encrypts a signed message for one city: a nested JWT (RFC 7519 section 5.2) in JWE compact form (RFC 7516 section 7.1),
 * `ECDH-ES` direct (RFC 7518 section 4.6, RFC 8037 section 3.2) with `A256GCM`. `token` is the compact JWS, `typ` its own.
 */
export function seal(token: string, typ: Kind, to: EncryptionKey): Promise<string> {
  return new CompactEncrypt(Buffer.from(token, 'latin1'))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: to.kid, cty: typ, typ: SEALED })
    .encrypt(to.key)
}

/**
 * Opens what was sealed for us and gives the compact JWS inside, of which nothing is proved yet. `inner` is the `typ` of the
 * message expected; `ours` our keys by `kid`, the next and the last one among them. Throws `form.*`; `token.type` where
 * another kind of message is announced; `token.sealed` for all else, and tells the difference to our log alone.
 */
export async function unseal(sealed: string, inner: Kind, ours: ReadonlyMap<string, Opener>): Promise<string> {
  const { kid, epk } = readHeader(sealed, inner)
  const opener = ours.get(kid)
  if (opener === undefined) throw refuse('token.sealed', 'no such key of ours')
  if (epk.crv !== opener.curve) throw refuse('token.sealed', 'epk of another curve than the key')
  if (keyOf(epk) === undefined) throw refuse('token.sealed', 'epk is no point of its curve')
  const token = (await decrypt(sealed, opener.key)).toString('latin1')
  if (token.length > most(inner)) throw refuse('form.size', 'what is inside')
  // Encryption proves nothing of who wrote: anybody can encrypt for us. Only a signature inside does.
  if (!SIGNED.test(token)) throw refuse('token.sealed', 'what is inside is not a signed message')
  return token
}

const FIVE_PARTS = /^[^.]+\.\.[^.]+\.[^.]+\.[^.]+$/
const SIGNED = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Holds a sealed text to its strict form before anything in it is parsed; the part of an encrypted key is empty (RFC 7518 section 4.6). */
function readHeader(sealed: string, inner: Kind): z.infer<typeof Header> {
  if (sealed.length > sealedLength(most(inner))) throw refuse('form.size', 'sealed')
  if (!FIVE_PARTS.test(sealed)) throw refuse('form.compact', 'not four parts and an empty one')
  const [header = '', , iv = '', ciphertext = '', tag = ''] = sealed.split('.')
  if (header.length > HEADER) throw refuse('form.size', 'header')
  if (![header, iv, ciphertext, tag].every(isCanonical)) throw refuse('form.base64')
  if (iv.length !== encodedLength(IV)) throw refuse('token.sealed', 'initialisation vector')
  if (tag.length !== encodedLength(TAG)) throw refuse('token.sealed', 'authentication tag')
  const form = Header.safeParse(readJson(decode(header)))
  if (!form.success) throw refuse('token.sealed', `header: ${faultsOf(form.error)}`)
  if (form.data.cty !== inner) throw refuse('token.type', `sealed as ${form.data.cty}`)
  return form.data
}

/** Most characters of a signed message of this kind. */
function most(kind: Kind): number {
  return kind === types.query ? limits.queryBytes : limits.answerBytes
}

/** Whether the text is the one encoding of its bytes (RFC 4648 section 3.5), and so of no character but those of base64url. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

/**
 * Opens the encrypted layer alone: `ECDH-ES` with `A256GCM`, nothing decompressed; the rest of the header is not judged here.
 * Throws `token.sealed`.
 */
export async function decrypt(sealed: string, key: KeyObject): Promise<Buffer> {
  try {
    const { plaintext } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
      maxDecompressedLength: 0,
    })
    return Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength)
  } catch (error) {
    throw refuse('token.sealed', 'does not open', error)
  }
}

/** The key of a point; undefined where it does not lie on its curve, which the platform judges (SP 800-56A section 5.6.2.3). */
function keyOf(point: Point): KeyObject | undefined {
  try {
    return createPublicKey({ key: point, format: 'jwk' })
  } catch {
    return undefined
  }
}

/**
 * Reads a city's encryption key as it is published (RFC 7517). Throws `token.claims` for another form or use, a `kid` that
 * is not the key's thumbprint, a point off its curve, and one of those with which every secret is the same (RFC 7748 section 6.1).
 */
export function readEncryptionJwk(value: unknown): EncryptionKey {
  const form = EncryptionJwk.safeParse(value)
  if (!form.success) throw refuse('token.claims', `encryption key: ${faultsOf(form.error)}`)
  const { use: _, alg: __, kid, ...point } = form.data
  const key = keyOf(point)
  if (key === undefined || !agrees(key, point.crv))
    throw refuse('token.claims', 'encryption key: no point for a secret')
  if (kid !== keyId(key)) throw refuse('token.claims', 'encryption key: kid')
  return { kid, curve: point.crv, key }
}

function agrees(publicKey: KeyObject, curve: Curve): boolean {
  try {
    diffieHellman({ privateKey: generate(curve), publicKey })
    return true
  } catch {
    return false
  }
}

function generate(curve: Curve): KeyObject {
  if (curve === 'X25519') return generateKeyPairSync('x25519').privateKey
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** Makes our private key ready to open with. Throws TypeError for a key that is not on P-256 or X25519. */
export function openerOf(privateKey: KeyObject): Opener {
  const { kid, crv } = jwkOf(privateKey)
  return { kid, curve: crv, key: privateKey }
}

/** Makes an encryption key: the private half as PKCS #8 PEM, and what is published of it. P-256 is what every peer can use. */
export function newEncryptionKey(curve: Curve = 'P-256'): { key: string; jwk: EncryptionJwk } {
  const privateKey = generate(curve)
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), jwk: jwkOf(privateKey) }
}

/** What is published of a private key of ours. Throws TypeError for one that is not on P-256 or X25519. */
export function jwkOf(privateKey: KeyObject): EncryptionJwk {
  const point = Point.safeParse(publicJwk(privateKey))
  if (!point.success) throw new TypeError('an encryption key is on P-256 or X25519')
  return { ...point.data, kid: keyId(privateKey), use: 'enc', alg: 'ECDH-ES' }
}

/** Where a form is wrong, without what stood there. */
function faultsOf(error: z.ZodError): string {
  return error.issues.map(issue => `${issue.path.join('.')} ${issue.code}`).join(', ')
}
