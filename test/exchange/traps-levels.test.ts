/**
 * Every trap of levels, grades, kinds and lists that are not one to one, from a row in one city's own table to what another
 * city reads in its own words.
 *
 * | trap                                                        | test |
 * | 1 five environment colours and four plates                  | “1 · red and black …”, “1 · a red plate …” |
 * | 1 the same colour with another meaning                      | “1 · yellow is not yellow …”, “1 · yellow is yellow …” |
 * | 2 一般 is the lowest, the middle or the third of the grades | “2 · …” |
 * | 3 what is not rated is not average                          | “3 · …” |
 * | 4 one letter in several scales                              | “4 · …” |
 * | 5 a score is no level                                       | “5 · …” |
 * | 6 a scale by the day or the year                            | “6 · …” |
 * | 7 seven kinds of penalty and fourteen                       | “7 · …” |
 * | 8 lists without a counterpart or a basis                    | “8 · …” |
 * | 9 kinds of subjects: two, three, four, bits, two digits     | “9 · …” |
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cells, day, newFirm, sixCities, type Told } from './six.ts'

let six: Awaited<ReturnType<typeof sixCities>>
beforeAll(async () => {
  six = await sixCities()
}, 60_000)
afterAll(() => six?.[Symbol.asyncDispose]())

const slashed = (days: number) => day(days).replaceAll('-', '/')

/** Puts a row about a new enterprise into the table of a city, and gives what another city is told of it. */
async function told(from: string, to: string, table: string, family: string, change: Cells, like: Cells = {}) {
  const firm = newFirm(to)
  const { lower = false } = to === 'ningbo' ? { lower: true } : {}
  six.put(to, table, lower ? firm.toLowerCase() : firm, change, like)
  return six.only(from, to, firm, family)
}

/** What the level is here: the outcome, our own words for it, and whether it is one of them and which cannot be told. */
function here({ recognition }: Told) {
  const words = recognition?.as?.map(({ zh }) => zh)
  return [recognition?.outcome, ...(words ?? []), ...(recognition?.ambiguous ? ['其中之一'] : [])]
}
const nothingHere = ['informational']
const untranslated = ({ local }: Told, field: string) => local?.untranslated.find(each => each.field === field)

const yrd = (PDJG: string) => ({ PDMC: '企业环保信用评价', PDJG, PDRQ: '2026/04/30' })
const national = (PJDJ: string) => ({ PJTX: '企业环境信用评价', PJDJ, PJRQ: '2026/05/30' })

describe('1 · environment colours', () => {
  it('1 · red and black of Jiangyin are both the red plate of Huizhou, and the colour travels along', async () => {
    for (const colour of ['红', '黑']) {
      const record = await told('huizhou', 'jiangyin', 'YW_L_FRHYPD', 'rating', yrd(colour))
      expect(here(record)).toEqual(['recognised', '企业环境信用评价（国家） 红牌'])
      expect(record.recognition?.relation).toBe('narrower')
      expect(untranslated(record, 'level')).toMatchObject({ original: colour })
    }
  })

  it('1 · a red plate of Huizhou, or of Jimo, is red or black in Jiangyin, and which cannot be told', async () => {
    const ours = ['recognised', '长三角环保信用评价 红', '长三角环保信用评价 黑', '其中之一']
    expect(here(await told('jiangyin', 'huizhou', 'XY_PJ', 'rating', national('红牌')))).toEqual(ours)
    const jimo = { PJLB: '企业环境信用评价', PJJG: '红牌', PJRQ: '2026/05/30' }
    expect(here(await told('jiangyin', 'jimo', 'XYPJ', 'rating', jimo))).toEqual(ours)
  })

  it('1 · yellow is not yellow between the two schemes: average there, a warning here', async () => {
    const there = await told('huizhou', 'jiangyin', 'YW_L_FRHYPD', 'rating', yrd('黄'))
    const back = await told('jiangyin', 'huizhou', 'XY_PJ', 'rating', national('黄牌'))
    expect([here(there), here(back)]).toEqual([nothingHere, nothingHere])
    expect([there.recognition?.why?.code, back.recognition?.why?.code]).toEqual([
      'recognition.none',
      'recognition.none',
    ])
    expect([there.local?.columns['PJDJ'], back.local?.columns['PDJG']]).toEqual([undefined, undefined])
  })

  it('1 · yellow is yellow between two cities of one scheme, whatever each calls it', async () => {
    const record = await told('jiangyin', 'suqian', 'T_HYPJ', 'rating', {
      PJMC: '企业环保信用评价',
      PJDJ: '黄色',
      PJRQ: '2026/05/30',
    })
    expect(here(record)).toEqual(['recognised', '长三角环保信用评价 黄'])
    expect(record.local).toMatchObject({
      // A word that is ours too stays as it is.
      columns: { PDMC: '企业环保信用评价', PDJG: '黄色' },
      meanings: { PDJG: { original: '黄色', relation: 'exact' } },
    })
  })
})

describe('2 · grades of dishonesty', () => {
  const inJiangyin = (CFDJ: string) => told('huizhou', 'jiangyin', 'YW_L_XZCF', 'penalty', { CFDJ })
  const inHuizhou = (SXCD: string) => told('jiangyin', 'huizhou', 'SGS_XZCF', 'penalty', { SXCD })

  it.each([
    ['1', '轻微 / 一般'],
    ['一般', '轻微 / 一般'],
    ['2', '一般 / 严重'],
    ['较重', '一般 / 严重'],
  ])(
    '2 · %s of Jiangyin, where 一般 is the lowest, is %s to Huizhou, and no word of Huizhou',
    async (word, meaning) => {
      const record = await inJiangyin(word)
      expect(untranslated(record, 'grade')).toMatchObject({ original: word, meaning, reason: 'ambiguous' })
      expect(record.local?.columns).not.toHaveProperty('SXCD')
    },
  )

  it('2 · 一般 of Suqian is the lowest as well, and says so to Quzhou', async () => {
    const record = await told('quzhou', 'suqian', 'T_XZCF', 'penalty', { YZCD: '1', CF_JDRQ: slashed(-20) })
    expect(record.shared.fields['grade']).toEqual({ codes: ['minor', 'general'], ambiguous: true, original: '1' })
  })

  it('2 · 一般 of Huizhou, the middle one, is never the 一般 of Jiangyin', async () => {
    const record = await inHuizhou('一般')
    expect(record.shared.fields['grade']).toEqual({ code: 'general', original: '一般' })
    expect(untranslated(record, 'grade')).toMatchObject({ original: '一般', reason: 'no-word' })
    expect(record.local?.columns).not.toHaveProperty('CFDJ')
  })

  it('2 · 特别严重 of the third scale stands in no list of the six, and stays a word', async () => {
    const record = await inHuizhou('特别严重')
    expect(untranslated(record, 'grade')).toMatchObject({ original: '特别严重', reason: 'not-translated-there' })
  })
})

describe('3 · what is not rated', () => {
  it.each([
    [
      'tax M of Jiangyin in Huizhou',
      'huizhou',
      'jiangyin',
      'YW_L_FRHYPD',
      { PDMC: '纳税缴费信用评价', PDJG: 'M', PDRQ: '2026/04/15' },
    ],
    ['tax M of Jimo in Jiangyin', 'jiangyin', 'jimo', 'XYPJ', { PJLB: '纳税信用', PJJG: 'M', PJRQ: '2026/04/30' }],
    [
      'tax m of Ningbo in Suqian',
      'suqian',
      'ningbo',
      'nsdj',
      { evalua_year: '2025', tax_credit_level: 'm', evalua_result_end: '9999-09-09' },
    ],
    [
      'customs 常规 of Jiangyin in Huizhou',
      'huizhou',
      'jiangyin',
      'YW_L_FRHYPD',
      { PDMC: '海关企业信用等级', PDJG: '常规', PDRQ: '2026/06/01' },
    ],
    ['环保 不参评 of Huizhou in Jiangyin', 'jiangyin', 'huizhou', 'XY_PJ', national('不参评')],
  ])('3 · %s is no level between two others', async (_, from, to, table, change) => {
    const record = await told(from, to, table, 'rating', change)
    expect(here(record)).toEqual(nothingHere)
    expect(record.recognition).toMatchObject({ relation: 'none', why: { code: 'recognition.none' } })
  })

  it('3 · 未定 of Jiangyin is no grade in Huizhou', async () => {
    for (const word of ['0', '未定']) {
      const record = await told('huizhou', 'jiangyin', 'YW_L_XZCF', 'penalty', { CFDJ: word })
      expect(record.shared.fields['grade']).toEqual({ untranslated: word })
      expect(record.local?.columns).not.toHaveProperty('SXCD')
    }
  })
})

describe('4 · the letter A', () => {
  it('4 · is the first of four in tax, the first of three in labour law and the third of nine of a rating agency', async () => {
    const tax = await told('jiangyin', 'jimo', 'XYPJ', 'rating', { PJLB: '纳税信用', PJJG: 'A', PJRQ: '2026/04/30' })
    const labour = await told('jiangyin', 'jimo', 'XYPJ', 'rating', {
      PJLB: '劳动保障守法诚信等级',
      PJJG: 'A',
      PJRQ: '2026/04/30',
    })
    const agency = await told('jiangyin', 'suqian', 'T_DSFPJ', 'rating', { PJDJ: 'A', JGZT: '正常' })
    expect([tax, labour, agency].map(({ recognition }) => recognition?.as?.map(({ code }) => code))).toEqual([
      ['tax-2025.a'],
      ['labour-2017.a'],
      ['third-party-aaa.a'],
    ])
    expect([tax, labour, agency].map(({ local }) => [local?.table, local?.columns['PDMC']])).toEqual([
      ['YW_L_FRHYPD', '纳税缴费信用评价'],
      ['YW_L_FRHYPD', '劳动保障守法诚信等级评价'],
      ['SSZJ_PJDJ', undefined],
    ])
  })

  it('4 · of the scale of road works, second of five, comes as no A at all: no city of the six has the scale', async () => {
    const firm = newFirm('suqian')
    six.put('suqian', 'T_HYPJ', firm, { PJMC: '公路施工企业信用评价', PJDJ: 'A' })
    expect((await six.ask('jiangyin', 'suqian', firm)).records).toEqual([])
  })
})

describe('5 · a score', () => {
  it('5 · of Zhejiang without a level gets none, from Quzhou and from Ningbo', async () => {
    const scheme = { CF070007: '浙江省企业公共信用评价', CF070008: '815.00', CF070010: '20260105' }
    const quzhou = await told('jiangyin', 'quzhou', 'CF07', 'rating', scheme)
    const ningbo = await told('jiangyin', 'ningbo', 'qyxyf', 'rating', { cred_scard: '815.00' })
    expect([here(quzhou), here(ningbo)]).toEqual([nothingHere, nothingHere])
    expect(untranslated(quzhou, 'level')).toMatchObject({ original: '815.00', reason: 'not-translated-there' })
    expect(ningbo.shared.fields).toMatchObject({ score: '815' })
    expect(ningbo.shared.fields).not.toHaveProperty('level')
    expect([quzhou, ningbo].map(({ local }) => local?.columns['PDJG'])).toEqual([undefined, undefined])
  })

  it('5 · and a level by its word is that level, with no score made up for it', async () => {
    const record = await told('suqian', 'quzhou', 'CF07', 'rating', { CF070008: '优秀', CF070010: '20260105' })
    expect(record.recognition?.as?.map(({ code }) => code)).toEqual(['zhejiang-enterprise.a'])
    expect(record.shared.fields).not.toHaveProperty('score')
  })
})

describe('6 · scales by the day', () => {
  it.each([
    ['20260331', 'customs-2021.advanced'],
    ['20260401', 'customs-2026.advanced'],
  ])('6 · the customs level of %s in Quzhou is %s in Jiangyin', async (CF070010, level) => {
    const record = await told('jiangyin', 'quzhou', 'CF07', 'rating', {
      CF070007: '海关企业信用等级',
      CF070008: '高级认证',
      CF070010,
    })
    expect(record.shared.fields['level']).toEqual({ code: level, original: '高级认证' })
    expect(record.recognition?.as?.map(({ code }) => code)).toEqual([level])
  })

  it.each([
    ['2025/06/30', 'tax-before-2025.b'],
    ['2025/07/01', 'tax-2025.b'],
  ])('6 · the tax level of %s in Jimo is %s', async (PJRQ, level) => {
    const record = await told('jiangyin', 'jimo', 'XYPJ', 'rating', { PJLB: '纳税信用', PJJG: 'B', PJRQ })
    expect(record.shared.fields['level']).toEqual({ code: level, original: 'B' })
  })

  it('6 · the yellow of Quzhou is average until 2025-12-22, and from the day after no level that anybody knows', async () => {
    const of = (CF070010: string) =>
      told('jiangyin', 'quzhou', 'CF07', 'rating', { CF070007: '企业环境信用评价', CF070008: '黄', CF070010 })
    const [before, after] = [await of('20251222'), await of('20251223')]
    expect(here(before)).toEqual(['recognised', '长三角环保信用评价 黄'])
    expect(here(after)).toEqual(nothingHere)
    expect(untranslated(after, 'level')).toMatchObject({ original: '黄', reason: 'not-translated-there' })
  })

  it('6 · the batch of Ningbo chooses the scheme, and one that nobody listed chooses none: it is unknown, not clean', async () => {
    const of = (cmnt_batch: string) =>
      told('jiangyin', 'ningbo', 'hjxypj', 'rating', { cmnt_batch, cmnt_lvel: '绿', valid_dt: day(300) })
    expect(here(await of('2024年度'))).toEqual(['recognised', '长三角环保信用评价 绿'])
    expect(here(await of('2025年度'))).toEqual(nothingHere)
    const firm = newFirm('ningbo')
    six.put('ningbo', 'hjxypj', firm.toLowerCase(), { cmnt_batch: '第三批', cmnt_lvel: '绿' })
    expect(await six.ask('jiangyin', 'ningbo', firm)).toMatchObject({
      status: 'unknown',
      records: [],
      unknown: [{ family: 'rating', reason: { code: 'record.undetermined' } }],
    })
  })
})

describe('7 · kinds of penalty', () => {
  it('7 · a merged word of 2015 in Suqian is one of two in Quzhou, and which cannot be told', async () => {
    const record = await told('quzhou', 'suqian', 'T_XZCF', 'penalty', {
      CF_CFLB1: '没收违法所得、没收非法财物',
      CF_CFLB2: null,
    })
    expect(record.shared.fields['kinds']).toMatchObject({ codes: ['03', '09'], ambiguous: true })
    expect(record.local?.meanings['CF010006']).toEqual({ original: '没收违法所得、没收非法财物', relation: 'broader' })
  })

  it('7 · a merged word of 2015 in a row of Jimo, whose table has both standards, is one of two in Jiangyin', async () => {
    const like = { CF_WSH: '即建演示罚字〔2017〕8号' }
    const record = await told(
      'jiangyin',
      'jimo',
      'SGS_XZCF-2015',
      'penalty',
      { CF_CFLB1: '暂扣或者吊销许可证、暂扣或者吊销执照', CF_ZT: '0', CF_JDRQ: slashed(-30), GSJZQ: slashed(60) },
      like,
    )
    expect(record.shared.fields['kinds']).toMatchObject({ codes: ['05', '11'], ambiguous: true })
    expect(record.local?.columns['CFZL']).not.toMatch(/^(?:吊销|暂扣)许可证件?$/)
  })

  it('7 · one of the seven kinds of 2021 that 2015 did not know is 其他 in Suqian, with its own word beside', async () => {
    const record = await told('suqian', 'quzhou', 'CF01', 'penalty', { CF010006: '13' }, { SJBS: 'QZ14' })
    expect(record.local?.columns).toMatchObject({ CF_CFLB1: '其他' })
    expect(record.local?.meanings['CF_CFLB1']).toEqual({ original: '13', relation: 'broader' })
  })
})

describe('8 · red and black lists', () => {
  it('8 · one with basis, authority and document is recognised as ours, with our measures', async () => {
    const record = await told('jiangyin', 'quzhou', 'CH01', 'list', {}, { SJBS: 'QH01' })
    expect(here(record)).toEqual(['recognised', '拖欠农民工工资失信联合惩戒对象'])
    expect(record.measures?.length).toBeGreaterThan(0)
  })

  it('8 · one of a city alone is information, and triggers nothing', async () => {
    const record = await told('huizhou', 'jiangyin', 'YW_L_HEIMINGDAN', 'list', {})
    expect(here(record)).toEqual(nothingHere)
    expect([record.shared.notice, record.measures]).toEqual([true, undefined])
  })

  it('8 · one that shows no document is refused as a list', async () => {
    const record = await told('jiangyin', 'ningbo', 'dw_zj_scjdgl_yzwfsx', 'list', {})
    expect([here(record), record.recognition?.why?.code]).toEqual([['refused'], 'recognition.list-basis'])
    expect(record.measures).toBeUndefined()
  })

  it('8 · one that was made by counting does not come at all, and one made nobody knows how makes the lists unknown', async () => {
    const entry = { LRRQ: slashed(-10), GSJZQ: slashed(60), YCRQ: null, YCSY: null, XFZT: '0' }
    const [counted, unclear] = [newFirm('suqian'), newFirm('suqian')]
    six.put('suqian', 'T_HHMD', counted, { ...entry, LRFS: '系统自动' })
    six.put('suqian', 'T_HHMD', unclear, { ...entry, LRFS: '批量导入' })
    expect(await six.ask('jiangyin', 'suqian', counted)).toMatchObject({ status: 'answered', records: [] })
    expect(await six.ask('jiangyin', 'suqian', unclear)).toMatchObject({
      status: 'unknown',
      records: [],
      unknown: [{ family: 'list' }],
    })
  })

  it('8 · a red list by national rule is the same red list here, and an honour of a city alone is information', async () => {
    const national = { MDLX: 'A级纳税人', MDMC: 'A级纳税人', JLZT: '正常', YCRQ: null }
    const taxpayers = await told('jiangyin', 'huizhou', 'XY_MD', 'list', national, { BH: 'HZ20260001' })
    const honour = await told('jimo', 'jiangyin', 'YW_L_HONGMINGDAN', 'list', {})
    expect([here(taxpayers), here(honour)]).toEqual([['recognised', 'A级纳税人'], nothingHere])
    expect(taxpayers.local?.table).toBe('YW_L_HONGMINGDAN')
  })
})

describe('9 · kinds of subjects', () => {
  it.each<[string, string, string, string, string, string, string, Cells]>([
    ['two kinds of Jiangyin', 'huizhou', 'jiangyin', 'YW_L_XZCF', 'SUBJECT_TYPE', '0', '1', {}],
    ['three libraries of Jimo', 'jiangyin', 'jimo', 'SGS_XZCF-2018', 'CF_XDR_LB', '企业', '个人', {}],
    ['kinds of Suqian', 'ningbo', 'suqian', 'T_HHMD', 'ZTLB', '企业', '自然人', { MDBH: 'SQ0001' }],
    ['digits of Zhejiang', 'suqian', 'quzhou', 'CF01', 'CF010008', '2', '1', { SJBS: 'QZ14' }],
    ['two digits of the province in Ningbo', 'suqian', 'ningbo', 'xzcf_slhl', 'admin_cp_type', '02', '01', {}],
    [
      'four kinds of Huizhou',
      'jiangyin',
      'huizhou',
      'XY_MD',
      'XDR_LB',
      '企业',
      '个人（重点人群）',
      { BH: 'HZ20260001' },
    ],
  ])(
    '9 · the %s: an enterprise comes, a person never does',
    async (_, from, to, table, column, firmWord, personWord, like) => {
      for (const [word, count] of [
        [firmWord, 1],
        [personWord, 0],
      ] as const) {
        const firm = newFirm(to)
        six.put(to, table, to === 'ningbo' ? firm.toLowerCase() : firm, { [column]: word }, like)
        expect((await six.ask(from, to, firm)).records, word).toHaveLength(count)
      }
    },
  )

  it('9 · a digit of Zhejiang that may be a person, and a bit or two digits of platforms that none of the six has, stay at home', async () => {
    for (const [to, from, table, change, like] of [
      ['quzhou', 'suqian', 'CF01', { CF010008: '3' }, { SJBS: 'QZ14' }],
      ['huizhou', 'jiangyin', 'XY_MD', { XDR_LB: '4' }, { BH: 'HZ20260001' }],
      ['huizhou', 'jiangyin', 'XY_MD', { XDR_LB: '91' }, { BH: 'HZ20260001' }],
    ] as const) {
      const firm = newFirm(to)
      six.put(to, table, firm, change, like)
      expect((await six.ask(from, to, firm)).records).toEqual([])
    }
  })
})
