/** A JSON Web Key is one public key for one algorithm, and says so in one way, or it is refused. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { refuse } from '#protocol/refusal.ts'
import { type Algorithm, algorithmOf } from './jws.ts'
import { sm2Key } from './sm2.ts'

/** Bytes in canonical base64url whose last character holds four bits of them, as those of all keys here do. */
const bytes = (length: number) => {
  const characters = Math.ceil((length * 4) / 3)
  return z.string().regex(new RegExp(`^[A-Za-z0-9_-]{${characters - 1}}[AEIMQUYcgkosw048]$`))
}

/** What may stand beside a key (RFC 7517 section 4), and then has to fit: it verifies signatures and does nothing else. */
const beside = {
  kid: z.string().max(200).optional(),
  use: z.literal('sig').optional(),
  key_ops: z.tuple([z.literal('verify')]).optional(),
}

const point = { kty: z.literal('EC'), x: bytes(32), y: bytes(32) }

/** RFC 7518 section 6.2, RFC 8037 section 2, RFC 9964, and for SM2 draft-dang-webauthn-sm2-00 section 2. */
const Jwk = z.union([
  z.strictObject({ ...point, crv: z.literal('P-256'), alg: z.literal('ES256').optional(), ...beside }),
  z.strictObject({ ...point, crv: z.literal('SM2'), alg: z.literal('SGD_SM3_SM2').optional(), ...beside }),
  z.strictObject({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: bytes(32),
    alg: z.literal('Ed25519').optional(),
    ...beside,
  }),
  // Here alone the algorithm is a part of the key.
  z.strictObject({ kty: z.literal('AKP'), alg: z.literal('ML-DSA-65'), pub: bytes(1952), ...beside }),
])

/**
 * Reads a public signing key of the registry from its JSON Web Key (RFC 7517), which is any parsed JSON. Private members,
 * members not known here, and a `use`, `key_ops` or `alg` of another purpose are refused, and so is a point that is on no
 * curve. Throws `token.claims`. What `kid` says is for the caller to compare.
 */
export function readJwk(value: unknown): { readonly key: KeyObject; readonly alg: Algorithm } {
  const jwk = Jwk.safeParse(value)
  if (!jwk.success) throw refuse('token.claims', 'not a public key of the registry')
  const key = keyOf(jwk.data)
  const alg = algorithmOf(key)
  if (alg === undefined) throw refuse('token.claims', 'a key of another kind than it says')
  return { key, alg }
}

function keyOf({ kid, use, key_ops, alg, ...key }: z.infer<typeof Jwk>): KeyObject {
  try {
    if (key.kty !== 'EC' || key.crv !== 'SM2')
      return createPublicKey({ key: { ...key, ...(alg && { alg }) }, format: 'jwk' })
    return sm2Key(Buffer.concat([Buffer.from(key.x, 'base64url'), Buffer.from(key.y, 'base64url')]))
  } catch (error) {
    throw refuse('token.claims', 'no such public key', error)
  }
}
