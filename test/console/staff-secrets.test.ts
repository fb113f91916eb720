/** What proves somebody, and what a browser keeps for us, is worth nothing when it was changed, copied, late or meant otherwise. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { Secret } from 'otpauth'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { codeAt, newCodeSecret, stepOf } from '../../src/console/one-time-code.ts'
import { hashPassword, isPassword, newPassword, nobodysHash } from '../../src/console/password.ts'
import { seal, unseal } from '../../src/console/sealed.ts'

const STEP = 30_000

describe('a one-time code', () => {
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('is at %i s what RFC 6238, appendix B, says', (seconds, code) => {
    const secret = new Secret({ buffer: new TextEncoder().encode('12345678901234567890').buffer }).base32
    expect(codeAt(secret, seconds * 1000)).toBe(code)
    expect(stepOf(code, secret, seconds * 1000)).toBe(Math.floor(seconds / 30))
  })

  it('is of its own step of time, and good one step before and after', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4_000_000_000 }), fc.integer({ min: -1, max: 1 }), (seconds, off) => {
        const secret = newCodeSecret()
        const now = seconds * 1000 + 2 * STEP
        const step = stepOf(codeAt(secret, now + off * STEP), secret, now)
        // Two of three neighbours may by chance have one code.
        expect(Math.abs((step ?? Infinity) - Math.floor(now / STEP))).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is six digits and nothing else', () => {
    const secret = newCodeSecret()
    const code = codeAt(secret, 0)
    for (const text of ['', ' ', code.slice(1), `${code}0`, ` ${code}`, `${code}\n`, [...code].map(toWide).join('')])
      expect(stepOf(text, secret, 0)).toBeUndefined()
  })
})

function toWide(digit: string): string {
  return String.fromCodePoint(0xff10 + Number(digit))
}

describe('a password', () => {
  it('is known by its hash, however its characters were composed, and by no other', async () => {
    const hash = await hashPassword('Ｃafe\u0301 信桥')
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(await isPassword('Caf\u00e9 信桥', hash)).toBe(true)
    for (const other of ['', 'caf\u00e9 信桥', 'Caf\u00e9 信桥 ']) expect(await isPassword(other, hash)).toBe(false)
    expect(await hashPassword('x')).not.toBe(await hashPassword('x'))
  })

  it('that is made is another each time', () => {
    const made = new Set(Array.from({ length: 1000 }, newPassword))
    expect(made.size).toBe(1000)
  })

  it('of nobody is none', async () => {
    expect(await isPassword('', nobodysHash())).toBe(false)
  })

  it.each(['', 'x', '$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA', '$2b$10$abcdefghijklmnopqrstuv'])(
    'is not compared with %j, which is no hash of ours',
    async text => {
      await expect(isPassword('x', text)).rejects.toThrow(TypeError)
    },
  )

  it('is worked out for so many at once and no more', async () => {
    const all = await Promise.allSettled(Array.from({ length: 40 }, () => isPassword('x', nobodysHash())))
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(8)
    expect(await isPassword('x', nobodysHash())).toBe(false)
  })
})

describe('what a browser keeps for us', () => {
  const key = randomBytes(32)
  const form = z.string()

  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        expect(unseal(key, 'flow', seal(key, 'flow', text, 2), form, 1)).toBe(text)
      }),
    )
  })

  it('is nothing when a single bit of it was changed, or some of it was cut off', () => {
    const sealed = Buffer.from(seal(key, 'flow', 'text', 2), 'base64url')
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(unseal(key, 'flow', changed.toString('base64url'), form, 1)).toBeUndefined()
    }
    for (let end = 0; end < sealed.length; end++)
      expect(unseal(key, 'flow', sealed.subarray(0, end).toString('base64url'), form, 1)).toBeUndefined()
  })

  it('is nothing for another use, under another key, too late, or of another form', () => {
    const sealed = seal(key, 'flow', 'text', 2)
    expect(unseal(key, 'device', sealed, form, 1)).toBeUndefined()
    expect(unseal(randomBytes(32), 'flow', sealed, form, 1)).toBeUndefined()
    expect(unseal(key, 'flow', sealed, form, 2)).toBeUndefined()
    expect(unseal(key, 'flow', sealed, z.number(), 1)).toBeUndefined()
  })
})
