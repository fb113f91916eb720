import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { look, NAME, NUMBER, PERSONAL } from '#agreement/look.ts'
import { maskField, maskHolder, maskText, maskValue } from '#agreement/mask.ts'
import { hideNames } from '#agreement/names.ts'
import { hideLikelyNumbers, hideNumbers } from '#agreement/numbers.ts'
import { completeUscc, maskPersonalNumbers } from '#protocol/subject.ts'

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
/** Without a separator: 051258281234, 01058281234. */
const landline = fc
  .tuple(fc.constantFrom('010', '021', '0512', '0752', '0574'), fc.constantFrom(...'2345678'), digits(7))
  .map(parts => parts.join(''))
const isNoFirm = (number: string) => number.length !== 18 || maskText(`的${number}，账户`) !== `的${number}，账户`
/** A card of another scheme, by its check digit alone (ISO/IEC 7812). */
const luhn = digits(15, 18)
  .map(body => {
    const sum = [...body].reverse().reduce((total, digit, i) => {
      const value = Number(digit) * (i % 2 === 0 ? 2 : 1)
      return total + (value > 9 ? value - 9 : value)
    }, 0)
    return `${body}${(10 - (sum % 10)) % 10}`
  })
  .filter(isNoFirm)
const personal = fc.oneof(
  written(fc.oneof(identity, oldIdentity, mobile, card)),
  fc
    .tuple(fc.constantFrom('账号：', '帐号', '开户行：中国银行，账户 ', '银行卡号', '卡号为'), written(digits(8, 22)))
    .map(parts => parts.join('')),
  fc.tuple(fc.constantFrom('电话：', '联系电话', 'Tel. ', '传真'), written(digits(8))).map(parts => parts.join('')),
  fc
    .tuple(fc.constantFrom('0512-', '(0752) ', '010－'), digits(8))
    .map(parts => parts.join('').replace('(0752) ', '(0752) ')),
  landline,
  luhn,
  fc
    .tuple(fc.constantFrom('打入银行卡', '汇款至账户中国银行', '转账 ', '其账下'), digits(12, 22).filter(isNoFirm))
    .map(p => p.join('')),
  fc.tuple(digits(12, 22).filter(isNoFirm), fc.constantFrom('（账户）', '的银行账号')).map(p => p.join('')),
  fc.tuple(fc.constantFrom('+86 ', '＋86-', '+'), fc.constantFrom('512', '10', '752'), digits(8)).map(p => p.join('')),
  fc
    .tuple(fc.constantFrom('身份证号码：', '护照 ', '港澳居民来往内地通行证'), fc.constantFrom('', 'E', 'H'), digits(8))
    .map(p => p.join('')),
)
const prose = fc
  .array(fc.constantFrom(...'未按规定排放污水，经查：违反《水污染防治法》。罚款伍万元整（虚构）；于其厂区'), {
    maxLength: 20,
  })
  .map(each => each.join(''))

/** Such codes exist: all eighteen characters are digits. */
const digitsOnly =
  Array.from({ length: 200 }, (_, i) => completeUscc(`913202811234${String(5000 + i)}`)).find(code =>
    /^[0-9]{18}$/.test(code),
  ) ?? ''

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

  it('unmasked that the one look at its characters rules out', () => {
    const pieces = fc.constantFrom(
      ...'0123456789０一二〇⓪①٣𝟗 -－.·()（）人者东事江X\u200d\ufeff',
      '股东',
      '个体',
      '电话',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, personal), { maxLength: 40 }), parts => {
        const text = parts.join('')
        const seen = look(text)
        if ((seen & NUMBER) === 0) expect(hideLikelyNumbers(hideNumbers(text))).toBe(text)
        if ((seen & PERSONAL) === 0) expect(maskPersonalNumbers(text)).toBe(text)
        if ((seen & NAME) === 0) expect(hideNames(text)).toBe(text)
      }),
      { numRuns: 5000 },
    )
  })

  it('with the name of a person behind a role, whatever follows', () => {
    const role = fc.constantFrom(
      '当事人',
      '股东',
      '法定代表人',
      '负责人',
      '董事长',
      '经营者',
      '驾驶员',
      '员工',
      '合伙人',
    )
    const between = fc.constantFrom('', '：', '为', ' ', '（', '、')
    const name = fc.constantFrom('张三', '李小明', '欧阳建国', '王五', '陈志强', '劉德華', '古丽·买买提')
    const after = fc.constantFrom(
      '，',
      '。',
      '违反规定',
      '在现场',
      '未到场',
      '先生',
      '持股百分之三十',
      '）',
      '于当日',
      '',
    )
    fc.assert(
      fc.property(prose, role, between, name, after, (before, ...parts) => {
        const text = `${before}。${parts.join('')}`
        expect(maskText(text)).not.toContain(parts[2])
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
    ['当事人张三违反规定', '当事人**违反规定'],
    ['股东李小明认缴出资', '股东***认缴出资'],
    ['當事人張三豐於廠區', '當事人***於廠區'],
    ['执行董事、王强，持股', '执行董事、**，持股'],
    ['张三（法定代表人）', '**（法定代表人）'],
    ['驾驶员阿迪力·买买提，', '驾驶员*******，'],
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
    '当事人应当在十五日内申请行政复议',
    '当事人于2026年3月1日提出申请',
    '股东会决议，股东江苏阳光集团有限公司认缴',
    '当事人：江阴示例一号纺织（集团）有限公司',
    '法人单位在本市注册',
    // Codes of firms and offices, of digits alone too, wherever they stand.
    digitsOnly,
    `统一社会信用代码：${digitsOnly}`,
    `个体工商户${completeUscc('92320281MA1TE200')}`,
    // Numbers of decisions, licences, permits and registrations.
    '许可证编号：4111111111111111',
    '工程规划许可证号4111111111111111号',
    '第051258281234号',
    '苏B2-20260001',
    '工商注册号320281000012345',
    '个体工商户登记证号320281600023456',
    '账外销售收入123456789.50元，罚款1234567890元',
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
    expect(maskHolder(name, 'individual-business')).toBe(masked)
  })

  it.each([
    ['虚构人', '***'],
    ['欧阳景行', '****'],
    ['仉督', '**'],
    ['买买提江·阿不都热合曼', '***********'],
    ['阿迪力·建材', '******'],
    ['刘建材', '***'],
    ['王建社（个体工商户）', '***（个体工商户）'],
    ['示例小吃店（虚构人）', '示例小吃店（***）'],
    ['虚构人（示例小吃店）', '***（示例小吃店）'],
    ['虚构人 示例五金店', '*** 示例五金店'],
    ['經營者虛構人', '經營者***'],
    ['服务员虚构人', '******'],
    ['JOHN SMITH', '**** *****'],
    ['（虚构人）', '（***）'],
  ])(
    'whose surname nobody knows does not leave under the code of an individual business: %s leaves as %s',
    (name, masked) => {
      expect(maskHolder(name, 'individual-business')).toBe(masked)
    },
  )

  it.each([
    ...[
      '江阴市（澄江）示例五金店',
      '示例建筑工程经营部',
      '示例三号服装厂',
      '老王示例商行',
      '虚构人工作室',
      '示例汽车美容中心',
    ],
    ...[
      '虚构市示例养殖场',
      '示例小吃店（个体工商户）',
      '示例个体经营部',
      '惠州市惠城区示例三号餐饮店（虚构）',
      '示例小吃店（普通合伙）',
      '示例車行',
      '某县示例农家乐',
    ],
  ])('that is the name of an individual business stays as it is: %s', name => {
    expect(maskHolder(name, 'individual-business')).toBe(name)
  })

  it('never is the name of a person under the code of an individual business, whatever the surname', () => {
    const han = fc.integer({ min: 0x4e00, max: 0x9fa5 }).map(code => String.fromCodePoint(code))
    const given = fc.constantFrom(...'伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华行轩园庄堂社院居斋家建材科技文')
    const syllable = fc.constantFrom(...'阿买提江木尔古丽热合曼都拉吾斯玛依扎西卓')
    const part = fc.string({ unit: syllable, minLength: 2, maxLength: 6 })
    const name = fc.oneof(
      fc.tuple(han, fc.string({ unit: given, minLength: 1, maxLength: 2 })).map(parts => parts.join('')),
      fc.tuple(han, han, fc.string({ unit: given, minLength: 1, maxLength: 2 })).map(parts => parts.join('')),
      fc.tuple(part, fc.constantFrom(...'·•‧・'), part).map(parts => parts.join('')),
    )
    const around = fc.constantFrom(
      ['', ''],
      ['个体工商户', ''],
      ['', '（个体工商户）'],
      ['示例小吃店（', '）'],
      ['', '（示例小吃店）'],
    )
    fc.assert(
      fc.property(name, around, (person, [before = '', behind = '']) => {
        const stars = '*'.repeat([...person].length)
        expect(maskHolder(`${before}${person}${behind}`, 'individual-business')).toBe(`${before}${stars}${behind}`)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is masked for its kind alone: a firm keeps a name that no individual business is known by', () => {
    const record = (kind: 'enterprise' | 'individual-business') => maskField('虚构示例集团', 'holder', kind)
    expect([record('enterprise'), record('individual-business')]).toEqual(['虚构示例集团', '******'])
  })

  it.each([
    ['张 三', '***'],
    ['欧阳明月', '****'],
    ['阿迪力·买买提', '*******'],
    ['張國榮', '***'],
  ])('who is a person under the code of a firm: %s leaves as %s', (name, masked) => {
    expect(maskHolder(name, 'enterprise').replace(' ', '*')).toBe(masked)
  })

  it.each(['江阴示例一号纺织（集团）有限公司', '万达广场', '中国建设银行', '江苏阳光集团有限公司', '向阳村卫生室'])(
    'who is an enterprise keeps its name: %s',
    name => {
      expect(maskHolder(name, 'enterprise')).toBe(name)
    },
  )
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
