import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical, digest, sha256 } from '#protocol/canonical.ts'
import { refusalCodes, refusals, refuse, told } from '#protocol/refusal.ts'

describe('the canonical form', () => {
  it('is that of RFC 8785 section 3.2.3', () => {
    const value = JSON.parse(
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","1":"One","numbers":[333333333.33333329,1E30,4.50,2e-3]}',
    )
    expect(canonical(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","numbers":[333333333.3333333,1e+30,4.5,0.002],"€":"Euro Sign"}',
    )
  })

  it('is the same for any order of members, and so is the digest', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), value => {
        const turned = Object.fromEntries(Object.entries(value).reverse())
        expect(canonical(turned)).toBe(canonical(value))
        expect(digest(turned)).toBe(sha256(canonical(value)))
      }),
    )
  })

  it('is that of the canonical writer, whoever wrote it', () => {
    const { members } = fc.letrec(tie => ({
      members: fc.dictionary(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.nat(20).map(String), fc.constant('__proto__')),
        fc.oneof(
          { depthSize: 'small' },
          fc.jsonValue({ maxDepth: 2 }),
          fc.constant(undefined),
          fc.date({ noInvalidDate: true }),
          fc.array(tie('members'), { maxLength: 2 }),
          tie('members'),
        ),
        { maxKeys: 5 },
      ),
    }))
    const either = (work: () => string | undefined) => {
      try {
        return work()
      } catch {
        return 'neither'
      }
    }
    fc.assert(
      fc.property(members, fc.boolean(), (value, ordered) => {
        const given = ordered ? inOrder(value) : value
        expect(either(() => canonical(given))).toBe(either(() => canonicalize(given)))
      }),
      { numRuns: 500 },
    )
  })

  it('does not exist for what JSON cannot say', () => {
    expect(() => canonical(undefined)).toThrow(TypeError)
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\ud800': 1 }, 1n]) {
      expect(() => canonical(wrong)).toThrow()
      expect(() => canonical([wrong])).toThrow()
    }
  })
})

/** The same value with the members of every plain object in order, as far as an object keeps an order. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, member]) => [name, inOrder(member)]),
  )
}

describe('a refusal', () => {
  it.each(refusalCodes)('%s has a status, and a text and a hint in both languages', code => {
    const { hint } = refusals[code]
    for (const { zh } of [told(code), hint]) expect(zh).toMatch(/\p{Script=Han}/u)
    expect(told(code).en).toMatch(/^[A-Z].*\.$/)
    expect(hint.en).toMatch(/^[^\p{Script=Han}]+\.$/u)
    expect(hint.zh).toMatch(/。$/)
    expect(refusals[code].status).toBeGreaterThanOrEqual(400)
  })

  it('shows the other side its public text and nothing of its detail', () => {
    const refusal = refuse('token.signature', 'kid 42', new Error('private'))
    expect(JSON.stringify(refusal.public)).not.toContain('42')
    expect(refusal.public).toEqual({
      code: 'token.signature',
      zh: refusals['token.signature'].zh,
      en: refusals['token.signature'].en,
    })
  })
})
