import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { readJws } from '#trust/jws.ts'
import {
  decrypt,
  newEncryptionKey,
  type Opener,
  openerOf,
  readEncryptionJwk,
  SEALED,
  seal,
  unseal,
} from '#trust/seal.ts'
import { describeVectors } from '../vectors.ts'

const text = z.string().exactOptional()
const Key = z.object({ kty: z.string(), crv: text, x: text, y: text, d: text })
/** A case with several receivers has a list of keys, and one with a password has a text. */
const Encryption = z.object({
  input: z.object({ plaintext: z.string(), key: z.union([Key, z.array(Key)]).optional() }),
  output: z.object({ compact: z.string().optional(), json: z.unknown().optional(), json_flat: z.unknown().optional() }),
})
const Nested = z.object({
  sign: z.object({ output: z.object({ compact: z.string() }) }),
  encrypt: Encryption,
})

async function refusalOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'none'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

function openerFor({ input: { key } }: z.infer<typeof Encryption>): Opener | undefined {
  if (key === undefined || Array.isArray(key)) return undefined
  return key.crv === 'P-256' || key.crv === 'X25519' ? openerOf(createPrivateKey({ key, format: 'jwk' })) : undefined
}

const keysOf = (opener: Opener | undefined) => new Map(opener && [[opener.kid, opener]])
const read = <T>(file: string, form: z.ZodType<T>) => form.parse(JSON.parse(readFileSync(file, 'utf8')))

/** Why each example, all of them good, is outside the profile. */
const outside: Readonly<Record<string, readonly [code: string, why: string]>> = {
  '5_1': ['form.compact', 'RSA1_5: an encrypted key'],
  '5_2': ['form.compact', 'RSA-OAEP: an encrypted key'],
  '5_3': ['form.compact', 'PBES2: a password, and an encrypted key'],
  '5_4': ['form.compact', 'ECDH-ES+A128KW: an encrypted key'],
  '5_5': ['token.sealed', 'A128CBC-HS256'],
  '5_6': ['token.sealed', 'dir: a shared key'],
  '5_7': ['form.compact', 'A256GCMKW: an encrypted key'],
  '5_8': ['form.compact', 'A128KW: an encrypted key'],
  '5_9': ['form.compact', 'A128KW: an encrypted key; and compressed'],
  '5_10': ['form.compact', 'JSON only'],
  '5_11': ['form.compact', 'JSON only'],
  '5_12': ['form.compact', 'JSON only'],
  '5_13': ['form.compact', 'JSON only'],
}

describeVectors('jose-cookbook/jwe', 'the encryption examples of RFC 7520', path => {
  const files = readdirSync(path)

  it('are all in the table of reasons', () => {
    expect(files.map(file => file.split('.')[0]).sort()).toEqual(Object.keys(outside).sort())
  })

  it.each(files)('%s is outside the profile, and refused as the table says, in every form it has', async file => {
    const example = read(join(path, file), Encryption)
    const { compact, json, json_flat } = example.output
    const keys = keysOf(openerFor(example))
    const texts = [json, json_flat].filter(each => each !== undefined).map(each => JSON.stringify(each))
    if (compact !== undefined)
      expect(await refusalOf(() => unseal(compact, types.query, keys))).toBe(outside[file.split('.')[0] ?? '']?.[0])
    expect(texts.length).toBeGreaterThan(0)
    for (const text of texts) expect(await refusalOf(() => unseal(text, types.query, keys))).toBe('form.compact')
  })
})

describeVectors('jose-cookbook', 'the examples of key agreement in RFC 7520 and RFC 8037', path => {
  describe.each(['jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json', 'curve25519/ecdh-es.json'])(
    '%s',
    file => {
      const example = read(join(path, file), Encryption)
      const { plaintext } = example.input
      const { compact = '' } = example.output
      const opener = openerFor(example)
      if (opener === undefined) throw new TypeError('a key of a kind that we have')

      it('is opened by its key, which we can read, and not by us: another content encryption', async () => {
        const opened = await compactDecrypt(compact, opener.key)
        expect(Buffer.from(opened.plaintext).toString()).toBe(plaintext)
        expect(await refusalOf(() => decrypt(compact, opener.key))).toBe('token.sealed')
        expect(await refusalOf(() => unseal(compact, types.query, keysOf(opener)))).toBe('token.sealed')
      })

      it('in our profile opens in the encrypted layer, and is no message: what it holds is not signed', async () => {
        const { kty, crv, x, y } = opener.key.export({ format: 'jwk' })
        const jwk = { kty, crv, x, ...(y !== undefined && { y }), kid: opener.kid, use: 'enc', alg: 'ECDH-ES' }
        const text = await new CompactEncrypt(Buffer.from(plaintext))
          .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: opener.kid, cty: types.query, typ: SEALED })
          .encrypt(readEncryptionJwk(jwk).key)
        expect((await decrypt(text, opener.key)).toString()).toBe(plaintext)
        expect(await refusalOf(() => unseal(text, types.query, keysOf(opener)))).toBe('token.sealed')
      })
    },
  )
})

describeVectors('jose-cookbook/6.nesting_signatures_and_encryption.json', 'the nested example of RFC 7520', path => {
  const { sign, encrypt } = read(path, Nested)
  const token = sign.output.compact

  it('is outside the profile outside, by its encrypted key, and inside, by its algorithm', async () => {
    expect(encrypt.input.plaintext).toBe(token)
    expect(await refusalOf(() => unseal(encrypt.output.compact ?? '', types.query, new Map()))).toBe('form.compact')
    expect(await refusalOf(() => readJws(token, 'JWT'))).toBe('token.algorithm')
  })

  it('sealed as the profile asks comes out byte for byte, and is still refused for its signature', async () => {
    const { key, jwk } = newEncryptionKey()
    const sealed = await seal(token, types.query, readEncryptionJwk(jwk))
    const inside = await unseal(sealed, types.query, keysOf(openerOf(createPrivateKey(key))))
    expect(inside).toBe(token)
    expect(await refusalOf(() => readJws(inside, types.query))).toBe('token.algorithm')
  })
})
