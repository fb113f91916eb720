/** A key is on the SM2 curve or it is none of SM2, whatever kind it is otherwise and however it came here. */
import { createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { signSm2, sm2Key, sm2Point, verifySm2 } from '#trust/sm2.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' })
const input = Buffer.from('一段文字')
const spki = publicKey.export({ type: 'spki', format: 'der' })

const others = [
  ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
  ['Ed25519', () => generateKeyPairSync('ed25519')],
  ['X25519', () => generateKeyPairSync('x25519')],
  ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['ML-DSA-65', () => generateKeyPairSync('ml-dsa-65')],
] as const

describe('a key of SM2', () => {
  it('is known by its point, generated or read, public or private', () => {
    const point = spki.subarray(-64)
    const forms = [
      publicKey,
      privateKey,
      createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
      createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      sm2Key(point),
    ]
    for (const form of forms) expect(sm2Point(form)).toEqual(point)
  })

  it('verifies what its private half signed, in whatever form either was read', () => {
    const read = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
    for (const secret of [privateKey, read]) {
      const signature = signSm2(input, secret)
      expect(signature).toHaveLength(64)
      for (const key of [publicKey, sm2Key(spki.subarray(-64)), read]) {
        expect(verifySm2(input, key, signature)).toBe(true)
        expect(verifySm2(Buffer.from('另一段'), key, signature)).toBe(false)
      }
    }
  })

  it('is on the curve', () => {
    const off = Buffer.from(spki.subarray(-64))
    off[63] = (off[63] ?? 0) ^ 1
    expect(() => sm2Key(off)).toThrow()
    expect(() => sm2Key(Buffer.alloc(64))).toThrow()
  })
})

describe('a key that is none of SM2', () => {
  it.each(others)('has no point of it, and neither signs nor verifies: %s', (_, make) => {
    const pair = make()
    for (const key of [pair.publicKey, pair.privateKey]) expect(sm2Point(key)).toBeUndefined()
    expect(() => signSm2(input, pair.privateKey)).toThrow('not a key on the SM2 curve')
    expect(() => verifySm2(input, pair.publicKey, signSm2(input, privateKey))).toThrow('not a key on the SM2 curve')
  })

  it('can be a secret, which has no point at all', () => {
    expect(sm2Point(createSecretKey(Buffer.alloc(64, 7)))).toBeUndefined()
  })
})
