/**
 * Every trap between two tables that look alike, from a row in one city's own table to what another city reads in its own words.
 *
 * | trap                                                             | test |
 * | status 1: integrated, withdrawn, in force, valid                 | “status 1 …” |
 * | is_public 0 is public                                            | “0 is public …” |
 * | yuan and 10,000 yuan                                             | “an amount …” |
 * | CFJG: the result here, the authority there                       | “CFJG …” |
 * | without end: 2099/12/31, 9999-09-09, words                       | “without end …” |
 * | a black list without type and end                                | “a black list without a type …” |
 * | list-in and list-out against one publicity end                   | “an entry ends …” |
 * | brackets                                                         | “brackets …” |
 * | seventeen zeros and X                                            | “seventeen zeros and X …” |
 * | the number of the legal representative                           | “the legal representative’s number …” |
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completeUscc } from '#protocol/subject.ts'
import { type Cells, day, newFirm, sixCities } from './six.ts'

let six: Awaited<ReturnType<typeof sixCities>>
beforeAll(async () => {
  six = await sixCities()
}, 60_000)
afterAll(() => six?.[Symbol.asyncDispose]())

const slashed = (days: number) => day(days).replaceAll('-', '/')
const compact = (days: number) => day(days).replaceAll('-', '')
const keyOf = (city: string, firm: string) => (city === 'ningbo' ? firm.toLowerCase() : firm)

/** Puts a row about a new enterprise into the table of a city, and gives everything that another city is told of it. */
async function answer(from: string, to: string, table: string, change: Cells, like: Cells = {}) {
  const firm = newFirm(to)
  six.put(to, table, keyOf(to, firm), change, like)
  return six.ask(from, to, firm)
}

async function told(from: string, to: string, table: string, change: Cells, like: Cells = {}) {
  const { records, status } = await answer(from, to, table, change, like)
  const [one, ...more] = records
  if (one === undefined || more.length > 0) throw new Error(`${records.length} records, ${status}`)
  return one
}

describe('status 1', () => {
  it.each<[string, string, string, string, Cells, Cells, number]>([
    ['is integrated in the STATUS of Jiangyin, and leaves', 'huizhou', 'jiangyin', 'YW_L_XZCF', { STATUS: '1' }, {}, 1],
    ['is withdrawn in the DQZT of Jiangyin, and stays', 'huizhou', 'jiangyin', 'YW_L_XZCF', { DQZT: '1' }, {}, 0],
    ['is withdrawn in the ZT of 2015 in Suqian, and stays', 'jiangyin', 'suqian', 'T_XZXK', { XK_ZT: '1' }, {}, 0],
    ['is withdrawn in a county of Suqian, and stays', 'jiangyin', 'suqian', 't_sgs_xk', { xkzt: '1' }, {}, 0],
    [
      'is withdrawn in a row of 2015 in Jimo, and stays',
      'jiangyin',
      'jimo',
      'SGS_XZXK-2015',
      { XK_ZT: '1' },
      { XK_WSH: '即演示许字〔2016〕3号' },
      0,
    ],
    [
      'is valid in a row of 2018 of the same table of Jimo, and leaves',
      'jiangyin',
      'jimo',
      'SGS_XZXK-2018',
      { XK_ZT: '1' },
      { XK_WSH: '即演示许〔2024〕1号' },
      1,
    ],
    ['is in force in Quzhou, and leaves', 'jiangyin', 'quzhou', 'CF01', { CF010014: '1' }, { SJBS: 'QZ14' }, 1],
    [
      'is withdrawn in the publicstatus of Ningbo, and stays',
      'jiangyin',
      'ningbo',
      'xzcf_slhl',
      { publicstatus: '1' },
      {},
      0,
    ],
    ['is valid in the XK_ZT of Ningbo, and leaves', 'jiangyin', 'ningbo', 'sgs_xzxk', { XK_ZT: '1' }, {}, 1],
    ['is valid in the XK_ZT of Huizhou, and leaves', 'jiangyin', 'huizhou', 'SGS_XZXK', { XK_ZT: '1' }, {}, 1],
  ])('status 1 %s', async (_, from, to, table, change, like, count) => {
    expect(await answer(from, to, table, change, like)).toMatchObject({ status: 'answered' })
    expect((await answer(from, to, table, change, like)).records).toHaveLength(count)
  })

  it('status 0 is the other way round: in force in 2015 and in Ningbo, not integrated in Jiangyin, and nothing in Quzhou', async () => {
    expect((await answer('jiangyin', 'suqian', 'T_XZXK', { XK_ZT: '0' })).records).toHaveLength(1)
    expect((await answer('jiangyin', 'ningbo', 'xzcf_slhl', { publicstatus: '0' })).records).toHaveLength(1)
    const unclear = { status: 'unknown', records: [] }
    expect(await answer('huizhou', 'jiangyin', 'YW_L_XZCF', { STATUS: '0' })).toMatchObject(unclear)
    expect(await answer('jiangyin', 'quzhou', 'CF01', { CF010014: '0' }, { SJBS: 'QZ14' })).toMatchObject(unclear)
    expect(await answer('jiangyin', 'huizhou', 'SGS_XZXK', { XK_ZT: '0' })).toMatchObject(unclear)
  })
})

describe('0 is public', () => {
  it('0 is public and 1 is not, in the tables of Zhejiang', async () => {
    for (const [table, column, like] of [
      ['CF01', 'CF010012', { SJBS: 'QZ14' }],
      ['CH01', 'SFGK', { SJBS: 'QH01' }],
      ['CF07', 'SFGK', { SJBS: 'QP10' }],
    ] as const) {
      expect((await answer('jiangyin', 'quzhou', table, { [column]: '0' }, like)).records, table).toHaveLength(1)
      expect((await answer('jiangyin', 'quzhou', table, { [column]: '1' }, like)).records, table).toHaveLength(0)
    }
  })

  it('0 is public and 1 is for authorities in Jiangyin, where the same digits stand for other levels', async () => {
    const tendering = async (SYFW: string) => {
      const firm = newFirm('jiangyin')
      six.put('jiangyin', 'YW_L_XZCF', firm, { SYFW })
      return (await six.ask('huizhou', 'jiangyin', firm, { purpose: 'tendering' })).records.length
    }
    // For tendering the agreement reaches what is public, and no further.
    expect([await tendering('0'), await tendering('1'), await tendering('2')]).toEqual([1, 0, 0])
  })
})

describe('an amount', () => {
  it.each<[string, string, string, string, Cells, Cells, string, Cells]>([
    [
      '2.5 (10,000 yuan) of Jimo is 25000 yuan in Jiangyin',
      'jiangyin',
      'jimo',
      'SGS_XZCF-2018',
      { CF_NR_FK: 2.5 },
      { CF_WSH: '即环演示罚〔2026〕1号' },
      '25000',
      { FKJE: '25000' },
    ],
    [
      '50000 (yuan) of Jiangyin is 5 (10,000 yuan) in Huizhou',
      'huizhou',
      'jiangyin',
      'YW_L_XZCF',
      { FKJE: 50000 },
      {},
      '50000',
      { CF_NR_FK: '5' },
    ],
    [
      '0.0001 (10,000 yuan) of Huizhou is one yuan in Jiangyin',
      'jiangyin',
      'huizhou',
      'SGS_XZCF',
      { CF_NR_FK: '0.0001' },
      {},
      '1',
      { FKJE: '1' },
    ],
    [
      '100000.00 (yuan) of Ningbo is 100000 in Jiangyin',
      'jiangyin',
      'ningbo',
      'xzcf_slhl',
      { fine: '100000.00' },
      {},
      '100000',
      { FKJE: '100000' },
    ],
  ])('an amount of %s', async (_, from, to, table, change, like, amount, columns) => {
    const record = await told(from, to, table, change, like)
    expect(record.shared.fields['fine']).toEqual({ amount, currency: 'CNY', unit: '1' })
    expect(record.local?.columns).toMatchObject(columns)
  })
})

describe('CFJG', () => {
  it('CFJG is the result in Jiangyin, and CF_CFJG the authority in Huizhou and Jimo; neither is taken for the other', async () => {
    const made = { CFJG: '罚款人民币壹仟元整', CFJGMC: '江阴市市场监督管理局' }
    const there = await told('huizhou', 'jiangyin', 'YW_L_XZCF', made)
    expect(there.local?.columns).toMatchObject({ CF_NR: made.CFJG, CF_CFJG: made.CFJGMC })
    const of2018 = { CF_NR: '罚款人民币贰仟元整', CF_CFJG: '惠州市市场监督管理局' }
    const back = await told('jiangyin', 'huizhou', 'SGS_XZCF', of2018)
    expect(back.local?.columns).toMatchObject({ CFJG: of2018.CF_NR, CFJGMC: of2018.CF_CFJG })
  })

  it('CF_JG of 2015 is the result too, in Suqian and in the mixed table of Jimo', async () => {
    const made = { CF_JG: '罚款人民币叁仟元整', CF_XZJG: '宿迁市市场监督管理局' }
    const suqian = await told('jiangyin', 'suqian', 'T_XZCF', made)
    expect(suqian.local?.columns).toMatchObject({ CFJG: made.CF_JG, CFJGMC: made.CF_XZJG })
    const row = {
      CF_JG: '停业整顿',
      CF_XZJG: '即墨市城乡建设局',
      CF_ZT: '0',
      CF_JDRQ: slashed(-30),
      GSJZQ: slashed(60),
    }
    const jimo = await told('jiangyin', 'jimo', 'SGS_XZCF-2015', row, { CF_WSH: '即建演示罚字〔2017〕8号' })
    expect(jimo.local?.columns).toMatchObject({ CFJG: row.CF_JG, CFJGMC: row.CF_XZJG })
  })
})

describe('without end', () => {
  it.each<[string, string, string, string, Cells, Cells, string, string]>([
    ['2099/12/31 of Huizhou', 'jiangyin', 'huizhou', 'SGS_XZXK', { XK_YXQZI: '2099/12/31' }, {}, 'XKJZQ', '2099/12/31'],
    [
      '9999-09-09 of Jimo',
      'jiangyin',
      'jimo',
      'SGS_XZXK-2018',
      { XK_YXQZI: '9999-09-09' },
      { XK_WSH: '即演示许〔2024〕1号' },
      'XKJZQ',
      '2099/12/31',
    ],
    [
      '2099-12-31 00:00;00 of Ningbo',
      'suqian',
      'ningbo',
      'sgs_xzxk',
      { XK_YXQZI: '2099-12-31 00:00;00' },
      {},
      'XK_JZQ',
      '2099/12/31',
    ],
    [
      '长期 of Jimo',
      'jiangyin',
      'jimo',
      'SGS_XZXK-2018',
      { XK_YXQZI: '长期' },
      { XK_WSH: '即演示许〔2024〕1号' },
      'XKJZQ',
      '2099/12/31',
    ],
  ])('without end is %s, and never a day', async (_, from, to, table, change, like, column, text) => {
    const record = await told(from, to, table, change, like)
    expect(record.shared.fields['validUntil']).toBe('indefinite')
    expect(record.local?.columns).toMatchObject({ [column]: text })
  })

  it('without end is 无处罚期限 in a date column of Jiangyin, and 9999-09-09 for who is not yet off a list of Ningbo', async () => {
    const penalty = await told('huizhou', 'jiangyin', 'YW_L_XZCF', { CFJZQ: '无处罚期限' })
    expect(penalty.shared.fields['validUntil']).toBe('indefinite')
    const entry = await told('suqian', 'ningbo', 'dw_zj_scjdgl_yzwfsx', { rem_dt: '9999-09-09' })
    expect(entry.shared.fields['removed']).toBe('indefinite')
  })

  it.each(['\\N', '暂无', '1900-1-1', '1899-12-31', ''])(
    'without a date is %j of Ningbo: it is left out, and no day is made of it',
    async valid => {
      const record = await told('suqian', 'ningbo', 'sgs_xzxk', { XK_YXQZI: valid })
      expect(record.shared.fields).not.toHaveProperty('validUntil')
      expect(record.local?.columns).not.toHaveProperty('XK_JZQ')
    },
  )

  it.each([
    ['20200316', '2020-03-16'],
    ['2019-9-4', '2019-09-04'],
    ['2019-09-04 10:11:12', '2019-09-04'],
  ])('without care for its form, a date of Ningbo as %s is %s', async (XK_JDRQ, decided) => {
    const firm = newFirm('ningbo')
    six.put('ningbo', 'sgs_xzxk', firm.toLowerCase(), { XK_JDRQ })
    const { shared } = await six.only('suqian', 'ningbo', firm, 'licence', 'tendering')
    expect(shared.fields['decided']).toBe(decided)
  })
})

describe('a list', () => {
  it('a black list without a type in Jiangyin is its own, without a name, and ends with its publicity', async () => {
    const black = (GSJZQ: string) => answer('huizhou', 'jiangyin', 'YW_L_HEIMINGDAN', { GSJZQ })
    const [entry] = (await black(slashed(60))).records
    expect(entry?.shared.fields['type']).toMatchObject({ code: 'local-black' })
    expect(entry?.shared.fields).not.toHaveProperty('removed')
    expect(entry?.local?.columns).toMatchObject({ MDLX: '黑名单', GSJZQ: slashed(60) })
    expect((await black(slashed(-1))).records).toEqual([])
    // What cannot end is not public for ever: the longest time that the rules allow is counted from the day of the entry.
    expect(
      (await answer('huizhou', 'jiangyin', 'YW_L_HEIMINGDAN', { GSJZQ: '2099/12/31', QRYZSXRQ: '2019/01/01' })).records,
    ).toEqual([])
  })

  it.each<[string, string, string, string, Cells, Cells, Cells]>([
    [
      'the day off the list of Quzhou',
      'jiangyin',
      'quzhou',
      'CH01',
      { CH010008: '移出' },
      { CH010009: compact(-1) },
      { SJBS: 'QH01' },
    ],
    ['the day off the list of Ningbo', 'jiangyin', 'ningbo', 'dw_zj_scjdgl_yzwfsx', {}, { rem_dt: day(-1) }, {}],
    [
      'the day off the list of Huizhou',
      'jiangyin',
      'huizhou',
      'XY_MD',
      {},
      { YCRQ: slashed(-1) },
      { BH: 'HZ20260001' },
    ],
    ['the end of publicity in Jiangyin', 'huizhou', 'jiangyin', 'YW_L_HEIMINGDAN', {}, { GSJZQ: slashed(-1) }, {}],
    [
      'the end of publicity in Huizhou',
      'jiangyin',
      'huizhou',
      'XY_MD',
      {},
      { GSJZQ: slashed(-1) },
      { BH: 'HZ20260001' },
    ],
  ])('an entry ends with %s', async (_, from, to, table, removal, end, like) => {
    expect((await answer(from, to, table, {}, like)).records).toHaveLength(1)
    expect((await answer(from, to, table, { ...removal, ...end }, like)).records).toHaveLength(0)
  })

  it('an entry ends, when it does not say when it was taken off but that it was', async () => {
    expect((await answer('jiangyin', 'quzhou', 'CH01', { CH010008: '已履行' }, { SJBS: 'QH01' })).records).toEqual([])
  })
})

describe('brackets', () => {
  it('brackets of either width are one word of a code list', async () => {
    for (const word of ['限制开展（生产）经营活动', '限制开展(生产)经营活动']) {
      const record = await told(
        'jiangyin',
        'jimo',
        'SGS_XZCF-2018',
        { CF_CFLB: word },
        { CF_WSH: '即环演示罚〔2026〕1号' },
      )
      expect(record.shared.fields['kinds']).toEqual({ codes: ['12'], original: word })
    }
  })

  it('brackets in a name stay as its city writes them', async () => {
    for (const name of ['惠州示例（集团）有限公司', '惠州示例(集团)有限公司']) {
      const record = await told('jiangyin', 'huizhou', 'SGS_XZCF', { CF_XDR_MC: name })
      expect(record.local?.columns).toMatchObject({ XZXDRMC: name })
    }
  })
})

describe('seventeen zeros and X', () => {
  it('seventeen zeros and X are no code: the row is found by its organisation code, in every city', async () => {
    for (const [city, asker, table, like, key, short, form] of [
      [
        'jimo',
        'jiangyin',
        'SGS_XZXK-2018',
        { XK_WSH: '即演示许〔2024〕1号' },
        'XK_XDR_SHXYM',
        'XK_XDR_ZZJG',
        (code: string) => `${code.slice(0, 8)}-${code.slice(8)}`,
      ],
      ['quzhou', 'jiangyin', 'CF01', { SJBS: 'QZ14' }, 'TYXYDM', 'ZZJGDM', (code: string) => code],
      ['jiangyin', 'huizhou', 'YW_L_XZCF', {}, 'TYSHXYDM', 'ZZJGDM', (code: string) => code],
      ['suqian', 'quzhou', 'T_XZCF', {}, 'CF_XDR_SHXYM', 'CF_XDR_ZDM', (code: string) => code],
      ['ningbo', 'suqian', 'sgs_xzxk', {}, 'UNI_SOCIAL_CRD_CD', 'XK_XDR_ZZJG', (code: string) => code.toLowerCase()],
      ['huizhou', 'jiangyin', 'SGS_XZCF', {}, 'CF_XDR_SHXYM', 'CF_XDR_ZZJG', (code: string) => code],
    ] as const) {
      const firm = newFirm(city)
      six.put(city, table, null, { [key]: '00000000000000000X', [short]: form(firm.slice(8, 17)) }, like)
      expect((await six.ask(asker, city, firm)).records, city).toHaveLength(1)
    }
  })

  it('seventeen zeros and X are nobody’s rows: they are asked about by nobody, and go to nobody', async () => {
    six.put('huizhou', 'SGS_XZCF', '00000000000000000X', { CF_WSH: '惠演示罚〔2026〕907号' })
    const question = {
      peer: 'huizhou',
      subjects: ['00000000000000000X'],
      purpose: 'tendering',
      matter: '示范〔2026〕12号',
    }
    const { status, body } = await six.running.ask('jiangyin', question)
    expect([status, body.code]).toEqual([400, 'subject.malformed'])
  })

  it('another firm’s code before the same organisation code says whose the row is', async () => {
    const firm = newFirm('quzhou')
    const other = completeUscc(`91330802${firm.slice(8, 16)}`)
    six.put('quzhou', 'CF01', other, { ZZJGDM: firm.slice(8, 17) }, { SJBS: 'QZ14' })
    expect((await six.ask('jiangyin', 'quzhou', firm)).records).toEqual([])
    expect((await six.ask('jiangyin', 'quzhou', other)).records).toHaveLength(1)
  })
})

describe('the legal representative’s number', () => {
  const NUMBER = '110105194912310021'.replace(/21$/, '2X')

  it.each<[string, string, string, string, Cells, Cells]>([
    ['Jiangyin', 'huizhou', 'jiangyin', 'YW_L_XZCF', { FDDBRSFZH: NUMBER, CFSY: `法定代表人证件${NUMBER}` }, {}],
    [
      'Ningbo',
      'suqian',
      'ningbo',
      'zdsswfhmd',
      { legal_repre_id: NUMBER, main_illg_fact: `法定代表人证件${NUMBER}`, entry_tm: `${day(-30)} 00:00:00` },
      {},
    ],
    [
      'Jimo',
      'jiangyin',
      'jimo',
      'LHJC_MD',
      { FRDB_ZJHM: NUMBER, LRSY: `法定代表人证件${NUMBER}` },
      { MDBH: 'JM000001' },
    ],
    [
      'Suqian',
      'jiangyin',
      'suqian',
      'T_HHMD',
      { FDDBRZJHM: NUMBER, LRSY: `法定代表人证件${NUMBER}` },
      { MDBH: 'SQ0001' },
    ],
    ['Huizhou', 'jiangyin', 'huizhou', 'SGS_XZCF', { CF_FR_ZJHM: NUMBER, CF_SY: `法定代表人证件${NUMBER}` }, {}],
  ])(
    'the legal representative’s number does not leave %s, neither from its column nor out of a text',
    async (_, from, to, table, change, like) => {
      const given = await answer(from, to, table, change, like)
      expect(given.records).toHaveLength(1)
      expect(JSON.stringify(given)).not.toContain(NUMBER)
      expect(JSON.stringify(given.records)).toContain('法定代表人证件******************')
    },
  )
})
