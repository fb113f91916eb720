/** The size of a sealed text is bounded to the character, before anything in it is decoded. */
import { createPrivateKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits, types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { newEncryptionKey, openerOf, readEncryptionJwk, SEALED, seal, sealedLength, unseal } from '#trust/seal.ts'

const { key, jwk } = newEncryptionKey()
const opener = openerOf(createPrivateKey(key))
const to = readEncryptionJwk(jwk)

async function outcome(text: string): Promise<string> {
  try {
    await unseal(text, types.query, new Map([[opener.kid, opener]]))
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

describe('a sealed text', () => {
  it('is as long as is foretold for its message, but for what its header leaves of six hundred characters', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5000), async size => {
        const sealed = await seal('a'.repeat(size), types.query, to)
        const [header = ''] = sealed.split('.')
        expect(sealed.length - header.length + 600).toBe(sealedLength(size))
      }),
      { numRuns: 30 },
    )
  })

  it('says what it is', async () => {
    const [header = ''] = (await seal('a.b.c', types.query, to)).split('.')
    expect(SEALED).toBe('credit-sealed+jwt')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({
      typ: 'credit-sealed+jwt',
      cty: types.query,
      alg: 'ECDH-ES',
      enc: 'A256GCM',
      kid: to.kid,
    })
  })

  it('has a header of six hundred characters at most', async () => {
    const rest = (await seal('a.b.c', types.query, to)).replace(/^[^.]+/, '')
    // What is within the bound is read, and is no JSON; what is beyond is not read.
    expect(await outcome('A'.repeat(600) + rest)).toBe('form.json')
    expect(await outcome('A'.repeat(601) + rest)).toBe('form.size')
  })

  it('is bounded as a whole', async () => {
    const [, , iv = '', , tag = ''] = (await seal('a.b.c', types.query, to)).split('.')
    const most = sealedLength(limits.queryBytes)
    const filled = (length: number) => {
      const around = `${'A'.repeat(600)}..${iv}..${tag}`
      return around.replace(/\.\.(?=[^.]+$)/, `.${'A'.repeat(length - around.length)}.`)
    }
    expect(filled(most)).toHaveLength(most)
    expect(await outcome(filled(most + 1))).toBe('form.size')
    expect(await outcome(filled(most))).not.toBe('form.size')
  })

  it('has five parts, and nothing in front of them or behind', async () => {
    const sealed = await seal('a.b.c', types.query, to)
    expect(await outcome(sealed)).toBe('taken')
    for (const other of [`x.${sealed}`, `.${sealed}`, `${sealed}.x`, `${sealed}.`, sealed.replace('..', '.x.')]) {
      expect(await outcome(other)).toBe('form.compact')
    }
  })
})
