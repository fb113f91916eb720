import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shareSpelling, spellings, writeSpelling } from '#schema/spelling.ts'

describe('a spelling of a city’s own', () => {
  test.each([
    ['twelve-digits', '330802000000', '330802'],
    ['twelve-digits', '330800000000', '330800'],
    ['twelve-digits', '330802', '330802'],
    ['twelve-digits', '330802001000', '330802001000'],
    ['twelve-digits', '衢州市', '衢州市'],
    ['lower-case', '11441300007187648g', '11441300007187648G'],
    ['lower-case', '79965505x', '79965505X'],
    ['lower-case', '宁波市abc', '宁波市abc'],
  ] as const)('%s: %s is shared as %s', (spelling, local, shared) => {
    expect(shareSpelling(local, spelling)).toBe(shared)
  })

  test.each([
    ['twelve-digits', '330802', '330802000000'],
    ['twelve-digits', '330802001000', '330802001000'],
    ['lower-case', '11441300007187648G', '11441300007187648g'],
    ['lower-case', 'ABC', 'ABC'],
  ] as const)('%s: %s is written as %s', (spelling, shared, local) => {
    expect(writeSpelling(shared, spelling)).toBe(local)
  })

  test('changes no meaning: whatever was shared is shared again after it was written', () => {
    const codes = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'0123456789abcXYZ'), minLength: 6, maxLength: 18 }),
      fc.constantFrom('330802000000', '000000000000', '330802', '79965505X', '91330200xxxxxx0191'),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
    )
    fc.assert(
      fc.property(codes, fc.constantFrom(...spellings), (text, spelling) => {
        const shared = shareSpelling(text, spelling)
        expect(shareSpelling(writeSpelling(shared, spelling), spelling)).toBe(shared)
      }),
      { numRuns: 2_000 },
    )
  })
})
