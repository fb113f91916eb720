/** Ningbo: its finance and credit library and the penalties that the province sends back, with every trap of theirs. */
import { afterAll, describe, expect, test } from 'vitest'
import { holdsPersonalNumber, readSubject } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import { demoTables, mappingOf } from './cities.ts'
import { cityDatabase, keptBy, openText } from './lookup.ts'

const ningbo = cityDatabase('ningbo')
afterAll(() => ningbo.close())
const [SHIPPING, PETROCHEMICALS, NOODLES, TRADE, ALIBABA] = [
  '91330200XXXXXX0191',
  '91330201XXXXXX027A',
  '92330203XXXXXX035Y',
  '91330201XXXXXX0430',
  '91330100799655058B',
] as const
const everyone = [SHIPPING, PETROCHEMICALS, NOODLES, TRADE, ALIBABA, '91320281XXXXXX0272']

function only(found: readonly SharedRecord[]): SharedRecord {
  const [one, ...more] = found
  if (one === undefined || more.length > 0) throw new Error(`${found.length} records, not one`)
  return one
}

/** The records of a subject whose field says this. */
async function records(subject: string, field: string, value: unknown): Promise<readonly SharedRecord[]> {
  const found = await ningbo.about(subject)
  return found.filter(({ fields }) => JSON.stringify(fields[field]) === JSON.stringify(value))
}

async function record(subject: string, field: string, value: unknown): Promise<SharedRecord> {
  return only(await records(subject, field, value))
}

const penalty = (subject: string, n: number, year = 2026, authority = '甬市监') =>
  record(subject, 'number', `${authority}演示罚〔${year}〕${n}号`)
const shownIn = (city: string, { id, family, fields }: SharedRecord) => toLocal({ id, family, fields }, mappingOf(city))
const read = (table: string, row: Record<string, string | null>) =>
  toShared([{ table, subject: SHIPPING, row }], ningbo.mapping)[0]

describe('a year that the mapping does not name', () => {
  test.each([
    ['nsdj', 'evalua_year', { tax_credit_level: 'a' }],
    ['ajnsr', 'evalua_year', { tax_credi_level: 'a' }],
    ['hjxypj', 'cmnt_batch', { cmnt_lvel: '绿' }],
  ])('chooses no scheme in %s: the row stays here, and its family is unknown', (table, column, level) => {
    const state = (year: string) => read(table, { ...level, [column]: year })?.state
    expect(['2025', '2026年', '2030年度'].map(state)).toEqual(['normal', 'normal', 'normal'])
    for (const year of ['2024-2025', '二〇二四', '24', '', '2099']) expect(state(year), year).toBe('undetermined')
  })
})

describe('a code', () => {
  test('stands in lower case in the table and is found by the code in capitals', async () => {
    const stored = demoTables('ningbo').flatMap(({ rows }) =>
      rows.flatMap(({ uni_social_crd_cd, UNI_SOCIAL_CRD_CD, tax_no }) => [
        uni_social_crd_cd ?? UNI_SOCIAL_CRD_CD ?? tax_no,
      ]),
    )
    expect(stored).toContain(SHIPPING.toLowerCase())
    expect(stored).not.toContain(SHIPPING)
    expect((await ningbo.about(SHIPPING)).length).toBeGreaterThan(5)
  })

  test('behind a label is found as well', async () => {
    expect((await penalty(NOODLES, 8)).kind).toBe('individual-business')
  })

  test('of an authority in lower case is shared in capitals, and written back as it stood', async () => {
    const licence = await record(SHIPPING, 'number', '甬港航演示许〔2025〕2号')
    expect(licence.fields['authorityCode']).toBe('11330200XXXXXX0942')
    expect(shownIn('ningbo', licence).columns['XK_XKJGDM']).toBe('11330200xxxxxx0942')
    expect(shownIn('huizhou', licence).columns['XK_XKJGDM']).toBe('11330200XXXXXX0942')
  })

  test('of 17 zeros and x is nobody’s: its row is found by no question', async () => {
    for (const subject of everyone) expect(await records(subject, 'case', '占位案')).toEqual([])
  })

  test('whose check character is 0 is a code like any other', async () => {
    expect(readSubject(TRADE).doubt).toBeUndefined()
    expect((await ningbo.about(TRADE)).length).toBeGreaterThan(3)
  })
})

describe('a date', () => {
  test.each([
    ['20200316', '2020-03-16'],
    ['2019-9-4', '2019-09-04'],
    ['2019-09-04 13:01:59', '2019-09-04'],
    ['2019-9-4 13:01:59', '2019-09-04'],
    ['2099-12-31 00:00;00', 'indefinite'],
    ['9999-09-09', 'indefinite'],
    ['9999-9-9', 'indefinite'],
    ['长期', 'indefinite'],
    ['1900-1-1', undefined],
    ['1899-12-31', undefined],
    ['\\N', undefined],
    ['暂无', undefined],
    ['', undefined],
    [null, undefined],
  ])('%s is %s', (XK_JDRQ, decided) => {
    expect(read('sgs_xzxk', { XK_XDR_LB: '法人及非法人组织', XK_JDRQ })?.fields['decided']).toBe(decided)
  })

  test('“无处罚期限” is no date: a record whose publicity ends so cannot be told to be public, and stays', async () => {
    const each = await penalty(SHIPPING, 9, 2025, '甬海事')
    expect(each.fields['publishedUntil']).toEqual({ untranslated: '无处罚期限' })
    expect(keptBy(each)).toBe('record.publicity')
  })

  test('without end is written back in the city’s own way', async () => {
    const licence = await record(ALIBABA, 'number', '甬演示许〔2024〕1号')
    expect(licence.fields).toMatchObject({ decided: '2024-03-16', validFrom: '2024-03-16', validUntil: 'indefinite' })
    expect(shownIn('ningbo', licence).columns).toMatchObject({ XK_JDRQ: '2024-03-16', XK_YXQZI: '2099-12-31' })
    expect(shownIn('huizhou', licence).columns['XK_YXQZI']).toBe('2099/12/31')
  })
})

describe('a text that means nothing', () => {
  test.each(['\\N', '暂无', 'undefined', 'null', 'NULL', '00000000000000000X'])('%s is no text', text => {
    expect(read('sgs_xzxk', { XK_XDR_LB: '法人及非法人组织', XK_XKWS: text })?.fields).toEqual({})
  })

  test('keeps a name’s brackets, full-width and half-width, as they stand', async () => {
    expect((await record(ALIBABA, 'number', '甬演示许〔2024〕1号')).fields['holder']).toBe('阿里巴巴(中国)有限公司')
    expect((await penalty(PETROCHEMICALS, 1, 2026, '甬环')).fields['holder']).toBe(
      '宁波示例二号石化（集团）有限公司（虚构）',
    )
  })
})

describe('list-in and list-out', () => {
  test('an entry with a list-out date is out, and says when, why and by whom', async () => {
    const entry = await record(PETROCHEMICALS, 'listed', '2020-03-16')
    expect(entry).toMatchObject({ id: 'yzwf-2020000002', endedOn: '2023-09-04' })
    expect(entry.fields).toMatchObject({
      removed: '2023-09-04',
      removalReason: '已依法修复',
      removalAuthority: '宁波市市场监督管理局',
    })
    expect(keptBy(entry)).toBe('record.publicity')
    expect(shownIn('ningbo', entry).columns).toMatchObject({
      abn_tm: '2020-03-16',
      rem_dt: '2023-09-04',
      rem_excpres_rea: '已依法修复',
      recorg_ogr: '宁波市市场监督管理局',
    })
  })

  test('9999-09-09 and 1900-1-1 are no list-out: the entry stands', async () => {
    for (const [subject, reason] of [
      [PETROCHEMICALS, '生产不合格产品（虚构）'],
      [TRADE, '提交虚假材料（虚构）'],
    ] as const) {
      const entry = await record(subject, 'reason', reason)
      expect(entry.state).toBe('normal')
      expect(keptBy(entry)).toBeUndefined()
    }
  })

  test('a list-out that is no date leaves it untold whether the entry stands, and it stays', async () => {
    const entry = await record(SHIPPING, 'reason', '登记错误（虚构）')
    expect(entry.state).toBe('undetermined')
    expect(keptBy(entry)).toBe('record.ended')
  })

  test('a list entry is of the list of its table, with no basis or document that the table does not have', async () => {
    const entry = await record(PETROCHEMICALS, 'reason', '生产不合格产品（虚构）')
    expect(entry.list).toBe('market-serious-violation')
    expect([entry.fields['basis'], entry.fields['document']]).toEqual([undefined, undefined])
  })

  test('what the tax authority did is not the basis of the list', async () => {
    const [entry] = (await ningbo.about(PETROCHEMICALS)).filter(({ list }) => list === 'tax-major-violation')
    expect(entry?.fields['result']).toBe('《税收征收管理法》第六十三条')
    expect(entry?.fields['basis']).toBeUndefined()
  })

  test('the register of abnormal operation is no severe list', async () => {
    const entry = only(await ningbo.about('91320281XXXXXX0272'))
    expect(entry).toMatchObject({ list: 'abnormal-operation', endedOn: undefined, state: 'normal' })
    expect(ningbo.mapping.vocabulary.lists.get('abnormal-operation')?.severe).toBe(false)
    expect(shownIn('jiangyin', entry).table).toBeUndefined()
    expect(shownIn('huizhou', entry).columns['MDLX']).toBe('经营异常名录')
  })

  test('a list that Ningbo does not keep is shown in none of its tables', () => {
    const fields = { type: { code: 'wage-arrears', original: '拖欠农民工工资失信联合惩戒对象' } }
    expect(toLocal({ id: 'x', family: 'list', fields }, ningbo.mapping)).toMatchObject({ table: undefined })
  })
})

describe('a penalty with English names', () => {
  test('is a record like any other, in the other cities’ words', async () => {
    const each = await penalty(PETROCHEMICALS, 1, 2026, '甬环')
    expect(each.fields['number']).toBe('甬环演示罚〔2026〕1号')
    expect(each.fields['kinds']).toEqual({ codes: ['02', '04'], original: '02,04' })
    expect(shownIn('huizhou', each).columns).toMatchObject({ CF_CFLB: '罚款;责令停产停业', CF_NR_FK: '10' })
    expect(shownIn('quzhou', each).columns).toMatchObject({
      CF010006: '02,04',
      CF010015: '100000',
      XZQH: '330200000000',
    })
    expect(shownIn('ningbo', each).columns).toMatchObject({
      punish_type: '02,04',
      fine: '100000',
      dsc_adm_region: '330200000000',
    })
  })

  test.each([...Array(14).keys()].map(n => String(n + 1).padStart(2, '0')))(
    'of type %s is of that kind of the law',
    code => {
      expect(read('xzcf_slhl', { admin_cp_type: '02', punish_type: code })?.fields['kinds']).toEqual({
        codes: [code],
        original: code,
      })
    },
  )

  test('of a type outside 01 to 14 travels as the words it is', async () => {
    expect((await penalty(TRADE, 12, 2026, '甬商')).fields['kinds']).toEqual({ untranslated: '99' })
  })

  test.each([
    ['0', 'normal'],
    ['1', 'withdrawn'],
    ['2', 'deleted'],
    [null, 'undetermined'],
    ['NULL', 'undetermined'],
    ['3', 'undetermined'],
  ])('with the status %s is %s', (publicstatus, state) => {
    expect(read('xzcf_slhl', { admin_cp_type: '02', publicstatus })?.state).toBe(state)
  })

  test.each([3, 4, 5])('withdrawn, deleted or of no status at all does not leave (%i)', async n => {
    expect(keptBy(await penalty(PETROCHEMICALS, n))).toBe('record.ended')
  })

  test('of a case that was called off does not leave, whatever its status says', async () => {
    const each = await penalty(PETROCHEMICALS, 6, 2026, '甬交')
    expect(each.state).toBe('withdrawn')
  })

  test('about a person is not read, and its masked name is no firm’s', async () => {
    const persons = (await ningbo.about(SHIPPING)).filter(({ aboutPerson }) => aboutPerson === true)
    expect(persons.map(({ fields }) => fields)).toEqual([{}, {}])
  })

  test('by the summary procedure has no grade for that', async () => {
    const each = await penalty(NOODLES, 8)
    expect(each.fields['grade']).toBeUndefined()
    expect(ningbo.mapping.tables.get('xzcf_slhl')?.columns).not.toContain('punish_program')
  })
})

describe('a rating', () => {
  const rating = async (subject: string, scheme: string) =>
    (await ningbo.about(subject)).filter(each => each.scheme === scheme)

  test('a in lower case is the A of its scheme, and is written back in lower case', async () => {
    const [level] = (await rating(SHIPPING, 'tax-2025')).map(({ fields }) => fields['level'])
    expect(level).toEqual({ code: 'tax-2025.a', original: 'a' })
    const foreign = {
      scheme: { code: 'tax-2025', original: '纳税缴费信用' },
      level: { code: 'tax-2025.a', original: 'A级' },
    }
    expect(toLocal({ id: 'x', family: 'rating', fields: foreign }, ningbo.mapping)).toMatchObject({
      table: 'nsdj',
      columns: { tax_credit_level: 'A级' },
    })
    const other = { ...foreign, level: { code: 'tax-2025.a', original: '甲' } }
    expect(toLocal({ id: 'x', family: 'rating', fields: other }, ningbo.mapping).columns).toEqual({
      tax_credit_level: 'a',
    })
  })

  test('of a year before the rules of 2025 is of the earlier scheme', async () => {
    const [before] = await rating(SHIPPING, 'tax-before-2025')
    expect(before?.fields).toMatchObject({ period: '2023', level: { code: 'tax-before-2025.b' } })
  })

  test('m is no level between b and c, and “未评” is none at all', async () => {
    const [m] = await rating(TRADE, 'tax-2025')
    const level = ningbo.mapping.vocabulary.schemes.get('tax-2025')?.levels.find(({ code }) => code === 'tax-2025.m')
    expect([m?.fields['level'], level?.rank]).toEqual([{ code: 'tax-2025.m', original: 'm' }, null])
    const [none] = await rating(PETROCHEMICALS, 'tax-2025')
    expect(none?.fields['level']).toEqual({ untranslated: '未评' })
  })

  test('of grade A with a score keeps both, and only it is public', async () => {
    const all = await rating(SHIPPING, 'tax-2025')
    expect(all.map(({ level, fields }) => [level, fields['score']])).toEqual([
      ['government', undefined],
      ['public', '90'],
    ])
  })

  test('yellow of 2024 is average by the standard of the delta; of 2025 it is no known level', async () => {
    const before = only(await rating(PETROCHEMICALS, 'environment-yrd'))
    const after = only(await rating(PETROCHEMICALS, 'environment-zhejiang-2025'))
    expect(before.fields).toMatchObject({
      level: { code: 'environment-yrd.yellow' },
      score: '68.5',
      period: '2024年度',
    })
    expect(after.fields).toMatchObject({ level: { untranslated: '黄' }, score: '70' })
    for (const each of [before, after]) {
      expect(shownIn('huizhou', each).columns['PJDJ']).toBeUndefined()
    }
  })

  test('that is a score gets no level, here or anywhere', async () => {
    const score = only(await rating(SHIPPING, 'zhejiang-enterprise'))
    expect(score.fields).toMatchObject({ score: '815' })
    expect(score.fields['level']).toBeUndefined()
    expect(shownIn('quzhou', score).columns['CF070008']).toBeUndefined()
  })

  test('whose score is missing has none', async () => {
    const [score] = await rating(PETROCHEMICALS, 'zhejiang-enterprise')
    expect(Object.keys(score?.fields ?? {})).toEqual(['scheme', 'origin', 'holder'])
  })

  test('of shipping keeps its word, of which no level is made', async () => {
    const [each] = await rating(SHIPPING, 'ningbo-shipping')
    expect(each?.fields['level']).toEqual({ untranslated: '优秀' })
    expect(ningbo.mapping.vocabulary.schemes.get('ningbo-shipping')?.levels).toEqual([])
  })

  test('of a scheme that Ningbo does not keep is shown in none of its tables', () => {
    const fields = {
      scheme: { code: 'environment-national', original: '企业环境信用评价' },
      level: { code: 'environment-national.yellow', original: '黄牌' },
    }
    expect(toLocal({ id: 'x', family: 'rating', fields }, ningbo.mapping)).toMatchObject({ table: undefined })
  })
})

describe('a licence', () => {
  test('is read without the penalty columns that stand in its table', () => {
    const [table] = demoTables('ningbo').filter(({ table }) => table === 'sgs_xzxk')
    expect(Object.keys(table?.columns ?? {})).toContain('CF_WSH')
    expect(ningbo.mapping.tables.get('sgs_xzxk')?.columns.filter(column => column.startsWith('CF_'))).toEqual([])
  })

  test('of a division in six digits, in twelve, or below the county is of that division', async () => {
    const division = async (subject: string, number: string) =>
      (await record(subject, 'number', number)).fields['division']
    expect(await division(NOODLES, '甬市监演示许〔2025〕4号')).toBe('330203')
    expect(await division(SHIPPING, '甬港航演示许〔2025〕2号')).toBe('330200')
    expect(await division(TRADE, '甬商演示许〔2026〕6号')).toBe('330201001000')
  })

  test('that is no longer valid does not leave', async () => {
    expect(keptBy(await record(SHIPPING, 'number', '甬环演示许〔2020〕3号'))).toBe('record.ended')
  })
})

describe('what is personal', () => {
  test('stands in no column that is read: not the legal representative’s number, in any of its places', () => {
    for (const table of ningbo.mapping.tables.values()) {
      for (const column of table.columns) expect(column).not.toMatch(/legal_repre|card_no|ZJHM|ZJLX|FRDB/)
    }
  })

  test('in free text is masked: what was written, who called, which certificate', async () => {
    const each = await penalty(PETROCHEMICALS, 2, 2026, '甬应急')
    expect(holdsPersonalNumber(String(each.fields['facts']))).toBe(true)
    expect(openText(each)).toContain('举报人电话***********')
    expect(openText(each)).toContain('联系人证件 ******************')
    expect(openText(await penalty(PETROCHEMICALS, 1, 2026, '甬环'))).toContain('经办人证件***************（15位）')
    const licence = await record(NOODLES, 'number', '甬市监演示许〔2025〕4号')
    expect(openText(licence)).toContain('经营者身份证号：****** ******** ****')
  })

  test('is in nothing that may leave', async () => {
    for (const subject of everyone) {
      for (const each of await ningbo.about(subject)) {
        expect(holdsPersonalNumber(openText(each))).toBe(false)
        expect(openText(each)).not.toMatch(/虚构人|虚构自然人|19000101/)
      }
    }
  })
})

test('every row whose remark says so stays at home', async () => {
  let rows = 0
  for (const subject of everyone) {
    for (const each of await ningbo.about(subject)) {
      if (!String(each.fields['remark'] ?? '').includes('不得提供')) continue
      rows++
      expect(keptBy(each), String(each.fields['remark'])).toBeDefined()
    }
  }
  expect(rows).toBeGreaterThan(5)
})
