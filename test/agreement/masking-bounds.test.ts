/** At its edges, what masking hides and what it leaves: one text more or less of a number, a name or the name of a business. */
import { describe, expect, it } from 'vitest'
import { look, NAME, NUMBER, PERSONAL } from '#agreement/look.ts'
import { maskField, maskHolder, maskText, maskValue } from '#agreement/mask.ts'
import { completeUscc } from '#protocol/subject.ts'

const starred = (text: string) => text.replaceAll(/[^（()）\s]/gu, '*')

describe('a text of ten characters', () => {
  it('that is a day stays, and one with two dashes that is none is looked at like any other', () => {
    expect(maskText('2026-03-01')).toBe('2026-03-01')
    expect(maskText('股东张三-备注-王五')).toBe('股东**-备注-王五')
    expect(maskText('1380-01-38000')).toBe('****-**-*****')
    expect(maskText('电话1-23-456')).toBe('电话1-23-456')
  })
})

describe('the number of a document', () => {
  const landline = '051258281234'
  it.each([
    'number',
    'document',
    'certificateNumber',
    'authorityCode',
    'sourceCode',
    'division',
    'agreement',
    'notice',
  ])(
    'may look like a telephone or a card where the field %s says what it is, and never holds what a word says to be one',
    field => {
      expect(maskField(landline, field, 'enterprise')).toBe(landline)
      expect(maskField('4111111111111111', field, undefined)).toBe('4111111111111111')
      expect(maskField('电话：58281234', field, 'enterprise')).toBe('电话：********')
      expect(maskField('110101199003077758', field, 'enterprise')).toBe('******************')
      expect(maskField({ untranslated: landline }, field, 'enterprise')).toEqual({ untranslated: '*'.repeat(12) })
    },
  )

  it.each(['remark', 'content', 'facts', 'case', 'licence'])('is not what stands in the field %s', field => {
    expect(maskField(landline, field, 'enterprise')).toBe('*'.repeat(12))
    expect(maskField('4111111111111111', field, 'enterprise')).toBe('*'.repeat(16))
  })
})

describe('the field of the holder', () => {
  it('is masked as a name, and any other as a text', () => {
    expect(maskField('张三', 'holder', 'enterprise')).toBe('**')
    expect(maskField('张三', 'authority', 'enterprise')).toBe('张三')
    expect(maskField({ untranslated: '经办人：张三' }, 'holder', 'enterprise')).toEqual({ untranslated: '经办人：**' })
    expect(maskField('示例公司（联系电话58281234）', 'holder', 'enterprise')).toBe('示例公司（联系电话********）')
  })
})

describe('a value', () => {
  it('keeps all but its own words', () => {
    expect(maskValue({ code: 'a', original: '经办人：张三' })).toEqual({ code: 'a', original: '经办人：**' })
    const several = { ambiguous: true as const, codes: ['a', 'b'], original: '经办人：张三' }
    expect(maskValue(several)).toEqual({ ...several, original: '经办人：**' })
    const untranslated = { untranslated: '不详' }
    expect(maskValue(untranslated)).toBe(untranslated)
  })
})

describe('a telephone with its area code', () => {
  it.each(['01058281234', '02158281234', '02558281234', '02758281234', '051258281234', '075228012340', '03115828123'])(
    'is hidden wherever it stands: %s',
    number => {
      expect(maskText(`现场${number}，`)).toBe(`现场${'*'.repeat(number.length)}，`)
    },
  )

  it.each([
    '02658281234',
    '001058281234',
    '005128281234',
    '01018281234',
    '051218281234',
    '051298281234',
    '010582812345',
    '0215828123',
    '0312582812',
  ])('is none where there is no such area, or nobody’s number begins so or is of that length: %s', number => {
    expect(maskText(`现场${number}，`)).toBe(`现场${number}，`)
  })
})

describe('a card', () => {
  it('is known by its check digit', () => {
    expect(maskText('现场4111111111111111，')).toBe('现场****************，')
    expect(maskText('现场4111111111111112，')).toBe('现场4111111111111112，')
    expect(maskText('现场378282246310005000，')).toBe('现场378282246310005000，')
    // Of nineteen and of seventeen digits, the second and every other one doubled from the end.
    expect(maskText('现场4000000000000000006，')).toBe('现场*******************，')
    expect(maskText('现场49927398716000005，')).toBe('现场49927398716000005，')
  })

  it('of the national scheme is one whatever its check digit, of sixteen to nineteen digits', () => {
    for (const length of [16, 17, 18, 19]) {
      const number = '6222021234567890123'.slice(0, length)
      expect(maskText(`现场${number}，`)).toBe(`现场${'*'.repeat(length)}，`)
    }
    expect(maskText('现场622202123456789，')).toBe('现场622202123456789，')
  })
})

describe('an account', () => {
  it.each([
    ['汇款至123456789', '汇款至*********'],
    ['汇款至12345678', '汇款至12345678'],
    ['123456789（账户）', '*********（账户）'],
    ['账外金额123456789元', '账外金额123456789元'],
    ['工商户123456789', '工商户123456789'],
    ['开户行：示例银行123456789', '开户行：示例银行*********'],
    ['账号12345678', '账号********'],
    ['账号1234567', '账号1234567'],
  ])('is what stands beside a word of banking: %s', (text, masked) => {
    expect(maskText(text)).toBe(masked)
  })

  it('is no code of a firm, of an office or of a society, of digits alone', () => {
    const codes = ['91', '11', '52', '93'].flatMap(
      kind =>
        Array.from({ length: 400 }, (_, i) => completeUscc(`${kind}3202811234${String(5000 + i)}`)).find(code =>
          /^[0-9]{18}$/.test(code),
        ) ?? [],
    )
    expect(codes).toHaveLength(4)
    for (const code of codes) expect(maskText(`的${code}，账户`)).toBe(`的${code}，账户`)
  })
})

describe('the code of a firm', () => {
  it('stays where its digits pass for those of a card as well', () => {
    const codes = Array.from({ length: 300 }, (_, i) => completeUscc(`913202811234${String(5000 + i)}`))
    const digits = codes.filter(code => /^[0-9]+$/.test(code))
    // One in ten of them passes.
    expect(digits.length).toBeGreaterThan(50)
    for (const code of digits) expect(maskText(`现场${code}，`)).toBe(`现场${code}，`)
  })
})

describe('the name behind a role', () => {
  it.each([
    ...['应当', '应该', '任何', '任意', '任职', '任期', '方可', '方面', '方式', '高度', '全部', '全体', '连续', '连同'],
    ...['安全', '安排', '安置', '单位', '单独', '关于', '关系', '关联', '成立', '成为', '成员', '计划', '程序', '时间'],
    ...['申请', '申辩', '申报', '申诉', '申领', '申述', '项目', '严重', '平时', '房屋', '房产', '车辆', '金额', '文件'],
    ...['文书', '文化', '管理', '管辖', '明确', '明知', '明显', '和解', '查处', '查封', '查明', '解除', '解释', '解决'],
    ...['符合', '万元', '向我', '向本', '于本', '于次', '和员', '和股', '和法'],
  ])('is none where the word is %s', word => {
    expect(maskText(`当事人${word}，`)).toBe(`当事人${word}，`)
  })

  it.each([
    ['任我行', '***'],
    ['方一', '**'],
    ['连某某', '***'],
    ['关小羽', '***'],
    ['严', '严'],
    ['文天', '**'],
    ['向前进', '***'],
  ])('is one that begins like such a word: %s', (name, masked) => {
    expect(maskText(`当事人${name}，`)).toBe(`当事人${masked}，`)
  })

  it.each([
    ['法定代表人姓名：张三', '法定代表人姓名：**'],
    ['经办人：某某某某', '经办人：****'],
    ['经办人：某某某某某', '经办人：某某某某某'],
    ['经办人 : 阿·木', '经办人 : ***'],
    ['当事人为张三丰，', '当事人为***，'],
    ['当事人系张三丰，', '当事人系***，'],
    ['张三（本案当事人）', '**（本案当事人）'],
    ['与张三（当事人）', '与张三（当事人）'],
    ['股东张三、股东李四', '股东**、股东**'],
    ['（经营者：张三）的店', '（经营者：**）的店'],
    ['死者王五，家属赵六。', '死者**，家属**。'],
    ['死者王五家属赵六', '死者**家属**'],
    ['股东张三、李四、王五出资', '股东**、**、**出资'],
    ['负责人“张三”', '负责人“**”'],
    ['负责人﹕张三。', '负责人﹕**。'],
    ['法定代表人张三丰经办人李四', '法定代表人***经办人**'],
  ])('is found however it is written: %s', (text, masked) => {
    expect(maskText(text)).toBe(masked)
  })
})

describe('a holder under the code of a firm', () => {
  it.each([
    ['张 三', '***'],
    ['张  三丰', '*****'],
    ['王店生', '***'],
    ['（张三）', '（**）'],
    ['(张三)', '(**)'],
    ['张三(个体户)', '**(个体户)'],
    ['张三个体经营', '**个体经营'],
    ['个体户（张三）', '个体户（**）'],
    ['个体工商户阿迪力·买买提（个体工商户）', '个体工商户*******（个体工商户）'],
  ])('that is the name of a person leaves as its length alone: %s', (name, masked) => {
    expect(maskHolder(name, 'enterprise')).toBe(masked)
  })

  it.each(['何家店', '马记厂', '王府行', '江阴公司', '张三李四王五', '张家港的张三', '三张'])(
    'that is none stays: %s',
    name => {
      expect(maskHolder(name, 'enterprise')).toBe(name)
      expect(maskHolder(name, undefined)).toBe(name)
    },
  )
})

describe('the name of an individual business', () => {
  it.each([
    ...[
      '虚构人',
      '店员虚构人',
      '公司虚构人',
      '家园虚构人',
      '小店',
      '虚构建材',
      '某某花园',
      '维修工虚构人',
      '虚构示例集团',
    ],
    ...['虚构·餐饮·示例', '虚构人个体经营示例'],
  ])('is none, and all of it goes: %s', name => {
    expect(maskHolder(name, 'individual-business')).toBe(starred(name))
  })

  it.each([
    ...['何记店', '虚构的花园', '虚构的建材', '虚构餐饮示例', '示例小吃店(虚构)', '示例小吃店（个人独资）'],
    ...[
      '示例小吃店（个人独资企业）',
      '示例小吃店（特殊普通合伙）',
      '示例小吃店（有限合伙）',
      '字号示例小吃店',
      '（虚构）示例小吃店',
    ],
    ...[
      '示例小吃店、示例五金店',
      '个体户（示例小吃店）',
      '示例小吃店个体户',
      '示例小吃店（个体）',
      '示例诊室（个体经营）',
    ],
  ])('stays as it is: %s', name => {
    expect(maskHolder(name, 'individual-business')).toBe(name)
  })

  it.each<readonly [string, string]>([
    ['个体虚构人', '个体***'],
    ['字号虚构人', '字号***'],
    ['个体工商户字号虚构人', '个体工商户字号***'],
    ['个体户(虚构人', '个体户(***'],
    ['虚构人个体', '***个体'],
    ['虚构人个体户', '***个体户'],
    ['虚构人个体经营', '***个体经营'],
    ['示例小吃店(虚构人)', '示例小吃店(***)'],
    ['示例小吃店（虚构人普通合伙）', '示例小吃店（*******）'],
    ['示例小吃店（普通合伙虚构人）', '示例小吃店（*******）'],
    ['示例小吃店（虚构人）（个体工商户）', '示例小吃店（***）（个体工商户）'],
    ['示例小吃店（虚构人（个体户））', '示例小吃店（***（个体户））'],
    ['示例小吃店（虚构人） （个体户）', '示例小吃店（***） （个体户）'],
    ['示例小吃店（虚构人', '示例小吃店（***'],
    ['示例小吃店（虚构人）、示例五金店', '示例小吃店（***）、示例五金店'],
    ['（虚构人）示例小吃店', '（***）示例小吃店'],
    ['虚构（某某）人', '**（**）*'],
    ['虚构人）', '***）'],
    ['示例小吃店（某某 虚构）', '示例小吃店（** **）'],
    ['示例小吃店（虚构 某某）', '示例小吃店（** **）'],
    ['某某 江阴市(澄江)示例五金店', '** 江阴市(澄江)示例五金店'],
    ...['个体工商户', '个体', '。'].map(end => [`示例小吃店（虚构人）${end}`, `示例小吃店（***）${end}`] as const),
    ['示例小吃店（虚构人）普通合伙', '示例小吃店（***）****'],
    ['示例小吃店（虚构人）江阴', '示例小吃店（***）**'],
    ['示例小吃店\u200b虚构人', '示例小吃店\u200b***'],
    ...['【】', '〔〕', '[]', '{}', '《》', '“”', '﹙﹚'].map(
      ([open, close]) => [`示例小吃店${open}虚构人${close}`, `示例小吃店${open}***${close}`] as const,
    ),
    ...['-', '—', '_', '&', '+', '\\', '!', '。'].map(
      between => [`示例小吃店${between}虚构人`, `示例小吃店${between}***`] as const,
    ),
    ['虚构人(示例五金店）', '***(示例五金店）'],
    ['虚构人（示例五金店)', '***（示例五金店)'],
    ...[' ', '、', '，', ',', '；', ';', '/', '|', '：', ':'].flatMap(between => [
      [`示例五金店${between}虚构人`, `示例五金店${between}***`] as const,
      [`示例小吃店（虚构人${between}示例五金店）`, `示例小吃店（***${between}示例五金店）`] as const,
    ]),
  ])('goes in the part that is none: %s', (name, masked) => {
    expect(maskHolder(name, 'individual-business')).toBe(masked)
  })
})

describe('the one look at a text', () => {
  it.each([
    ['12345', 0],
    ['123456', NUMBER],
    ['１２３４５６', NUMBER],
    ['123-456', NUMBER],
    ['123--456', NUMBER],
    ['123---456', 0],
    ['123字456', 0],
    ['123456字', NUMBER],
    ['1234567890', NUMBER],
    ['12345678901', NUMBER | PERSONAL],
    ['一二三四五六七八九〇', 0],
    ['一二三四五六七八九〇一', PERSONAL],
    ['12345一67890', PERSONAL],
    ['1234一67890', 0],
    ['12345一678901', NUMBER | PERSONAL],
    ['①②③④⑤⑥⑦⑧⑨⓪①', PERSONAL],
    ['壹贰叁肆伍陆柒捌玖零壹', PERSONAL],
    ['股东', NAME],
    ['东股', 0],
    ['股 东', 0],
    ['當事人', NAME],
    ['个体', NAME],
    ['甲·乙', NAME],
    ['1·2', NAME],
    ['1···2', NAME],
    ['٣', NUMBER | PERSONAL],
    ['现场检查', 0],
    ['', 0],
  ])('sees in %s what may stand there, every time', (text, seen) => {
    expect(look(text)).toBe(seen)
    expect(look(text)).toBe(seen)
  })
})

describe('a text of a peer', () => {
  it.each([
    ['blanks behind a role', `当事人${' '.repeat(200_000)}`],
    ['roles', '当事人'.repeat(60_000)],
    ['names in a row', `当事人${'张三、'.repeat(60_000)}`],
    ['parts of a name', `当事人张三${'·某'.repeat(60_000)}`],
    ['opened brackets', `负责人${'（'.repeat(200_000)}`],
    ['names before blanks', `张三${' '.repeat(200_000)}（负责人）`],
  ])('that is nothing but %s is read in a moment, however long', (_, text) => {
    const began = performance.now()
    maskField(text, 'content', 'enterprise')
    maskHolder(text, 'individual-business')
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})
