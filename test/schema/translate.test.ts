import { describe, expect, test } from 'vitest'
import { digestId, isRecordId, type Value, WireRecord } from '#protocol/message.ts'
import type { SharedRecord } from '#schema/record.ts'
import { type LocalRecord, toLocal, toShared, translate } from '#schema/translate.ts'
import { cellText } from '../../src/demo-tables.ts'
import { demoTables, mappingOf } from './cities.ts'

const jiangyin = mappingOf('jiangyin')
const huizhou = mappingOf('huizhou')
const mappings = { jiangyin, huizhou }
type CityName = keyof typeof mappings
const SUBJECT = '91320281XXXXXX0197'

/** A row of a table with these columns, and none of the others. */
function sharedFrom(city: CityName, table: string, row: Readonly<Record<string, string | null>>): SharedRecord {
  const [record] = toShared([{ table, subject: SUBJECT, row }], mappings[city])
  if (record === undefined) throw new Error('no record')
  return record
}

function shown(city: CityName, family: string, fields: Record<string, Value>): LocalRecord {
  return toLocal({ id: 'x', family, fields }, mappings[city])
}

/** The records that a city's demo tables hold, by the remark of their row. */
function demoRecords(city: CityName) {
  const mapping = mappings[city]
  return demoTables(city).flatMap(({ table, rows }) =>
    rows.map(cells => {
      const columns = mapping.tables.get(table)?.columns ?? []
      const row = Object.fromEntries(columns.map(column => [column, cellText(cells[column])?.toString() ?? null]))
      return { remark: String(cells['BZ'] ?? ''), record: sharedFrom(city, table, row) }
    }),
  )
}

describe('every row of the demo', () => {
  test.each(['jiangyin', 'huizhou'] as const)('of %s becomes a record that can travel', city => {
    for (const { record } of demoRecords(city)) {
      const { id, family, fields } = record
      expect(WireRecord.safeParse({ id, family, fields }).error).toBeUndefined()
    }
  })

  test.each(['jiangyin', 'huizhou'] as const)('of %s that must not leave has a gate fact that says so', city => {
    for (const { remark, record } of demoRecords(city)) {
      if (!remark.includes('不得提供')) continue
      const { state, aboutPerson, level, publishedUntil = '9', endedOn = '9' } = record
      const today = Temporal.Now.plainDateISO('Asia/Shanghai').toString()
      const reasons = [
        state !== 'normal',
        aboutPerson !== false,
        level === 'authorised',
        publishedUntil < today,
        endedOn <= today,
      ]
      expect(reasons, remark).toContain(true)
    }
  })

  test.each(['jiangyin', 'huizhou'] as const)('of %s about a person is not read at all', city => {
    const persons = demoRecords(city).filter(({ remark }) => remark.startsWith('自然人'))
    expect(persons.length).toBeGreaterThan(0)
    for (const { record } of persons) expect(record).toMatchObject({ aboutPerson: true, fields: {}, id: 'person' })
  })

  test.each(['jiangyin', 'huizhou'] as const)('of %s keeps its persons’ numbers and names to itself', city => {
    const text = JSON.stringify(demoRecords(city))
    expect(text).not.toContain('32028119000101')
    expect(text).not.toContain('虚构人')
    expect(text).not.toContain('虚构自然人')
  })
})

describe('the state of a record', () => {
  const row = { STATUS: '1', DQZT: '0', SYFW: '0', SUBJECT_TYPE: '0', ID: '7' }

  test('is read by table: 1 is integrated here, withdrawn there, valid elsewhere', () => {
    expect(sharedFrom('jiangyin', 'YW_L_XZCF', row).state).toBe('normal')
    expect(sharedFrom('jiangyin', 'YW_L_XZCF', { ...row, DQZT: '1' }).state).toBe('withdrawn')
    expect(sharedFrom('huizhou', 'SGS_XZXK', { XK_ZT: '1', XK_XDR_LB: '企业' }).state).toBe('normal')
  })

  test.each<[Record<string, string | null>, string]>([
    [{ STATUS: '2' }, 'repaired'],
    [{ STATUS: '3' }, 'deleted'],
    [{ STATUS: '0' }, 'undetermined'],
    [{ STATUS: '4' }, 'undetermined'],
    [{ STATUS: '9' }, 'undetermined'],
    [{ STATUS: null }, 'undetermined'],
    [{ DQZT: '2' }, 'objection'],
    [{ DQZT: '2', STATUS: '2' }, 'repaired'],
    [{ DQZT: '3', STATUS: '3' }, 'deleted'],
    [{ GSJZQ: '不详' }, 'undetermined'],
    [{ GSJZQ: '2099/12/31' }, 'normal'],
    [{ GSJZQ: '' }, 'normal'],
  ])('%j makes it %s: the gravest column holds, and the unknown is never normal', (change, state) => {
    expect(sharedFrom('jiangyin', 'YW_L_XZCF', { ...row, ...change }).state).toBe(state)
  })

  test('is told apart from a list-out date, which is the gate’s to compare', () => {
    const entry = { JLZT: '正常', XDR_LB: '企业', GXSX: '1', BH: '1' }
    expect(sharedFrom('huizhou', 'XY_MD', { ...entry, YCRQ: '2026/01/31' }).endedOn).toBe('2026-01-31')
    expect(sharedFrom('huizhou', 'XY_MD', entry).endedOn).toBeUndefined()
    expect(sharedFrom('huizhou', 'XY_MD', { ...entry, YCRQ: '去年' }).state).toBe('undetermined')
  })
})

describe('the share level of a record', () => {
  test.each([
    ['0', 'public'],
    ['1', 'government'],
    ['2', 'authorised'],
    ['3', 'undetermined'],
    [null, 'undetermined'],
  ])('%s is %s: what is not in the list is no level', (SYFW, level) => {
    expect(sharedFrom('jiangyin', 'YW_L_SGSXZXK', { SYFW }).level).toBe(level)
  })
})

describe('whom a record is about', () => {
  test.each([
    ['法人及非法人组织', false],
    ['个体工商户', false],
    ['自然人', true],
    ['个人', true],
    ['其他', 'undetermined'],
    [null, 'undetermined'],
  ])('%s: a person is %s', (XK_XDR_LB, aboutPerson) => {
    expect(sharedFrom('huizhou', 'SGS_XZXK', { XK_XDR_LB }).aboutPerson).toBe(aboutPerson)
  })

  test('follows the code for the kind of subject', () => {
    const kindOf = (subject: string) => toShared([{ table: 'XY_MD', subject, row: {} }], huizhou)[0]?.kind
    expect(kindOf('91320281XXXXXX0197')).toBe('enterprise')
    expect(kindOf('92320281XXXXXX035R')).toBe('individual-business')
    expect(kindOf('93320281XXXXXX043H')).toBe('cooperative')
    expect(kindOf('11320281XXXXXX000J')).toBeUndefined()
  })
})

describe('a text', () => {
  const holder = (text: string | null) => sharedFrom('jiangyin', 'YW_L_SGSXZXK', { XZXDRMC: text }).fields['holder']

  test.each(['\\N', '暂无', '', '  ', 'undefined', '00000000000000000X', null])('%j means nothing', text => {
    expect(holder(text)).toBeUndefined()
  })

  test.each([
    ['  江阴（集团）有限公司　', '江阴（集团）有限公司'],
    ['江陰(集團)有限公司', '江陰(集團)有限公司'],
  ])('%j keeps its own brackets and characters', (text, kept) => {
    expect(holder(text)).toBe(kept)
  })

  test('falls back to the next column', () => {
    const { fields } = sharedFrom('jiangyin', 'YW_L_SGSXZXK', { XZXDRMC: '暂无', JGQC: '甲公司' })
    expect(fields['holder']).toBe('甲公司')
  })

  test('loses the noise that its column is known for', () => {
    const { fields } = sharedFrom('jiangyin', 'YW_L_XZCF', { SUBJECT_TYPE: '0', CFJDSWH: '澄罚〔2026〕1号（1/1）' })
    expect(fields['number']).toBe('澄罚〔2026〕1号')
  })

  test('too long for the wire is cut, and says so, without cutting a character in two', () => {
    const text = '😀'.repeat(5_000)
    const { fields } = sharedFrom('jiangyin', 'YW_L_SGSXZXK', { XKNR: text })
    expect(fields['content']).toMatch(/…$/)
    expect(WireRecord.safeParse({ id: 'x', family: 'licence', fields }).success).toBe(true)
    expect(String(fields['content']).isWellFormed()).toBe(true)
  })
})

describe('kinds of penalty', () => {
  const kinds = (CFZL: string, CFLB2: string | null = null) =>
    sharedFrom('jiangyin', 'YW_L_XZCF', { SUBJECT_TYPE: '0', CFZL, CFLB2 }).fields['kinds']

  test('are a set, from several columns and several words', () => {
    expect(kinds('警告', '罚款')).toEqual({ codes: ['01', '02'], original: '警告；罚款' })
    expect(kinds('警告;罚款； 责令停产停业')).toEqual({
      codes: ['01', '02', '04'],
      original: '警告;罚款； 责令停产停业',
    })
  })

  test('that one word of 2015 merges are ambiguous, and go back to that word', () => {
    const value = kinds('没收违法所得、没收非法财物')
    expect(value).toEqual({ codes: ['03', '09'], ambiguous: true, original: '没收违法所得、没收非法财物' })
    const local = shown('huizhou', 'penalty', { kinds: value ?? '' })
    expect(local.columns).toEqual({ CF_CFLB: '没收违法所得、没收非法财物' })
  })

  test('with one unknown among them are not known at all', () => {
    expect(kinds('罚款；责令限期拆除')).toEqual({ untranslated: '罚款；责令限期拆除' })
  })

  test('of 2021 are shown in the seven words of 2015, with the original and the relation', () => {
    const local = shown('jiangyin', 'penalty', { kinds: { codes: ['02', '08'], original: '罚款;通报批评' } })
    expect(local.columns).toEqual({ CFZL: '罚款', CFLB2: '其他' })
    expect(local.meanings['CFZL']).toEqual({ original: '罚款;通报批评', relation: 'broader' })
    expect(local.untranslated).toEqual([])
  })

  test('more than the columns hold are joined in the last', () => {
    const local = shown('jiangyin', 'penalty', { kinds: { codes: ['01', '02', '04'], original: 'x' } })
    expect(local.columns).toEqual({ CFZL: '警告', CFLB2: '罚款；责令停产停业' })
  })

  test('that merge into one word are written once', () => {
    const local = shown('jiangyin', 'penalty', { kinds: { codes: ['08', '10'], original: 'x' } })
    expect(local.columns).toEqual({ CFZL: '其他' })
  })

  test('that are ambiguous and have no common word are not guessed at', () => {
    const local = shown('huizhou', 'penalty', { kinds: { codes: ['01', '14'], ambiguous: true, original: '某种' } })
    expect(local.columns).toEqual({})
    expect(local.untranslated).toEqual([
      { field: 'kinds', zh: '处罚类别', original: '某种', meaning: '警告 / 责令关闭', reason: 'ambiguous' },
    ])
  })
})

describe('money', () => {
  test('in yuan there is in ten thousand yuan here, to the last digit', () => {
    const { fields } = sharedFrom('jiangyin', 'YW_L_XZCF', { SUBJECT_TYPE: '0', FKJE: '12345.67' })
    expect(fields['fine']).toEqual({ amount: '12345.67', currency: 'CNY', unit: '1' })
    expect(shown('huizhou', 'penalty', fields).columns['CF_NR_FK']).toBe('1.234567')
  })

  test('of another currency is not written into a column of yuan', () => {
    const local = shown('huizhou', 'penalty', { fine: { amount: '5', currency: 'HKD', unit: '1' } })
    expect(local.columns).toEqual({})
    expect(local.untranslated).toMatchObject([{ field: 'fine', original: '5 HKD', reason: 'not-understood' }])
  })
})

describe('grades of dishonesty', () => {
  test('are mapped by rule and not by word: 一般 is the lowest here and the middle one there', () => {
    const { fields } = sharedFrom('jiangyin', 'YW_L_XZCF', { SUBJECT_TYPE: '0', CFDJ: '一般' })
    expect(fields['grade']).toEqual({ codes: ['minor', 'general'], ambiguous: true, original: '一般' })
    expect(shown('huizhou', 'penalty', { grade: fields['grade'] ?? '' }).columns).toEqual({})
    expect(shown('jiangyin', 'penalty', { grade: { code: 'general', original: '一般' } }).columns).toEqual({})
  })
})

describe('a rating', () => {
  const rating = (PDMC: string, PDJG: string, PDRQ: string | null) =>
    sharedFrom('jiangyin', 'YW_L_FRHYPD', { STATUS: '1', PDMC, PDJG, PDRQ })

  test('has the level of its own scheme: the same letter is another level in another scheme', () => {
    expect(rating('纳税缴费信用评价', 'A', '2026/05/01').fields['level']).toMatchObject({ code: 'tax-2025.a' })
    expect(rating('劳动保障守法诚信等级评价', 'A', '2026/05/01').fields['level']).toMatchObject({
      code: 'labour-2017.a',
    })
  })

  test('has the scheme that was in force on its date', () => {
    expect(rating('海关企业信用等级', '高级认证', '2026/03/31').scheme).toBe('customs-2021')
    expect(rating('海关企业信用等级', '高级认证', '2026/04/01').scheme).toBe('customs-2026')
  })

  test('without a date may be of either scheme, and then has no level', () => {
    const { scheme, fields } = rating('海关企业信用等级', '高级认证', null)
    expect(scheme).toBeUndefined()
    expect(fields['scheme']).toMatchObject({ codes: ['customs-2021', 'customs-2026'], ambiguous: true })
    expect(fields['level']).toEqual({ untranslated: '高级认证' })
  })

  test('of an unlisted scheme keeps its words, and gets no level', () => {
    const { fields, scheme } = rating('安全生产诚信等级', 'A', '2026/05/01')
    expect(scheme).toBeUndefined()
    expect(fields).toMatchObject({ scheme: { untranslated: '安全生产诚信等级' }, level: { untranslated: 'A' } })
  })

  test('yellow of the Yangtze Delta never becomes our yellow plate', () => {
    const { fields } = rating('企业环保信用评价', '黄', '2026/05/01')
    const local = shown('huizhou', 'rating', fields)
    expect(local.columns['PJTX']).toBeUndefined()
    expect(local.columns['PJDJ']).toBeUndefined()
    expect(local.untranslated).toContainEqual({
      field: 'level',
      zh: '评价等级',
      original: '黄',
      meaning: '长三角环保信用评价 黄',
      reason: 'no-word',
    })
  })

  test('of a third party stands in the table of third parties', () => {
    const fields: Record<string, Value> = {
      scheme: { code: 'third-party-aaa', original: '信用服务机构评级' },
      level: { code: 'third-party-aaa.aa', original: 'AA' },
    }
    expect(shown('jiangyin', 'rating', fields)).toMatchObject({ table: 'SSZJ_PJDJ', columns: { pjdj: 'AA' } })
  })

  test('that is a score only gets no level', () => {
    const { fields } = sharedFrom('huizhou', 'XY_PJ', { XDR_LB: '企业', PJFZ: '815.00' })
    expect(fields).toEqual({ score: '815' })
  })
})

describe('a list entry', () => {
  test('of a table without list types is of no severe list', () => {
    const { list, fields } = sharedFrom('jiangyin', 'YW_L_HEIMINGDAN', { JGQC: '甲公司', STATUS: '1' })
    expect(list).toBe('local-black')
    expect(jiangyin.vocabulary.lists.get(list ?? '')?.severe).toBe(false)
    expect(fields['basis']).toBeUndefined()
    expect(fields['type']).toEqual({ code: 'local-black', original: '地方黑名单（未注明名单类型）' })
  })

  test('red goes to the red list, black to the black one, and what is neither to none', () => {
    const table = (code: string) => shown('jiangyin', 'list', { type: { code, original: 'x' } }).table
    expect(table('tax-a')).toBe('YW_L_HONGMINGDAN')
    expect(table('tax-major-violation')).toBe('YW_L_HEIMINGDAN')
    expect(table('abnormal-operation')).toBeUndefined()
  })

  test('that no table takes is told whole', () => {
    const local = shown('jiangyin', 'list', {
      type: { code: 'abnormal-operation', original: '异常' },
      holder: '甲公司',
    })
    expect(local.untranslated).toEqual([
      { field: 'type', zh: '名单类型', original: '异常', meaning: '经营异常名录', reason: 'no-table' },
      { field: 'holder', zh: '主体名称', original: '甲公司', reason: 'no-table' },
    ])
  })

  test('keeps its type beside a table that has no column for it', () => {
    const local = shown('jiangyin', 'list', { type: { code: 'wage-arrears', original: '欠薪黑名单' } })
    expect(local.untranslated).toEqual([
      {
        field: 'type',
        zh: '名单类型',
        original: '欠薪黑名单',
        meaning: '拖欠农民工工资失信联合惩戒对象',
        reason: 'no-column',
      },
    ])
  })

  test('that is a territorial measure is declared untranslatable', () => {
    const { list, fields } = sharedFrom('huizhou', 'XY_MD', { XDR_LB: '企业', MDLX: '土地竞买屏蔽企业' })
    expect(list).toBeUndefined()
    expect(fields['type']).toEqual({ untranslated: '土地竞买屏蔽企业' })
  })
})

describe('a foreign record', () => {
  test('is shown under our own labels, in the order of our own table', () => {
    const local = shown('huizhou', 'licence', { number: '1号', holder: '甲公司', validUntil: 'indefinite' })
    expect(Object.entries(local.labels)).toEqual([
      ['XK_XDR_MC', '行政相对人名称'],
      ['XK_WSH', '行政许可决定文书号'],
      ['XK_YXQZI', '有效期至'],
    ])
    expect(local.columns).toEqual({ XK_XDR_MC: '甲公司', XK_WSH: '1号', XK_YXQZI: '2099/12/31' })
  })

  test('with nonsense in it does not throw, and says what was not understood', () => {
    const local = shown('huizhou', 'penalty', {
      fine: '5',
      decided: 'soon',
      kinds: 'x',
      grade: { code: 'terrible', original: '极坏' },
      holder: { code: '01', original: '甲' },
      secret: 'y',
    })
    expect(local.columns).toEqual({})
    expect(Object.fromEntries(local.untranslated.map(({ field, reason }) => [field, reason]))).toEqual({
      fine: 'not-understood',
      decided: 'not-understood',
      kinds: 'not-understood',
      grade: 'no-word',
      holder: 'not-understood',
      secret: 'unknown-field',
    })
  })

  test('of a family we do not know is told whole', () => {
    expect(shown('huizhou', 'commitment', { text: 'x' })).toMatchObject({
      table: undefined,
      untranslated: [{ field: 'text' }],
    })
  })
})

test('what was found is handed on by subject, with what is known of its completeness and age', () => {
  const rows = ['a', 'b', 'a'].map(subject => ({ table: 'XY_MD', subject, row: { BH: '1' } }))
  const freshness = { family: 'list', status: 'stale' as const }
  const [list] = translate([{ family: 'list', rows, unknown: 'source.slow', freshness }], huizhou)
  expect(list).toMatchObject({ family: 'list', unknown: 'source.slow', freshness })
  expect(list?.records.get('a')).toHaveLength(2)
  expect(list?.records.get('b')).toHaveLength(1)
})

test('an id from columns is stable, and a digest where a part of it is missing', () => {
  const id = (row: Record<string, string | null>) => sharedFrom('jiangyin', 'YW_L_SGSXZXK', row).id
  expect(id({ ID: '42' })).toBe('xk-42')
  expect(id({ ID: null, XMMC: 'x' })).toMatch(/^[\w-]{8}\.[\w-]{8}\.[\w-]{6}$/)
  expect(id({ ID: 'x'.repeat(100) })).toMatch(/^[\w-]{8}\.[\w-]{8}\.[\w-]{6}$/)
})

test('a digest that has the digits of a number is an id all the same', () => {
  // One in a million: its SHA-256 begins KH75428479JcQRdaYYHTuF, eight digits before ten letters and digits.
  const id = digestId(`T\0p-${'x'.repeat(80)}66267`)
  expect(id).toBe('KH754284.79JcQRda.YYHTuF')
  expect(isRecordId(id)).toBe(true)
})
