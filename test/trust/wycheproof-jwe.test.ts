import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { decrypt, type Opener, openerOf, readEncryptionJwk, SEALED, seal, unseal } from '#trust/seal.ts'
import { describeVectors } from '../vectors.ts'

const text = z.string().exactOptional()
const Key = z.object({ kty: z.string(), crv: text, x: text, y: text, d: text })
const File = z.object({
  numberOfTests: z.int(),
  testGroups: z.array(
    z.object({
      private: z.union([Key, z.object({ keys: z.array(Key) })]),
      tests: z.array(
        z.object({
          tcId: z.int(),
          comment: z.string(),
          result: z.enum(['valid', 'invalid']),
          jwe: z
            .union([
              z.string(),
              z
                .object({})
                .loose()
                .transform(each => JSON.stringify(each)),
            ])
            .optional(),
          pt: z.string().optional(),
        }),
      ),
    }),
  ),
})

type Case = {
  readonly id: number
  readonly comment: string
  readonly valid: boolean
  readonly jwe: string
  readonly plaintext: string | undefined
  /** Undefined where the key is of no kind that we have. */
  readonly opener: Opener | undefined
}

function readCases(path: string): { cases: Case[]; total: number } {
  const file = File.parse(JSON.parse(readFileSync(path, 'utf8')))
  const cases = file.testGroups.flatMap(group =>
    group.tests.flatMap(({ tcId, comment, result, jwe, pt }) =>
      jwe === undefined
        ? []
        : [{ id: tcId, comment, valid: result === 'valid', jwe, plaintext: pt, opener: openerFor(group.private) }],
    ),
  )
  return { cases, total: file.numberOfTests }
}

function openerFor(key: z.infer<typeof File>['testGroups'][number]['private']): Opener | undefined {
  if (!('kty' in key) || key.crv !== 'P-256') return undefined
  return openerOf(createPrivateKey({ key, format: 'jwk' }))
}

/** The header as any reader takes it; empty where it is none. */
function headerOf(jwe: string): { alg?: unknown; enc?: unknown; epk?: unknown } {
  try {
    return Object(JSON.parse(Buffer.from(jwe.split('.', 1)[0] ?? '', 'base64url').toString()))
  } catch {
    return {}
  }
}

async function refusalOf(work: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

/**
 * Why a case that is good by the RFCs is none of ours: by `alg`, the code it is refused with and the reason. Everything else
 * that may be wrong with it, above all that none names its content or its receiver as the profile asks, comes after.
 */
const outside: Readonly<Record<string, readonly [code: string, why: string]>> = {
  A128KW: ['form.compact', 'a shared key wraps another: no city shares one with another'],
  A192KW: ['form.compact', 'the same'],
  A256KW: ['form.compact', 'the same'],
  A128GCMKW: ['form.compact', 'the same'],
  A192GCMKW: ['form.compact', 'the same'],
  A256GCMKW: ['form.compact', 'the same'],
  'ECDH-ES+A128KW': ['form.compact', 'an agreed key wraps another: for one receiver it is agreed directly'],
  'ECDH-ES+A192KW': ['form.compact', 'the same'],
  'ECDH-ES+A256KW': ['form.compact', 'the same'],
  'RSA-OAEP': ['form.compact', 'no key of RSA: no ephemeral key'],
  'RSA-OAEP-256': ['form.compact', 'the same'],
  RSA1_5: ['form.compact', 'the same, and PKCS #1 v1.5 padding tells (RFC 8725 section 3.2)'],
  dir: ['token.sealed', 'a shared key'],
  'ECDH-ES': ['token.sealed', 'no kid, cty and typ, or not A256GCM; opened below by the encrypted layer alone'],
}

const files = [
  { name: 'json_web_encryption_test.json', total: 139, of: 139, valid: 65, opened: [78], offCurve: 1 },
  { name: 'json_web_crypto_test.json', total: 83, of: 34, valid: 2, opened: [], offCurve: 1 },
]

describeVectors('wycheproof/testvectors_v1', 'the encryption cases of Wycheproof', path => {
  describe.each(files)('in $name', ({ name, total, of, valid, opened, offCurve }) => {
    const read = readCases(join(path, name))
    const { cases } = read

    it('are all there', () => {
      expect([read.total, cases.length, cases.filter(each => each.valid).length]).toEqual([total, of, valid])
    })

    it.each(cases)('case $id, $comment, is refused, for the reason in the table where it is valid', async each => {
      const { jwe, opener } = each
      const ours = new Map(opener && [[opener.kid, opener]])
      const refusal = await refusalOf(unseal(jwe, types.query, ours))
      expect(refusal).toBeInstanceOf(Refusal)
      if (each.valid) expect(refusal?.code).toBe(outside[String(headerOf(jwe).alg)]?.[0])
    })

    const ofOurCurve = cases.flatMap(each => (each.opener === undefined ? [] : [{ ...each, key: each.opener.key }]))
    it('that have a key on P-256 open in the encrypted layer alone where they are ECDH-ES and A256GCM, and valid', async () => {
      const found: number[] = []
      for (const { id, valid, jwe, plaintext, key } of ofOurCurve) {
        const { alg, enc } = headerOf(jwe)
        const refusal = await refusalOf(decrypt(jwe, key))
        expect([id, refusal?.code]).toEqual([
          id,
          valid && alg === 'ECDH-ES' && enc === 'A256GCM' ? undefined : 'token.sealed',
        ])
        if (refusal === undefined) {
          expect((await decrypt(jwe, key)).toString('hex')).toBe(plaintext)
          found.push(id)
        }
      }
      expect(found).toEqual(opened)
    })

    it('bring ephemeral keys of which, in a header of ours, those off the curve never meet our key', async () => {
      let off = 0
      for (const { comment, jwe, opener } of ofOurCurve) {
        const { epk } = headerOf(jwe)
        if (epk === undefined || opener === undefined) continue
        const header = { alg: 'ECDH-ES', enc: 'A256GCM', kid: opener.kid, cty: types.query, typ: SEALED, epk }
        const head = Buffer.from(JSON.stringify(header)).toString('base64url')
        const text = `${head}..${'A'.repeat(16)}.AAAA.${'A'.repeat(22)}`
        const refusal = await refusalOf(unseal(text, types.query, new Map([[opener.kid, opener]])))
        const isOff = /InvalidCurve/.test(comment)
        expect(refusal?.detail).toBe(isOff ? 'epk is no point of its curve' : 'does not open')
        if (isOff) off += 1
      }
      expect(off).toBe(offCurve)
    })
  })

  it('have a receiver for whom we can seal, and who opens it', async () => {
    const { cases } = readCases(join(path, 'json_web_encryption_test.json'))
    const opener = cases.find(({ id }) => id === 78)?.opener
    if (opener === undefined) throw new TypeError('case 78 has a key on P-256')
    const { kty, crv, x, y } = opener.key.export({ format: 'jwk' })
    const to = readEncryptionJwk({ kty, crv, x, y, kid: opener.kid, use: 'enc', alg: 'ECDH-ES' })
    const sealed = await seal('e30.e30.AAAA', types.query, to)
    expect(await unseal(sealed, types.query, new Map([[opener.kid, opener]]))).toBe('e30.e30.AAAA')
  })
})
