import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refusal } from '#protocol/refusal.ts'
import {
  completeUscc,
  holdsPersonalNumber,
  isIdentityNumber,
  maskPersonalNumbers,
  readSubject,
} from '#protocol/subject.ts'
import { describeVectors } from '../vectors.ts'

function refusalOf(text: string): string {
  try {
    readSubject(text)
  } catch (error) {
    if (error instanceof Refusal) return error.code
  }
  return 'none'
}

describe('a subject code', () => {
  it.each([
    ['91320281250344877K', 'enterprise'],
    ['91441300195971850Y', 'enterprise'],
    ['913302256776772080', 'enterprise'],
    ['92330206MA2EL62660', 'individual-business'],
    ['91330212MA281AH5XE', 'enterprise'],
  ])('%s is read, with its kind %s', (code, kind) => {
    expect(readSubject(code)).toEqual({ uscc: code, kind })
  })

  it('is read in lower case and with spaces around it, as people type it', () => {
    expect(readSubject(' 91330212ma281ah5xe ').uscc).toBe('91330212MA281AH5XE')
  })

  it('of a co-operative is read with its kind', () => {
    expect(readSubject(completeUscc('93320281MA1TEST0'.replace('S', 'T'))).kind).toBe('cooperative')
  })

  it.each([
    ['91310115MA1H8R7C6D', 'subject.check'],
    ['914413001959718754', 'subject.check'],
    ['91320281TEST000001', 'subject.malformed'],
    ['91441300MA59XXX890', 'subject.check'],
    ['00000000000000000X', 'subject.malformed'],
    ['', 'subject.malformed'],
    ['11441300007187648G', 'subject.kind'],
  ])('%s is refused with %s', (code, refusal) => {
    expect(refusalOf(code)).toBe(refusal)
  })

  it('never puts the refused text into the error', () => {
    try {
      readSubject('110101199003074258')
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toContain('1101')
    }
  })
})

describe('a natural person', () => {
  const identity = fc
    .tuple(
      fc.constantFrom('110101', '320281', '441302', '911301'),
      fc.date({ min: new Date('1900-01-01'), max: new Date('2025-12-31'), noInvalidDate: true }),
      fc.integer({ min: 0, max: 999 }),
      fc.constantFrom(...'0123456789X'),
    )
    .map(
      ([area, born, order, check]) =>
        `${area}${born.toISOString().slice(0, 10).replaceAll('-', '')}${String(order).padStart(3, '0')}${check}`,
    )

  it('is refused by identity number, right check digit or not, unless the text is a valid code', () => {
    fc.assert(
      fc.property(identity, number => {
        expect(isIdentityNumber(number)).toBe(true)
        if (number.startsWith('91')) expect(['subject.person', 'none']).toContain(refusalOf(number))
        else expect(refusalOf(number)).toBe('subject.person')
      }),
      { numRuns: 2000 },
    )
  })

  it('is refused by an identity number of the old form', () => {
    expect(refusalOf('110101900307425')).toBe('subject.person')
  })

  it.each(['11010519491231002X', '電話13800138000', '證件号码：１１０１０５１９４９１２３１００２Ｘ'])(
    'is found in the text %s and masked',
    text => {
      expect(holdsPersonalNumber(text)).toBe(true)
      expect(maskPersonalNumbers(text)).toMatch(/\*{11}/)
    },
  )

  it.each([
    '电话+8613812345678',
    '电话 0086 138 1234 5678',
    'tel13812345678',
    '138-1234-5678',
    '138 1234 5678、139 1234 5678',
    '身份证110101199003077759（校验码有误）',
    'ID110101199003077758',
    '110101 19900307 7758',
    '𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖',
  ])('is found in %s, however the digits are written', text => {
    expect(holdsPersonalNumber(text)).toBe(true)
    expect(maskPersonalNumbers(text).normalize('NFKC')).not.toMatch(/[0-9]{5}/)
  })

  it.each([
    '110101(19900307)7758',
    '110101（19900307）7758',
    '110101[19900307]7758',
    '110101,19900307,7758',
    '110101，19900307，7758',
    '110101、19900307、7758',
    '110101=19900307=7758',
    '110101：19900307：7758',
    '(138)0013-8000',
    '138~0013~8000',
    '138+0013+8000',
    '138。0013。8000',
    '138:0013:8000',
    '138*0013*8000',
    '138#0013#8000',
    '138;0013|8000',
    '一三八，〇〇一三，八〇〇〇',
  ])('is found in %s, whatever sign stands between the digits', text => {
    expect(maskPersonalNumbers(text)).not.toMatch(/[0-9〇一二三四五六七八九]/)
  })

  it('is masked digit by digit: nothing else of the text changes, and it does not grow', () => {
    expect(maskPersonalNumbers('罚10⁶元，电话138 1234 5678，ﷺ')).toBe('罚10⁶元，电话*** **** ****，ﷺ')
  })

  it('is refused by the number of a foreigner’s card, though one in 341 of them passes as a code', () => {
    expect(refusalOf('911840198001010291')).toBe('subject.person')
  })

  it.each([
    '91320281250344877K',
    '913302256776772080',
    '苏澄市监处罚〔2026〕00012号',
    '20260101120000',
    '2026-11-22 10:00:00',
    '2026-11-20 10:12:05.0',
    '2026-11-15 10:00:00.000',
    '2026-11-15~2026-12-31',
    '2026-11-15,2026-11-18,2026-12-20',
    '2026年11月15日、2026年12月31日',
    '罚款1,234,567.89元',
    '1,234,567.89；13,812,345,678.00',
    '注册资本13,812,345,678元',
    '粤0137〔2026〕0012号',
    '惠招〔2026〕118、119、120号',
    '粤惠 (2026) 13-0012 号',
    'JY13202810012345',
    '91320281250344877K,913302256776772080、91441300195971850Y',
    '(91320281250344877K)',
  ])('is not seen in %s', text => {
    expect(maskPersonalNumbers(text)).toBe(text)
  })
})

describeVectors('cn-ids/uscc.json', 'published unified social credit codes', path => {
  const { valid, nonconforming_but_really_issued: odd } = JSON.parse(readFileSync(path, 'utf8'))
  it.each<string>(valid)('%s passes', code => {
    expect(readSubject(code)).toEqual({ uscc: code, kind: 'enterprise' })
  })
  it.each<string>(odd)('%s was really issued with another check character and passes with a mark', code => {
    expect(readSubject(code).doubt).toBe('check-character')
  })
})

describeVectors('cn-ids/uscc-ningbo.txt', 'the codes of Ningbo', path => {
  const codes = readFileSync(path, 'utf8').trim().split(/\s+/)
  it(`all ${codes.length} pass without a mark, or are of a kind that is not queried`, () => {
    const refused = codes.map(refusalOf).filter(code => code !== 'none')
    expect(new Set(refused)).toEqual(new Set(refused.length > 0 ? ['subject.kind'] : []))
  })

  it('with one character changed, at whatever place and to whatever other, is never taken for a code in order', () => {
    const seen = { refused: 0, marked: 0, passed: 0 }
    for (const code of codes) {
      for (let at = 0; at < code.length; at++) {
        for (const other of '0123456789ABCDEFGHJKLMNPQRTUWXY') {
          if (other === code[at]) continue
          const changed = code.slice(0, at) + other + code.slice(at + 1)
          if (refusalOf(changed) !== 'none') seen.refused += 1
          else if (readSubject(changed).doubt === 'check-character') seen.marked += 1
          else seen.passed += 1
        }
      }
    }
    // GB 32100 weighs no place with a multiple of 31, so that its own check character sees every single change: all of them.
    expect(seen).toEqual({ refused: codes.length * 18 * 30, marked: 0, passed: 0 })
  })
})
