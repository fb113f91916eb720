/**
 * SM2 with SM3 is signed and verified as GM/T 0009-2012 has it, signer id 1234567812345678, and in no other way.
 *
 * node:crypto cannot do this: it has no place for a signer id. A key that it generated signs plain ECDSA on the curve, and
 * a key that it read from PEM signs SM2 with an empty id. OpenSSL keeps the key and hashes (SM3); the curve is sm-crypto-v2's.
 * That is arithmetic on big integers whose time depends on the key: software SM2 is for trials, and satisfies no cryptographic
 * assessment (密评). In production a certified module signs in its place, behind `Signer` (keys.ts).
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { createRequire } from 'node:module'
import { Fields, hex, INTEGER, OCTET_STRING, SEQUENCE } from './der.ts'

/** Loaded by the first signature: it takes 18 ms and 13 MB, which a federation without SM2 need not have. */
const load: (name: 'sm-crypto-v2') => typeof import('sm-crypto-v2') = createRequire(import.meta.url)

/** SubjectPublicKeyInfo up to the point: id-ecPublicKey, the curve 1.2.156.10197.1.301, 66 bytes, uncompressed. */
const SPKI = Buffer.from('3059301306072a8648ce3d020106082a811ccf5501822d03420004', 'hex')
/** The order of the base point (GB/T 32918.5-2017). */
const N = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n
/** What Z is the hash of, before the signer's point: length of the id in bits, id, a, b and base point (GB/T 32918.2-2016 section 5.5). */
const BEFORE_POINT = Buffer.concat([
  Buffer.of(0, 128),
  Buffer.from('1234567812345678', 'latin1'),
  Buffer.from(
    'fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93' +
      '32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0',
    'hex',
  ),
])

/** The coordinates x ‖ y (64 bytes) of a key on the SM2 curve, public or private; undefined for every other key. */
export function sm2Point(key: KeyObject): Buffer | undefined {
  // Read from PEM or a certificate the key has no type at all; generated, it is an `ec` key.
  const named = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'SM2'
  if (key.type === 'secret' || (key.asymmetricKeyType !== undefined && !named)) return undefined
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
  const isSm2 = spki.length === SPKI.length + 64 && spki.subarray(0, SPKI.length).equals(SPKI)
  return isSm2 ? spki.subarray(SPKI.length) : undefined
}

/** The public key with these coordinates (64 bytes). Throws what OpenSSL throws where no such point is on the curve. */
export function sm2Key(point: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, point]), type: 'spki', format: 'der' })
}

/** Signs (GB/T 32918.2-2016 section 6.1). Gives r ‖ s, 64 bytes. Throws TypeError for a key of another kind. */
export function signSm2(input: Uint8Array, key: KeyObject): Buffer {
  return Buffer.from(load('sm-crypto-v2').sm2.doSignature(digest(input, key), secretOf(key)), 'hex')
}

/** Whether the signature (r ‖ s, 64 bytes) is the key's (GB/T 32918.2-2016 section 7.1). Throws TypeError for a key of another kind. */
export function verifySm2(input: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const text = hex(signature)
  // The library checks neither range: it reduces r, and throws for s.
  if (![text.slice(0, 64), text.slice(64)].every(each => isBelowOrder(BigInt(`0x${each}`)))) return false
  const point = `04${hex(pointOf(key))}`
  return load('sm-crypto-v2').sm2.doVerifySignature(digest(input, key), text, point)
}

function isBelowOrder(value: bigint): boolean {
  return value > 0n && value < N
}

/** e = SM3(Z ‖ M). The hash is OpenSSL's: the library spreads a message into an array of numbers, and an answer may have megabytes. */
function digest(input: Uint8Array, key: KeyObject): Buffer {
  const z = createHash('sm3').update(BEFORE_POINT).update(pointOf(key)).digest()
  return createHash('sm3').update(z).update(input).digest()
}

function pointOf(key: KeyObject): Buffer {
  const point = sm2Point(key)
  if (point === undefined) throw new TypeError('not a key on the SM2 curve')
  return point
}

/** The number in a private key, hex: PKCS #8 around the ECPrivateKey of RFC 5915, as OpenSSL writes both. */
function secretOf(key: KeyObject): string {
  const info = Fields.of(key.export({ type: 'pkcs8', format: 'der' }))
  info.take(INTEGER)
  info.take(SEQUENCE)
  const inner = Fields.of(info.take(OCTET_STRING).content)
  inner.take(INTEGER)
  return hex(inner.take(OCTET_STRING).content)
}
