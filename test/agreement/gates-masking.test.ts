import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskHolder, maskText, maskValue } from '#agreement/mask.ts'
import { completeUscc } from '#protocol/subject.ts'

const digits = (least: number, most = least) =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: least, maxLength: most }).map(each => each.join(''))
const date = fc
  .date({ min: new Date('1930-01-01'), max: new Date('2019-12-31'), noInvalidDate: true })
  .map(day => day.toISOString().slice(0, 10).replaceAll('-', ''))
const division = fc.constantFrom('320281', '441302', '370215', '110101')
const identity = fc
  .tuple(division, date, digits(3), fc.constantFrom(...'0123456789Xx'))
  .map(parts => parts.join(''))
  // By chance such a number also passes as a code of the early kind; then it is left, as GB 32100 has it.
  .filter(number => maskText(number) !== number)
const oldIdentity = fc
  .tuple(
    division,
    date.map(day => day.slice(2)),
    digits(3),
  )
  .map(parts => parts.join(''))
const mobile = fc.tuple(fc.constantFrom(...'3456789'), digits(9)).map(([second, rest]) => `1${second}${rest}`)
const card = digits(14, 17).map(rest => `62${rest}`)

/** As people write a number: in groups, in full width, with blanks or dashes between. */
const written = (number: fc.Arbitrary<string>) =>
  fc
    .tuple(number, fc.constantFrom('', ' ', '-', '－', '　', '–'), fc.boolean(), fc.constantFrom(3, 4, 6))
    .map(([text, between, wide, size]) => {
      const groups = text.match(new RegExp(`.{1,${size}}`, 'g')) ?? []
      const grouped = groups.length > 6 ? text : groups.join(between)
      return wide ? grouped.replaceAll(/[0-9]/g, digit => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)) : grouped
    })
const personal = fc.oneof(
  written(fc.oneof(identity, oldIdentity, mobile, card)),
  fc
    .tuple(fc.constantFrom('账号：', '帐号', '开户行：中国银行，账户 ', '银行卡号', '卡号为'), written(digits(8, 22)))
    .map(parts => parts.join('')),
  fc.tuple(fc.constantFrom('电话：', '联系电话', 'Tel. ', '传真'), written(digits(8))).map(parts => parts.join('')),
  fc
    .tuple(fc.constantFrom('0512-', '(0752) ', '010－'), digits(8))
    .map(parts => parts.join('').replace('(0752) ', '(0752) ')),
  fc
    .tuple(fc.constantFrom('身份证号码：', '护照 ', '港澳居民来往内地通行证'), fc.constantFrom('', 'E', 'H'), digits(8))
    .map(p => p.join('')),
)
const prose = fc
  .array(
    fc.constantFrom(...'未按规定处理污水的行为，经查：违反《水污染防治法》。罚款人民币伍万元整（虚构）；于其厂区'),
    { maxLength: 20 },
  )
  .map(each => each.join(''))

const bare = (text: string) => text.normalize('NFKC').replaceAll(/[^0-9A-Za-z*]/g, '')

describe('no text leaves', () => {
  it('with an identity number, a telephone, a card or an account in it, wherever it stands and however it is written', () => {
    fc.assert(
      fc.property(prose, personal, prose, (before, number, after) => {
        const masked = maskText(`${before}。${number}。${after}`)
        expect(masked).toHaveLength(before.length + number.length + after.length + 2)
        expect(bare(masked)).toMatch(/\*/)
        expect(bare(masked)).not.toMatch(/[0-9]{6}/)
      }),
      { numRuns: 20_000 },
    )
  })

  it('changed in anything but what is masked, and a second look finds nothing more', () => {
    fc.assert(
      fc.property(prose, personal, prose, (before, number, after) => {
        const text = `${before}。${number}。${after}`
        const masked = maskText(text)
        for (const [i, character] of [...masked].entries()) {
          if (character !== '*') expect([...text][i]).toBe(character)
        }
        expect(maskText(masked)).toBe(masked)
        expect(maskText(`${before}${after}`)).toBe(`${before}${after}`)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['经办人：李四，已办结', '经办人：**，已办结'],
    ['法定代表人张三丰未到场', '法定代表人***未到场'],
    ['联系人 王五（电话：0512-58281234）', '联系人 **（电话：****-********）'],
    ['经营者为欧阳明，', '经营者为***，'],
    ['主要负责人：赵一', '主要负责人：**'],
  ])('with the name behind a role: %s', (text, masked) => {
    expect(maskText(text)).toBe(masked)
  })

  it.each([
    '澄环演示罚〔2026〕第001号',
    '主要负责人未履行安全生产管理职责',
    '罚款人民币50000元，2026年3月1日至2026-09-01',
    '《水污染防治法》第八十三条第（二）项',
    '11441300007187648G',
    completeUscc('91320281MA1TE100'),
    '业主委员会',
    '工作人员检查时',
  ])('with less than it may have: %s stays as it is', text => {
    expect(maskText(text)).toBe(text)
  })
})

describe('the holder of a record', () => {
  it.each([
    ['张三', '**'],
    ['个体工商户李小明', '个体工商户***'],
    ['王五（个体工商户）', '**（个体工商户）'],
    ['江阴市澄江街道示例三号五金店', '江阴市澄江街道示例三号五金店'],
    ['马记面馆', '马记面馆'],
    ['何家店', '何家店'],
  ])('who is an individual business: %s leaves as %s', (name, masked) => {
    expect(maskHolder(name)).toBe(masked)
  })

  it('who is an enterprise keeps its name', () => {
    expect(maskHolder('万达', 'enterprise')).toBe('万达')
  })
})

describe('a value', () => {
  it.each([
    [{ untranslated: '联系13800138000' }, { untranslated: '联系***********' }],
    [
      { code: 'fine', original: '13800138000' },
      { code: 'fine', original: '***********' },
    ],
    [
      { codes: ['01', '02'], original: '警告13800138000' },
      { codes: ['01', '02'], original: '警告***********' },
    ],
    [{ amount: '110101199003077758', currency: 'CNY', unit: '1' as const }, { untranslated: '******************' }],
  ])('%j is masked in its own words as well', (value, masked) => {
    expect(maskValue(value)).toEqual(masked)
  })

  it('with nothing to mask is the very same', () => {
    for (const value of [
      { amount: '8228000000', currency: 'CNY', unit: '1' as const },
      { code: 'a', original: '优' },
    ]) {
      expect(maskValue(value)).toBe(value)
    }
  })
})
