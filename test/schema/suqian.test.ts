/** Suqian: field names of 2015 at two levels, raters that lose their standing, and commitments, contracts and breaches that are no list. */
import { afterAll, describe, expect, test } from 'vitest'
import { holdsPersonalNumber } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import { gather, lookUp } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'
import { cityNames, demoTables, mappingOf } from './cities.ts'
import { cityDatabase, keptBy, openText } from './lookup.ts'

const suqian = cityDatabase('suqian')
afterAll(() => suqian.close())
const [LIQUOR, FLOWERS, SNACKS, CRABS, BUILDER, TEXTILES, ELECTRONICS] = [
  '91321302XXXXXX115L',
  '91321322XXXXXX123E',
  '92321302XXXXXX1317',
  '93321324XXXXXX14XP',
  '91321300XXXXXX1585',
  '91320281XXXXXX0197',
  '91441300XXXXXX019D',
] as const
const everyone = [LIQUOR, FLOWERS, SNACKS, CRABS, BUILDER, TEXTILES, ELECTRONICS]

/** The record about a subject with this number, or with this id. */
async function record(subject: string, named: string): Promise<SharedRecord> {
  const found = (await suqian.about(subject)).find(({ id, fields }) => id === named || fields['number'] === named)
  if (found === undefined) throw new Error(`no record ${named}`)
  return found
}

const shownIn = (city: string, { id, family, fields }: SharedRecord) => toLocal({ id, family, fields }, mappingOf(city))

/** A row with these columns and none of the others. */
function read(table: string, row: Readonly<Record<string, string | null>>): SharedRecord {
  const [found] = toShared([{ table, subject: LIQUOR, row }], suqian.mapping)
  if (found === undefined) throw new Error('no record')
  return found
}

describe('two levels', () => {
  test('city and county are two databases, each with its own tables', () => {
    expect(suqian.sources.all.map(({ name, tables }) => [name, tables.map(({ table }) => table)])).toEqual([
      ['city', ['T_XZXK', 'T_XZCF', 'T_HHMD', 'T_HHMD', 'T_DSFPJ', 'T_HYPJ', 'T_XYCN', 'T_QYHT', 'T_WYSX']],
      ['county', ['t_sgs_xk', 't_sgs_cf']],
    ])
  })

  test('a decision that the county made and the city gathered is given once, by the county', async () => {
    for (const number of ['沭演示许〔2024〕8号', '沭市监演示罚〔2026〕9号']) {
      const rows = demoTables('suqian').flatMap(({ rows }) => rows.filter(row => Object.values(row).includes(number)))
      expect(rows).toHaveLength(2)
      const found = (await suqian.about(FLOWERS)).filter(({ fields }) => fields['number'] === number)
      expect(found).toHaveLength(1)
      expect(found[0]?.fields['division']).toBe('321322')
    }
  })

  test('a row of the city without a local code is the city’s', async () => {
    expect((await record(TEXTILES, '宿演示许〔2025〕9号')).fields['division']).toBe('321300')
    const tables = [...suqian.mapping.tables.values()].filter(({ source }) => source === 'city')
    expect(tables[0]?.where).toContainEqual(expect.objectContaining({ column: 'DFBM', notIn: expect.any(Array) }))
  })

  test('without the counties’ database licences and penalties are unknown, and not clean', async () => {
    const [city, county] = suqian.sources.all
    if (city === undefined || county === undefined) throw new Error('not two sources')
    const gone = openSqlite({ name: 'county', path: '/nowhere/county.sqlite', tables: county.tables })
    const found = await lookUp({ subjects: [LIQUOR], families: ['licence', 'penalty', 'list'] }, gather([city, gone]))
    expect(found.map(({ unknown }) => unknown)).toEqual(['source.unreachable', 'source.unreachable', undefined])
  })

  test('small letters without underscores are the same fields', async () => {
    const { fields } = await record(CRABS, '泗洪演示许〔2023〕12号')
    expect(fields).toMatchObject({
      holder: '泗洪示例四号水产专业合作社（虚构）',
      kind: { code: 'franchise', original: '特许' },
      decided: '2023-03-16',
      validUntil: '2033-03-15',
      authority: '泗洪县人民政府',
    })
  })

  test('what another city sends is shown in the city’s own tables', async () => {
    const { table, columns } = shownIn('suqian', await record(CRABS, '泗洪演示许〔2023〕12号'))
    expect(table).toBe('T_XZXK')
    expect(columns).toMatchObject({ XK_XDR: '泗洪示例四号水产专业合作社（虚构）', XK_JZQ: '2033/03/15' })
  })
})

describe('a code', () => {
  test('of 17 zeros and X, or none, is found by the organisation code, with a hyphen or without', async () => {
    expect((await record(BUILDER, '宿演示许〔2016〕4号')).subject).toBe(BUILDER)
    expect((await record(LIQUOR, '宿城演示许〔2016〕13号')).subject).toBe(LIQUOR)
  })

  test('of another city’s firm is found as well', async () => {
    expect((await suqian.about(ELECTRONICS)).map(({ family }) => family)).toEqual(['licence'])
  })
})

describe('a state', () => {
  test.each([
    ['0', 'normal'],
    ['1', 'withdrawn'],
    ['2', 'objection'],
    ['3', 'undetermined'],
    ['4', 'undetermined'],
    [null, 'undetermined'],
  ])('%s of 2015 is %s', (XK_ZT, state) => {
    expect(read('T_XZXK', { XK_ZT }).state).toBe(state)
    expect(read('t_sgs_xk', { xkzt: XK_ZT }).state).toBe(state)
  })

  test('1 is withdrawn in a licence, repaired in a penalty and valid on a commitment', () => {
    expect(read('T_XZXK', { XK_ZT: '1' }).state).toBe('withdrawn')
    expect(read('T_XZCF', { CF_ZT: '0', XFZT: '1' }).state).toBe('repaired')
    expect(read('T_XYCN', { DJZT: '1' }).state).toBe('normal')
  })

  test('of two columns the graver one holds', () => {
    expect(read('T_XZCF', { CF_ZT: '2', XFZT: '1' }).state).toBe('repaired')
    expect(read('T_XZCF', { CF_ZT: '1', XFZT: '2' }).state).toBe('withdrawn')
    expect(read('T_XZCF', { CF_ZT: '3', XFZT: null }).state).toBe('undetermined')
  })

  test('an objection leaves with its mark', async () => {
    const contested = await record(BUILDER, '宿应急演示罚〔2026〕4号')
    expect(contested.state).toBe('objection')
    expect(keptBy(contested)).toBeUndefined()
  })
})

describe('信息使用范围', () => {
  test.each([
    ['0', 'public'],
    ['1', 'government'],
    ['2', 'authorised'],
    ['3', 'undetermined'],
    [null, 'undetermined'],
  ])('%s is %s', (SYFW, level) => {
    for (const table of ['T_XZXK', 'T_XZCF', 'T_HHMD', 'T_DSFPJ', 'T_XYCN', 'T_QYHT', 'T_WYSX']) {
      expect(read(table, { SYFW }).level).toBe(level)
    }
    expect(read('t_sgs_cf', { syfw: SYFW }).level).toBe(level)
  })
})

describe('a grade of dishonesty', () => {
  test('一般 is the lowest here and the middle one there: no word of ours is a grade of order 36', async () => {
    const { fields } = await record(LIQUOR, '宿环演示罚〔2026〕1号')
    expect(fields['grade']).toEqual({ codes: ['minor', 'general'], ambiguous: true, original: '1' })
    expect(shownIn('huizhou', { ...(await record(LIQUOR, '宿环演示罚〔2026〕1号')) }).columns).not.toHaveProperty(
      'SXCD',
    )
  })

  test('未定 is no grade', async () => {
    expect((await record(BUILDER, '宿税演示罚〔2026〕6号')).fields['grade']).toEqual({ untranslated: '0' })
  })

  test('of another city is not written into our scale', () => {
    const fields = { grade: { code: 'general', original: '一般' } }
    const local = toLocal({ id: 'x', family: 'penalty', fields }, suqian.mapping)
    expect(local.columns).toEqual({})
    expect(local.untranslated).toMatchObject([{ field: 'grade', original: '一般' }])
  })
})

describe('kinds of penalty', () => {
  test('the seven words of 2015 are a set that cannot be told apart', async () => {
    const found = await record(BUILDER, '宿住建演示罚〔2026〕3号')
    expect(found.fields['kinds']).toMatchObject({ codes: ['03', '09', '05', '11'], ambiguous: true })
    expect(shownIn('suqian', found).columns).toMatchObject({
      CF_CFLB1: '没收违法所得、没收非法财物',
      CF_CFLB2: '暂扣或者吊销许可证、暂扣或者吊销执照',
    })
  })

  test('of the fourteen of 2021 are said in the seven, and that it is less is said with them', () => {
    const fields = { kinds: { codes: ['02', '08'], original: '罚款;通报批评' } }
    const { columns, meanings } = toLocal({ id: 'x', family: 'penalty', fields }, suqian.mapping)
    expect(columns).toEqual({ CF_CFLB1: '罚款', CF_CFLB2: '其他' })
    expect(meanings['CF_CFLB1']).toEqual({ original: '罚款;通报批评', relation: 'broader' })
  })

  test('an unlisted one is carried as it stands', async () => {
    expect((await record(FLOWERS, '沭综执演示罚〔2026〕10号')).fields['kinds']).toEqual({
      untranslated: '责令限期拆除',
    })
  })
})

describe('a date', () => {
  test.each([
    ['2024/05/06', '2024-05-06'],
    ['2025-1-8', '2025-01-08'],
    ['20230316', '2023-03-16'],
    ['2020年6月15日', '2020-06-15'],
    ['2099/12/31', 'indefinite'],
    ['9999-12-31', 'indefinite'],
    ['长期有效', 'indefinite'],
    ['1900/01/01', undefined],
    ['\\N', undefined],
    ['无', undefined],
  ])('%s is %s', (XK_JZQ, day) => {
    expect(read('T_XZXK', { XK_JZQ }).fields['validUntil']).toBe(day)
  })

  test('of the end of publicity that is not known keeps the record at home', async () => {
    const found = await record(CRABS, '泗洪演示罚〔2026〕12号')
    expect(found.state).toBe('undetermined')
    expect(keptBy(found)).toBe('record.publicity')
  })
})

describe('a rating by a third party', () => {
  test('names its agency, and what the agency’s standing is today', async () => {
    const [good, suspended, struck] = [
      await record(LIQUOR, 'bg-SQBG001'),
      await record(BUILDER, 'bg-SQBG002'),
      await record(FLOWERS, 'bg-SQBG003'),
    ]
    expect([good, suspended, struck].map(({ fields }) => fields['raterStatus'])).toEqual([
      { code: 'active', original: '正常' },
      { code: 'suspended', original: '停业整顿' },
      { code: 'struck-off', original: '清除出市场' },
    ])
    expect(good.fields).toMatchObject({
      scheme: { code: 'third-party-aaa' },
      level: { code: 'third-party-aaa.aa', original: 'AA' },
      origin: { code: 'third-party' },
      authority: '宿迁示例甲信用服务有限公司（虚构）',
      validUntil: expect.stringMatching(/^\d{4}-/),
    })
  })

  test('of an agency whose standing is not in the list says so, and never that it is good', async () => {
    expect((await record(CRABS, 'bg-SQBG005')).fields['raterStatus']).toEqual({ untranslated: '待核查' })
    expect(read('T_DSFPJ', { JGZT: null, DJZT: '有效' }).fields).not.toHaveProperty('raterStatus')
  })

  test('never loses the agency’s standing on the way to a city that has no column for it', async () => {
    const struck = await record(FLOWERS, 'bg-SQBG003')
    for (const city of cityNames.filter(each => each !== 'suqian')) {
      expect(shownIn(city, struck).untranslated).toContainEqual(
        expect.objectContaining({ field: 'raterStatus', original: '清除出市场', meaning: '清除出市场' }),
      )
    }
  })

  test('that was withdrawn does not leave', async () => {
    expect(keptBy(await record(LIQUOR, 'bg-SQBG004'))).toBe('record.ended')
  })

  test('of a level outside the nine gets none of them', async () => {
    expect((await record(TEXTILES, 'bg-SQBG006')).fields['level']).toEqual({ untranslated: 'AA+' })
  })

  test('stands apart from those of authorities: where a foreign one goes follows from its scheme', () => {
    const shown = (scheme: string) =>
      toLocal({ id: 'x', family: 'rating', fields: { scheme: { code: scheme, original: 'x' } } }, suqian.mapping).table
    expect([shown('third-party-aaa'), shown('tax-2025')]).toEqual(['T_DSFPJ', 'T_HYPJ'])
  })
})

describe('a rating by an authority', () => {
  test('of the environment has the five colours of the Delta: black and red are two', async () => {
    const black = await record(BUILDER, 'pj-SQPJ002')
    expect(black.fields['level']).toMatchObject({ code: 'environment-yrd.black' })
    expect(shownIn('jiangyin', black).columns).toMatchObject({ PDJG: '黑色' })
    expect(shownIn('huizhou', black).columns).not.toHaveProperty('PJDJ')
  })

  test('yellow is average here, and is not the warning of the national plates', async () => {
    const yellow = await record(LIQUOR, 'pj-SQPJ001')
    expect(yellow.fields['level']).toMatchObject({ code: 'environment-yrd.yellow', original: '黄色' })
    for (const city of ['huizhou', 'jimo']) expect(shownIn(city, yellow).columns).not.toHaveProperty('PJDJ')
  })

  test('of tax is of the rules of its day, and M is between no two levels', async () => {
    expect((await record(LIQUOR, 'pj-SQPJ003')).fields['level']).toMatchObject({ code: 'tax-before-2025.a' })
    expect((await record(FLOWERS, 'pj-SQPJ004')).fields['level']).toMatchObject({ code: 'tax-2025.m' })
    const levels = suqian.mapping.vocabulary.schemes.get('tax-2025')?.levels ?? []
    expect(levels.find(({ code }) => code === 'tax-2025.m')?.rank).toBeNull()
  })

  test('常规 of customs is of the rules of its day, to the day', async () => {
    expect((await record(BUILDER, 'pj-SQPJ005')).fields['level']).toMatchObject({ code: 'customs-2021.other' })
    expect((await record(BUILDER, 'pj-SQPJ006')).fields['level']).toMatchObject({ code: 'customs-2026.routine' })
  })

  test('of the city’s own scheme, whose levels are not published, has none of ours', async () => {
    const { scheme, fields } = await record(LIQUOR, 'pj-SQPJ007')
    expect(scheme).toBeUndefined()
    expect(fields).toMatchObject({ scheme: { untranslated: '宿迁市企业信用等级' }, level: { untranslated: 'AAA' } })
  })

  test('of labour before 2017 was of four levels: its D is none of three', async () => {
    const { fields } = await record(BUILDER, 'pj-SQPJ008')
    expect(fields).toMatchObject({ level: { untranslated: 'D' } })
    expect(
      read('T_HYPJ', { PJMC: '劳动保障守法诚信等级', PJDJ: 'C', PJRQ: '2018/01/01' }).fields['level'],
    ).toMatchObject({
      code: 'labour-2017.c',
    })
  })
})

describe('a commitment, a contract, a breach', () => {
  test('are three families, and the breach names what was broken', async () => {
    const [promise, contract] = [await record(FLOWERS, 'SQCN002'), await record(FLOWERS, 'SQHT002')]
    const breaches = (await suqian.about(FLOWERS)).filter(({ family }) => family === 'breach')
    expect([promise.family, contract.family]).toEqual(['commitment', 'contract'])
    expect(breaches.map(({ fields }) => [fields['of'], fields['agreement']])).toEqual([
      [{ code: 'commitment', original: '信用承诺' }, 'SQCN002'],
      [{ code: 'contract', original: '合同' }, 'SQHT002'],
    ])
    expect([promise, contract].map(({ fields }) => fields['performance'])).toEqual([
      { code: 'not-performed', original: '未履行' },
      { code: 'not-performed', original: '违约' },
    ])
  })

  test('the notice that came before stands on the breach', async () => {
    expect((await record(FLOWERS, 'SQWY001')).fields['notice']).toBe('宿信告演示〔2026〕1号')
  })

  test('a breach has no field that could name a list or a penalty, and no city shows it as one', async () => {
    const family = suqian.mapping.vocabulary.families.get('breach')
    expect([family?.listField, family?.schemeField]).toEqual([undefined, undefined])
    const breach = await record(FLOWERS, 'SQWY001')
    expect(breach.list).toBeUndefined()
    for (const city of cityNames.filter(each => each !== 'suqian')) {
      const { table, columns, untranslated } = shownIn(city, breach)
      expect([table, columns]).toEqual([undefined, {}])
      expect(untranslated.map(({ reason }) => reason)).toContain('no-table')
    }
    expect(shownIn('suqian', breach).table).toBe('T_WYSX')
  })

  test('of a kind outside the list is carried as it stands', async () => {
    expect((await record(BUILDER, 'SQWY004')).fields['of']).toEqual({ untranslated: '口头约定' })
  })

  test('a repaired breach and a void commitment do not leave', async () => {
    expect(keptBy(await record(BUILDER, 'SQWY003'))).toBe('record.ended')
    expect(keptBy(await record(BUILDER, 'SQCN005'))).toBe('record.ended')
  })

  test('the amount of a contract is in ten thousand yuan here, and exact', async () => {
    expect((await record(FLOWERS, 'SQHT002')).fields['amount']).toEqual({
      amount: '361234.56',
      currency: 'CNY',
      unit: '1',
    })
    expect(shownIn('suqian', await record(BUILDER, 'SQHT001')).columns['HTJE']).toBe('215.5')
  })

  test('the other party of a contract, who may be a person, is never read', () => {
    expect(suqian.mapping.tables.get('T_QYHT')?.columns).not.toContain('XDF')
  })
})

describe('a list', () => {
  test('made by counting is computed, whatever it calls itself: no basis, no authority, no document', async () => {
    const { list, fields } = await record(LIQUOR, 'md-SQ0002')
    expect(list).toBe('computed-black')
    expect(suqian.mapping.vocabulary.lists.get('computed-black')?.severe).toBe(false)
    for (const field of ['basis', 'authority', 'document']) expect(fields).not.toHaveProperty(field)
    expect(fields['reason']).toBe('系统自动加入黑名单')
  })

  test('made by counting under the name of a severe list is still computed', () => {
    const row = { MDLB: '安全生产严重失信主体', LRFS: '系统自动', SLYJ: '应急管理部令第11号' }
    expect(read('T_HHMD-auto', row).list).toBe('computed-black')
  })

  test('without a basis is black and not severe', async () => {
    expect((await record(FLOWERS, 'md-SQ0003')).list).toBe('local-black')
  })

  test('with basis, authority and document is the list that it says', async () => {
    const { list, fields } = await record(BUILDER, 'md-SQ0001')
    expect(list).toBe('wage-arrears')
    expect(fields).toMatchObject({ basis: '人力资源和社会保障部令第45号', document: '宿人社演示〔2026〕1号' })
    expect(JSON.stringify(fields)).not.toContain('暂停财政拨款')
  })

  test('ends with its repair and with the day of removal', async () => {
    expect(keptBy(await record(BUILDER, 'md-SQ0006'))).toBe('record.ended')
    expect(keptBy(await record(FLOWERS, 'md-SQ0005'))).toBe('record.ended')
  })
})

describe('a person', () => {
  test('has no record, in whatever table a row about one stands', async () => {
    const found = await suqian.about(LIQUOR)
    const persons = found.filter(({ aboutPerson }) => aboutPerson !== false)
    expect(persons.map(({ family, fields }) => [family, fields])).toEqual([
      ['list', {}],
      ['commitment', {}],
    ])
    for (const person of persons) expect(keptBy(person)).toBe('record.person')
    const numbers = found.map(({ fields }) => fields['number'])
    expect(numbers).not.toContain('宿演示许〔2022〕7号')
    expect(numbers).not.toContain('宿公演示罚〔2026〕7号')
  })

  test('is not seen where the column of identity numbers holds but a word for nothing', async () => {
    expect(keptBy(await record(LIQUOR, '宿演示许〔2024〕1号'))).toBeUndefined()
  })

  test('has no score: the table of scores is there, and no mapping reads it', () => {
    expect(demoTables('suqian').map(({ table }) => table)).toContain('T_GRXYJF')
    expect([...suqian.mapping.tables.values()].map(({ table }) => table)).not.toContain('T_GRXYJF')
  })

  test('has no column that is ever selected', () => {
    const personal = /SFZ|ZJHM|FDDBR|PJRY|CNRQM|(XK|CF)_FR$/i
    for (const { columns } of suqian.mapping.tables.values()) {
      for (const column of columns) expect(column).not.toMatch(personal)
    }
  })

  test('is named in nothing that leaves, and no number of one leaves unmasked', async () => {
    const all = (await Promise.all(everyone.map(suqian.about))).flat()
    expect(all.filter(({ fields }) => holdsPersonalNumber(JSON.stringify(fields)))).toHaveLength(3)
    for (const found of all) {
      expect(openText(found)).not.toMatch(/虚构人|虚构自然人|190001010/)
      expect(holdsPersonalNumber(openText(found))).toBe(false)
    }
  })

  test('with a masked name has no name', async () => {
    expect((await record(SNACKS, '宿城演示许〔2025〕11号')).fields['holder']).toBeUndefined()
  })
})

test('brackets of a name stay as they are, full or half width', async () => {
  expect((await record(BUILDER, '宿演示许〔2016〕4号')).fields['holder']).toBe('宿迁示例五号建设工程有限公司(虚构)')
  expect((await record(BUILDER, '宿住建演示罚〔2026〕3号')).fields['holder']).toBe(
    '宿迁示例五号建设工程有限公司（虚构）',
  )
})

test('（1/1） behind a number is noise', async () => {
  expect((await record(LIQUOR, '宿环演示罚〔2026〕1号')).fields['number']).toBe('宿环演示罚〔2026〕1号')
})

test('every row that must not leave is kept by a rule', async () => {
  const marked = (await Promise.all(everyone.map(suqian.about)))
    .flat()
    .filter(({ fields }) => String(fields['remark'] ?? '').includes('不得提供'))
  expect(marked.length).toBeGreaterThan(10)
  for (const found of marked) {
    const kept = keptBy(found) ?? (found.level === 'authorised' ? 'authorised' : undefined)
    expect(kept, String(found.fields['remark'])).toBeDefined()
  }
})
