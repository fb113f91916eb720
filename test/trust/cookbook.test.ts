import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { Refusal } from '#protocol/refusal.ts'
import { readJwk } from '#trust/jwk.ts'
import { proves, readCompact } from '#trust/jws.ts'
import { describeVectors } from '../vectors.ts'

const Output = z.record(z.string(), z.union([z.string(), z.looseObject({}).transform(json => JSON.stringify(json))]))
const Signed = z.looseObject({ input: z.looseObject({ key: z.unknown() }), output: Output })
const Example = z.union([Signed, z.looseObject({ sign: Signed }).transform(({ sign }) => sign)])

const hmac = 'HMAC: whoever can verify could have signed'
/** Every example of a signature: its file, the codes of its compact and its JSON forms, and why none of them is ours. */
const examples: readonly (readonly [string, string | undefined, string])[] = [
  ['jws/4_1.rsa_v15_signature.json', 'token.algorithm', 'RS256: RSA signs no messages'],
  ['jws/4_2.rsa-pss_signature.json', 'token.algorithm', 'PS384: RSA signs no messages'],
  ['jws/4_3.ecdsa_signature.json', 'token.algorithm', 'ES512: P-521 is not in the registry'],
  ['jws/4_4.hmac-sha2_integrity_protection.json', 'token.algorithm', hmac],
  ['jws/4_5.signature_with_detached_content.json', 'token.algorithm', hmac],
  ['jws/4_6.protecting_specific_header_fields.json', undefined, 'an unprotected header, in JSON alone'],
  ['jws/4_7.protecting_content_only.json', undefined, 'no protected header at all, in JSON alone'],
  ['jws/4_8.multiple_signatures.json', undefined, 'three signatures, in JSON alone'],
  ['rfc7797/4.2.hmac-sha2_b64_false.json', undefined, 'an unencoded payload, in JSON alone'],
  ['rfc7797/hmac-sha2_b64_false.json', 'form.base64', 'an unencoded payload: blanks inside'],
  ['curve25519/ecdh-es.json', 'form.compact', 'encrypted: five parts are no signed message'],
  ['curve25519/jws.json', 'token.algorithm', 'EdDSA: the name of two algorithms; ours is Ed25519 (RFC 9864)'],
  ['6.nesting_signatures_and_encryption.json', 'token.algorithm', 'PS256: RSA signs no messages'],
]

function outcome(work: () => unknown): string {
  try {
    work()
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

const read = (root: string, file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'))

describeVectors('jose-cookbook', 'the signatures and keys of the JOSE cookbook', root => {
  const filesOf = (folder: string) => readdirSync(join(root, folder)).map(file => join(folder, file))

  it('are all in the table', () => {
    const files = [...['jws', 'rfc7797', 'curve25519'].flatMap(filesOf), ...filesOf('')]
    const named = files.filter(file => file.endsWith('.json') && file !== 'package.json')
    expect(named.sort()).toEqual(examples.map(([file]) => file).sort())
  })

  it.each(examples)('%s is refused: %s in compact form (%s)', (file, compact) => {
    const { input, output } = Example.parse(read(root, file))
    const codes = Object.entries(output).map(([form, token]) => [form, outcome(() => readCompact(token))])
    const expected = Object.keys(output).map(form => [form, form === 'compact' ? compact : 'form.compact'])
    expect(codes).toEqual(expected)
    const keys = Array.isArray(input.key) ? input.key : [input.key]
    // Each key here has its private half with it.
    expect(keys.map(key => outcome(() => readJwk(key)))).toEqual(keys.map(() => 'token.claims'))
  })

  it('verify where the registry has the algorithm under its own name', () => {
    const example = z.object({
      input: z.object({ key: z.looseObject({ d: z.string() }) }),
      signing: z.object({ 'sig-input': z.string(), sig: z.string() }),
    })
    const { input, signing } = example.parse(read(root, 'curve25519/jws.json'))
    const { d, ...jwk } = input.key
    const { key, alg } = readJwk(jwk)
    const token = { header: { alg }, payload: '', signingInput: signing['sig-input'] }
    expect(alg).toBe('Ed25519')
    expect(proves({ ...token, signature: Buffer.from(signing.sig, 'base64url') }, key)).toBe(true)
    expect(proves({ ...token, signature: Buffer.from(d, 'base64url') }, key)).toBe(false)
  })

  it.each([
    ['3_1.ec_public_key.json', 'P-521'],
    ['3_2.ec_private_key.json', 'P-521, and private'],
    ['3_3.rsa_public_key.json', 'RSA'],
    ['3_4.rsa_private_key.json', 'RSA, and private'],
    ['3_5.symmetric_key_mac_computation.json', 'a secret'],
    ['3_6.symmetric_key_encryption.json', 'a secret, for encryption'],
  ])('have the key %s, which is refused: %s', file => {
    expect(filesOf('jwk')).toHaveLength(6)
    expect(outcome(() => readJwk(read(root, join('jwk', file))))).toBe('token.claims')
  })
})
