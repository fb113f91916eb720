/** Jimo: two generations of double publicity mixed in one table, three libraries, codes of a city that is now a district. */
import { afterAll, describe, expect, test } from 'vitest'
import { holdsPersonalNumber } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import { gather, lookUp } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'
import { demoTables, mappingOf } from './cities.ts'
import { cityDatabase, keptBy, openText } from './lookup.ts'

const jimo = cityDatabase('jimo')
afterAll(() => jimo.close())
const SCALES = '913702822647245478'
const [TAILOR, FOOD, SNACKS, FRUIT, BUILDER, TEXTILES, ELECTRONICS] = [
  '91370282XXXXXX115K',
  '91370215XXXXXX123D',
  '92370215XXXXXX1315',
  '93370282XXXXXX14XT',
  '91370215XXXXXX1580',
  '91320281XXXXXX0197',
  '91441300XXXXXX019D',
] as const
const everyone = [SCALES, TAILOR, FOOD, SNACKS, FRUIT, BUILDER, TEXTILES, ELECTRONICS]

/** The record about a subject with this number, or with this id. */
async function record(subject: string, named: string): Promise<SharedRecord> {
  const found = (await jimo.about(subject)).find(({ id, fields }) => id === named || fields['number'] === named)
  if (found === undefined) throw new Error(`no record ${named}`)
  return found
}

const shownIn = (city: string, { id, family, fields }: SharedRecord) => toLocal({ id, family, fields }, mappingOf(city))

/** A row with these columns and none of the others. */
function read(table: string, row: Readonly<Record<string, string | null>>): SharedRecord {
  const [found] = toShared([{ table, subject: TAILOR, row }], jimo.mapping)
  if (found === undefined) throw new Error('no record')
  return found
}

describe('two generations in one table', () => {
  test('1 is withdrawn in a row of 2015, and valid in a row of 2018', async () => {
    const [old, now] = [await record(TAILOR, '即演示许字〔2016〕3号'), await record(TAILOR, '即演示许〔2024〕4号')]
    expect([old.state, now.state]).toEqual(['withdrawn', 'normal'])
    expect([keptBy(old), keptBy(now)]).toEqual(['record.ended', undefined])
  })

  test('0 is in force in a row of 2015, and no state at all in a row of 2018', async () => {
    expect((await record(TAILOR, '即演示许字〔2015〕2号')).state).toBe('normal')
    const confused = await record(FOOD, '即演示许〔2020〕9号')
    expect(confused.state).toBe('undetermined')
    expect(keptBy(confused)).toBe('record.ended')
  })

  test('2 is an objection in a row of 2015, and no longer valid in a row of 2018', async () => {
    const contested = await record(BUILDER, '即建演示罚字〔2017〕8号')
    expect(contested.state).toBe('objection')
    // Of 2017 and public for ever: no rule gives it an end, so it cannot be told whether it is past.
    expect(keptBy(contested)).toBe('record.publicity')
    expect((await record(FOOD, '即演示许〔2022〕8号')).state).toBe('ended')
  })

  test('no row is read by both, and none by neither', async () => {
    const numbers = (await Promise.all(everyone.map(jimo.about))).flat().flatMap(({ fields }) => fields['number'] ?? [])
    expect(new Set(numbers).size).toBe(numbers.length)
    const tables = demoTables('jimo').filter(({ table }) => table.startsWith('SGS_') || table.startsWith('FQY_'))
    const rows = tables.flatMap(({ rows }) => rows).filter(row => !String(row['BZ'] ?? '').startsWith('自然人'))
    const askable = rows.filter(row => !String(row['XK_XDR_SHXYM'] ?? '').startsWith('12'))
    expect(numbers).toHaveLength(askable.length)
  })

  test('a row with the kind of party of 2018 and the column names of 2015 is read whole', async () => {
    const { fields } = await record(FOOD, '即演示许〔2019〕5号')
    expect(fields).toMatchObject({
      holder: '青岛示例二号(即墨)食品有限公司(虚构)',
      kind: { code: 'ordinary', original: '普通许可' },
      validUntil: 'indefinite',
      authority: '即墨区市场监督管理局',
    })
  })

  test('a penalty of 2018 under the names of 2015 keeps its kinds, its result and its end', async () => {
    const { fields, publishedUntil } = await record(BUILDER, '即消演示罚〔2026〕10号')
    expect(fields).toMatchObject({
      kinds: {
        codes: ['01', '05', '11'],
        ambiguous: true,
        original: '警告;暂扣或者吊销许可证、暂扣或者吊销执照',
      },
      content: '警告，暂扣许可证三十日',
      authority: '即墨区消防救援大队',
    })
    expect(publishedUntil).toBe(fields['publishedUntil'])
  })

  test('the result is 处罚结果 in 2015 and 处罚内容 in 2018, and the authority is no result', async () => {
    expect((await record(TAILOR, '即工商演示处字〔2016〕2号')).fields).toMatchObject({
      content: '没收违法所得三千元，罚款五千元',
      authority: '即墨市工商行政管理局',
    })
    expect((await record(TAILOR, '即环演示罚〔2026〕1号')).fields).toMatchObject({
      content: '警告，罚款人民币贰万伍仟元整',
      authority: '青岛市生态环境局即墨分局',
    })
  })

  test('the local code stands in rows of 2015 alone, as the city it was or the district it is', async () => {
    expect((await record(TAILOR, '即工商演示处字〔2016〕2号')).fields['division']).toBe('370282')
    expect((await record(BUILDER, '即建演示罚字〔2017〕8号')).fields['division']).toBe('370215')
    expect((await record(TAILOR, '即演示许〔2024〕4号')).fields['division']).toBeUndefined()
  })

  test('what another city sends is shown in the columns of 2018', async () => {
    const { table, columns } = shownIn('jimo', await record(TAILOR, '即演示许字〔2015〕2号'))
    expect(table).toBe('SGS_XZXK-2018')
    expect(columns).toMatchObject({ XK_XDR_MC: '青岛示例一号制衣有限公司（虚构）', XK_YXQZI: '2099/12/31' })
    expect(columns).not.toHaveProperty('XK_XDR')
  })
})

describe('three libraries', () => {
  test('a co-operative is found in the library of legal persons that are no enterprises', async () => {
    const found = await jimo.about(FRUIT)
    expect(found.map(({ family, kind }) => [family, kind])).toEqual([
      ['licence', 'cooperative'],
      ['penalty', 'cooperative'],
    ])
  })

  test('two of them are connected, each with the tables that stand in it; that of persons has none', () => {
    expect(jimo.sources.all.map(({ name, tables }) => [name, tables.map(({ name }) => name)])).toEqual([
      ['enterprise', ['SGS_XZXK-2018', 'SGS_XZXK-2015', 'SGS_XZCF-2018', 'SGS_XZCF-2015', 'LHJC_MD', 'XYPJ']],
      ['organisation', ['FQY_XZXK', 'FQY_XZCF']],
    ])
  })

  test('of which one cannot be read leave what both hold unknown, and not clean', async () => {
    const [enterprise, organisation] = jimo.sources.all
    if (enterprise === undefined || organisation === undefined) throw new Error('not two sources')
    const gone = openSqlite({ name: 'organisation', path: '/nowhere/organisation.sqlite', tables: organisation.tables })
    const families = ['licence', 'penalty', 'list', 'rating']
    const found = await lookUp({ subjects: [TAILOR], families }, gather([enterprise, gone]))
    expect(found.map(({ family, unknown }) => [family, unknown])).toEqual([
      ['licence', 'source.unreachable'],
      ['penalty', 'source.unreachable'],
      ['list', undefined],
      ['rating', undefined],
    ])
  })
})

describe('a code', () => {
  test('with the given-up 370282 is as good as one with 370215: both are Jimo’s', async () => {
    expect(await jimo.about(SCALES)).toHaveLength(1)
    expect(await jimo.about(TAILOR)).not.toHaveLength(0)
    expect(await jimo.about(FOOD)).not.toHaveLength(0)
  })

  test('is never the reason to look elsewhere: a firm of another city has records here', async () => {
    expect((await jimo.about(TEXTILES)).map(({ family }) => family)).toEqual(['licence', 'rating'])
    expect((await jimo.about(ELECTRONICS)).map(({ family }) => family)).toEqual(['licence', 'penalty'])
  })

  test('of 17 zeros and X is no code: the row is found by its organisation code, hyphen and all', async () => {
    const { subject, fields } = await record(FOOD, '即演示许字〔2016〕6号')
    expect(subject).toBe(FOOD)
    expect(fields['validUntil']).toBe('indefinite')
  })

  test('behind the words 统一社会信用代码： is found as well', async () => {
    expect((await record(FOOD, 'JY-演示-0007')).subject).toBe(FOOD)
  })
})

describe('a text', () => {
  test('"undefined" is no number: that of the certificate takes its place', async () => {
    expect((await record(FOOD, 'JY-演示-0007')).fields['certificateNumber']).toBe('JY-演示-0007')
  })

  test('（1/1） behind a number is noise', async () => {
    expect((await record(TAILOR, '即演示许〔2024〕4号')).fields['number']).toBe('即演示许〔2024〕4号')
  })

  test('a masked name is no name', async () => {
    expect((await record(SNACKS, '即演示许〔2025〕12号')).fields['holder']).toBeUndefined()
    for (const holder of ['*', '***', '＊＊']) {
      expect(read('LHJC_MD', { XDR_MC: holder, XDR_LB: '企业' }).fields['holder']).toBeUndefined()
    }
  })

  test('keeps its own brackets, full or half width', async () => {
    expect((await record(FOOD, '即演示许〔2019〕5号')).fields['holder']).toContain('(即墨)')
    expect((await record(FOOD, '即演示许字〔2016〕6号')).fields['holder']).toContain('（即墨）')
  })

  test('a word of a list is the same word with other brackets', () => {
    for (const XK_XKLB of ['其他（备案）', '其他(备案)']) {
      expect(read('SGS_XZXK-2018', { XK_XKLB, XK_XDR_LB: '企业' }).fields['kind']).toMatchObject({ code: 'other' })
    }
  })

  test('that holds an identity or a telephone number leaves masked', async () => {
    const [licence, penalty] = [
      await record(SNACKS, '即演示许〔2025〕12号'),
      await record(TAILOR, '即环演示罚〔2026〕1号'),
    ]
    for (const found of [licence, penalty]) expect(holdsPersonalNumber(JSON.stringify(found.fields))).toBe(true)
    for (const found of [licence, penalty]) expect(holdsPersonalNumber(openText(found))).toBe(false)
  })
})

describe('a date', () => {
  test.each([
    ['20240316', '2024-03-16'],
    ['2024-3-16', '2024-03-16'],
    ['2029年3月15日', '2029-03-15'],
    ['2023/07/11 00:00:00', '2023-07-11'],
    ['2026.04.20', '2026-04-20'],
    ['2099/12/31', 'indefinite'],
    ['2099-12-31', 'indefinite'],
    ['9999-09-09', 'indefinite'],
    ['长期', 'indefinite'],
    ['无处罚期限', 'indefinite'],
    ['1900-1-1', undefined],
    ['1899-12-31', undefined],
    ['暂无', undefined],
  ])('%s is %s', (XK_YXQZI, day) => {
    expect(read('SGS_XZXK-2018', { XK_YXQZI, XK_XDR_LB: '企业' }).fields['validUntil']).toBe(day)
  })

  test('that is none does not pass for the end of publicity', () => {
    expect(read('SGS_XZCF-2018', { CF_GSJZQ: '不详', SFXF: '否', CF_XDR_LB: '企业' }).state).toBe('undetermined')
    expect(read('SGS_XZCF-2015', { GSJZQ: '无处罚期限', CF_ZT: '0' }).publishedUntil).toBe('indefinite')
  })
})

describe('an amount', () => {
  test('is in ten thousand yuan here, to the last digit', async () => {
    expect((await record(ELECTRONICS, '即环演示罚〔2026〕14号')).fields).toMatchObject({
      fine: { amount: '30000', currency: 'CNY', unit: '1' },
      confiscated: { amount: '1234.56', currency: 'CNY', unit: '1' },
    })
  })

  test('is in yuan in Jiangyin', async () => {
    const { columns } = shownIn('jiangyin', await record(ELECTRONICS, '即环演示罚〔2026〕14号'))
    expect(columns).toMatchObject({ FKJE: '30000', MSJE: '1234.56' })
  })
})

describe('kinds of penalty', () => {
  test('a merged word of 2015 is ambiguous, and comes back as that word', async () => {
    const found = await record(TAILOR, '即工商演示处字〔2016〕2号')
    expect(found.fields['kinds']).toEqual({
      codes: ['03', '09', '02'],
      ambiguous: true,
      original: '没收违法所得、没收非法财物;罚款',
    })
    expect(shownIn('jimo', found).columns['CF_CFLB']).toBe('没收违法所得、没收非法财物')
    expect(shownIn('jimo', found).columns['CF_CFLB1']).toBe('罚款')
  })

  test('其他 of 2015 in a row of 2018 may be any of the six that it merged', async () => {
    const { fields } = await record(FOOD, '即市监演示罚〔2026〕4号')
    expect(fields['kinds']).toMatchObject({ ambiguous: true, codes: ['07', '08', '10', '12', '13', '14'] })
  })

  test('with an unlisted one among them are carried as they stand', async () => {
    const { fields } = await record(FOOD, '即综执演示罚〔2026〕5号')
    expect(fields['kinds']).toEqual({ untranslated: '罚款；责令限期拆除' })
  })
})

describe('a person', () => {
  test('has no record: a row of 2015 with an identity number is not read, one of 2018 says that it is a person’s', async () => {
    const found = await jimo.about(TAILOR)
    const persons = found.filter(({ aboutPerson }) => aboutPerson !== false)
    expect(persons.map(({ id, fields }) => [id, fields])).toEqual([
      ['person', {}],
      ['person', {}],
      ['person', {}],
    ])
    for (const person of persons) expect(keptBy(person)).toBe('record.person')
    expect(found.map(({ fields }) => fields['number'])).not.toContain('即演示许字〔2016〕10号')
  })

  test('is not seen where the column of identity numbers or of kinds holds but a word for nothing', async () => {
    for (const number of ['即演示许字〔2015〕2号', '即工商演示处字〔2016〕2号']) {
      expect(keptBy(await record(TAILOR, number))).not.toBe('record.person')
    }
  })

  test('has no column that is ever selected', () => {
    const personal = /SFZ|ZJHM|ZJLX|FRDB|(XK|CF)_FR(_|$)/
    for (const { columns } of jimo.mapping.tables.values()) {
      for (const column of columns) expect(column).not.toMatch(personal)
    }
  })

  test('is named in nothing that leaves', async () => {
    for (const subject of everyone) {
      for (const found of await jimo.about(subject)) expect(openText(found)).not.toMatch(/虚构人|虚构自然人|190001010/)
    }
  })
})

describe('a list', () => {
  test('with its basis, authority and document is the severe list that it says', async () => {
    const { list, fields } = await record(BUILDER, 'md-JM000001')
    expect(list).toBe('wage-arrears')
    expect(fields).toMatchObject({ basis: '人力资源和社会保障部令第45号', authority: '即墨区人力资源和社会保障局' })
  })

  test('of the city’s own, without a basis, is black and not severe', async () => {
    const { list, fields } = await record(FOOD, 'md-JM000002')
    expect(list).toBe('local-black')
    expect(jimo.mapping.vocabulary.lists.get(list ?? '')?.severe).toBe(false)
    expect(fields['basis']).toBeUndefined()
  })

  test('is not what is but an item of the list of conducts', async () => {
    const { list, fields } = await record(FOOD, 'md-JM000006')
    expect(list).toBeUndefined()
    expect(fields['type']).toEqual({ untranslated: '行为清单其他项' })
  })

  test('ends with the day of removal, and with its publicity', async () => {
    const [removed, expired] = [await record(TAILOR, 'md-JM000003'), await record(BUILDER, 'md-JM000005')]
    expect([keptBy(removed), keptBy(expired)]).toEqual(['record.ended', 'record.publicity'])
    expect(expired.fields['type']).toMatchObject({ code: 'tax-major-violation', original: '重大税收违法案件当事人' })
  })

  test('brings no measure along: the column of measures stays at home', async () => {
    expect(JSON.stringify(await jimo.about(BUILDER))).not.toContain('限制申请财政性资金项目')
  })

  test('repaired or not has to be stated: an empty column is not "no"', async () => {
    expect((await record(FOOD, '即市监演示罚〔2025〕3号')).state).toBe('repaired')
    expect((await record(FOOD, '即应急演示罚〔2026〕6号')).state).toBe('undetermined')
  })
})

describe('信息分类', () => {
  const level = (XXFL: string | null) => read('LHJC_MD', { XXFL }).level

  test('says whom a record is for', () => {
    expect(['社会公开', '公开', '政务共享', '授权查询'].map(level)).toEqual([
      'public',
      'public',
      'government',
      'authorised',
    ])
  })

  test.each(['国家秘密', '商业秘密', '个人隐私'])('%j is for no other city', XXFL => {
    expect(level(XXFL)).toBeUndefined()
  })

  test.each(['内部', '', null])('%j says nothing of whom it is for', XXFL => {
    expect(level(XXFL)).toBe('undetermined')
  })

  test('keeps a secret, and what nobody classified, at home', async () => {
    for (const id of ['md-JM000009', 'md-JM000010']) {
      expect(keptBy(await record(BUILDER, id))).toBe('agreement.share-level')
    }
    expect(keptBy(await record(TEXTILES, 'pj-PJ000010'))).toBe('agreement.share-level')
  })
})

describe('a rating', () => {
  test('of tax is of the rules of its day: before and since 2025-07-01', async () => {
    expect((await record(TAILOR, 'pj-PJ000001')).fields['level']).toMatchObject({ code: 'tax-before-2025.a' })
    expect((await record(TAILOR, 'pj-PJ000002')).fields['level']).toMatchObject({ code: 'tax-2025.m' })
  })

  test('of customs is of the rules of its day: before and since 2026-04-01', async () => {
    expect((await record(FOOD, 'pj-PJ000005')).fields['level']).toMatchObject({ code: 'customs-2021.other' })
    expect((await record(FOOD, 'pj-PJ000006')).fields['level']).toMatchObject({ code: 'customs-2026.certified' })
  })

  test('of the environment is a plate: 黄牌 warns, and has no word in the Delta', async () => {
    const yellow = await record(FOOD, 'pj-PJ000003')
    expect(yellow.fields['level']).toMatchObject({ code: 'environment-national.yellow' })
    expect(shownIn('jiangyin', yellow).columns).not.toHaveProperty('PDJG')
    expect(shownIn('huizhou', yellow).columns).toMatchObject({ PJDJ: '黄牌' })
  })

  test('"not rated" is no level between two others', async () => {
    const { fields } = await record(BUILDER, 'pj-PJ000004')
    const { level } = fields
    const code = typeof level === 'object' && 'code' in level ? level.code : ''
    const levels = jimo.mapping.vocabulary.schemes.get('environment-national')?.levels ?? []
    expect(levels.find(each => each.code === code)?.rank).toBeNull()
  })

  test('A of labour is not A of tax', async () => {
    expect((await record(BUILDER, 'pj-PJ000007')).fields['level']).toMatchObject({ code: 'labour-2017.a' })
  })

  test('of an unlisted scheme keeps its words, and gets no level', async () => {
    const { fields, scheme } = await record(FOOD, 'pj-PJ000009')
    expect(scheme).toBeUndefined()
    expect(fields).toMatchObject({ scheme: { untranslated: '海洋渔业企业信用等级' }, level: { untranslated: 'A' } })
  })
})

test('every row that must not leave is kept by a rule', async () => {
  const marked = (await Promise.all(everyone.map(jimo.about)))
    .flat()
    .filter(({ fields }) => String(fields['remark'] ?? '').includes('不得提供'))
  expect(marked.length).toBeGreaterThan(5)
  for (const found of marked) expect(keptBy(found), String(found.fields['remark'])).toBeDefined()
})

test('the mapping says that it is assumed', () => {
  expect(jimo.mapping.assumed).toBe(true)
})
