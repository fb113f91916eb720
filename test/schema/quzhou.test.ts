/** Quzhou: data items of Zhejiang's library of legal persons, with every trap of theirs from row to record and back. */
import { afterAll, describe, expect, test } from 'vitest'
import { holdsPersonalNumber } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import { demoTables, mappingOf } from './cities.ts'
import { cityDatabase, keptBy, openText } from './lookup.ts'

const quzhou = cityDatabase('quzhou')
afterAll(() => quzhou.close())
const [CHEMICAL, BUILDER, SNACKS, ORANGES, MACHINES, LORRIES] = [
  '91330802XXXXXX019W',
  '91330803XXXXXX0276',
  '92330802XXXXXX035F',
  '93330881XXXXXX043L',
  '91330822XXXXXX0517',
  '91330824XXXXXX06XU',
] as const
const everyone = [CHEMICAL, BUILDER, SNACKS, ORANGES, MACHINES, LORRIES, '91441300XXXXXX0278']

async function record(subject: string, id: string): Promise<SharedRecord> {
  const found = (await quzhou.about(subject)).find(each => each.id === id)
  if (found === undefined) throw new Error(`no record ${id}`)
  return found
}

/** A record as its own city writes it back, and as another city shows it. */
const shownIn = (city: string, { id, family, fields }: SharedRecord) => toLocal({ id, family, fields }, mappingOf(city))

describe('a version number', () => {
  test('of two versions of one record only the newest is a record', async () => {
    const found = (await quzhou.about(CHEMICAL)).filter(({ id }) => id === 'CF01-QZ01')
    expect(found).toHaveLength(1)
    expect(found[0]?.fields).toMatchObject({
      facts: '废水总排口化学需氧量超标（更正）',
      fine: { amount: '30000', currency: 'CNY', unit: '1' },
    })
  })

  test('is compared as a number: version 10, which withdraws, is newer than version 9', async () => {
    const withdrawn = await record(BUILDER, 'CF01-QZ04')
    expect(withdrawn.state).toBe('withdrawn')
    expect(keptBy(withdrawn)).toBe('record.ended')
  })
})

describe('a version number of a person’s record', () => {
  test('counts too: what the newest version says is a person’s is no longer a firm’s', async () => {
    const found = await quzhou.about(MACHINES)
    expect(found.filter(({ aboutPerson }) => aboutPerson === true)).toHaveLength(1)
    expect(found.map(({ id }) => id)).not.toContain('CF01-QZ14')
  })
})

describe('a state', () => {
  test('1 is in force here, though it is withdrawn in double publicity of 2015 and in the penalties that the province sends', async () => {
    expect((await record(CHEMICAL, 'CF01-QZ01')).state).toBe('normal')
    expect(
      toShared([{ table: 'xzcf_slhl', subject: CHEMICAL, row: { publicstatus: '1' } }], mappingOf('ningbo'))[0],
    ).toMatchObject({
      state: 'withdrawn',
    })
  })

  test('2 is withdrawn and 3 is deleted, and neither leaves', async () => {
    const [withdrawn, deleted] = [await record(CHEMICAL, 'CH01-QH06'), await record(BUILDER, 'CF01-QZ06')]
    expect([withdrawn.state, deleted.state]).toEqual(['withdrawn', 'deleted'])
    expect([keptBy(withdrawn), keptBy(deleted)]).toEqual(['record.ended', 'record.ended'])
  })

  test('outside 1, 2 and 3 cannot be told, and is not in force', () => {
    for (const CF010014 of ['0', '4', null]) {
      const [read] = toShared([{ table: 'CF01', subject: CHEMICAL, row: { CF010014, CF010008: '2' } }], quzhou.mapping)
      expect(read?.state).toBe('undetermined')
    }
  })
})

describe('公开 0 and 1', () => {
  test('0 is public', async () => {
    expect((await record(CHEMICAL, 'CF01-QZ01')).level).toBe('public')
  })

  test('1 is not public, so that the record is of no level at all and stays', async () => {
    const closed = await record(CHEMICAL, 'CF01-QZ03')
    expect(closed.level).toBeUndefined()
    expect(keptBy(closed)).toBe('agreement.share-level')
  })
})

describe('a party', () => {
  test('1 is a person, of whom nothing is read', async () => {
    const person = (await quzhou.about(CHEMICAL)).filter(({ aboutPerson }) => aboutPerson === true)
    expect(person).toMatchObject([{ id: 'person', fields: {} }])
  })

  test('3 may be a person: its masked name is not taken for a firm’s, and the record stays', async () => {
    const other = await record(CHEMICAL, 'CF01-QZ08')
    expect(other.aboutPerson).toBe('undetermined')
    expect(keptBy(other)).toBe('record.person')
  })

  test('without a unified code is found by its organisation code; 17 zeros and X are no code', async () => {
    const numbers = (await quzhou.about(MACHINES)).flatMap(({ family, fields }) =>
      family === 'penalty' ? fields['number'] : [],
    )
    expect(new Set(numbers)).toEqual(new Set(['常市监演示罚〔2026〕9号', '常市监演示罚〔2026〕10号', undefined]))
  })

  test('whose code has a label before it is found, and an organisation code with a hyphen does no harm', async () => {
    const [row] = demoTables('quzhou').flatMap(({ rows }) => rows.filter(({ SJBS }) => SJBS === 'QZ10'))
    expect(row).toMatchObject({ TYXYDM: `统一社会信用代码：${MACHINES}`, ZZJGDM: 'XXXXXX05-1' })
    expect((await record(MACHINES, 'CF01-QZ10')).state).toBe('normal')
  })

  test('of another city is found as well, and under its own code only', async () => {
    expect(await quzhou.about('91441300XXXXXX0278')).toMatchObject([{ id: 'CF01-QZ12' }])
  })

  test('an individual business and a co-operative are subjects like a firm', async () => {
    expect((await record(SNACKS, 'CC04-QC02')).kind).toBe('individual-business')
    expect((await record(ORANGES, 'CC04-QC01')).kind).toBe('cooperative')
  })
})

describe('a division of twelve digits', () => {
  test('is shared as the six of GB/T 2260, and written back with its zeros', async () => {
    const penalty = await record(CHEMICAL, 'CF01-QZ01')
    expect(penalty.fields['division']).toBe('330802')
    expect(shownIn('quzhou', penalty).columns['XZQH']).toBe('330802000000')
  })

  test('that a row already writes with six digits is the same division', async () => {
    expect((await record(MACHINES, 'CF01-QZ09')).fields['division']).toBe('330822')
  })

  test('below the county keeps all twelve: to cut it would say more than is known', () => {
    const row = { CF010008: '2', XZQH: '330802001000' }
    const [read] = toShared([{ table: 'CF01', subject: CHEMICAL, row }], quzhou.mapping)
    expect(read?.fields['division']).toBe('330802001000')
  })
})

describe('dates and amounts', () => {
  test.each([
    ['20191105', '2019-11-05'],
    ['2019-11-05', '2019-11-05'],
    ['2019/11/05', '2019-11-05'],
    ['2019-11-5', '2019-11-05'],
    ['99991231', 'indefinite'],
    ['20991231', 'indefinite'],
    ['9999-09-09', 'indefinite'],
    ['19000101', undefined],
    ['1899-12-31', undefined],
    ['\\N', undefined],
  ])('%s is %s', (CF010011, decided) => {
    const [read] = toShared([{ table: 'CF01', subject: CHEMICAL, row: { CF010008: '2', CF010011 } }], quzhou.mapping)
    expect(read?.fields['decided']).toBe(decided)
  })

  test('a fine in yuan is one in ten thousand yuan at Huizhou, to the last digit', async () => {
    const penalty = await record(CHEMICAL, 'CF01-QZ02')
    expect(penalty.fields['fine']).toEqual({ amount: '1234.5', currency: 'CNY', unit: '1' })
    expect(shownIn('huizhou', penalty).columns['CF_NR_FK']).toBe('0.12345')
  })

  test('a penalty whose publicity is over does not leave', async () => {
    expect(keptBy(await record(LORRIES, 'CF01-QZ11'))).toBe('record.publicity')
  })
})

describe('kinds of penalty', () => {
  test('are fourteen codes, written back as codes', async () => {
    const penalty = await record(CHEMICAL, 'CF01-QZ02')
    expect(penalty.fields['kinds']).toEqual({ codes: ['02', '08'], original: '02,08' })
    expect(shownIn('quzhou', penalty).columns['CF010006']).toBe('02,08')
    expect(shownIn('huizhou', penalty).columns['CF_CFLB']).toBe('罚款;通报批评')
  })

  test('of the seven words of 2015 are several kinds, of which none is certain', async () => {
    expect((await record(BUILDER, 'CF01-QZ05')).fields['kinds']).toEqual({
      codes: ['05', '11'],
      ambiguous: true,
      original: '暂扣或者吊销许可证、暂扣或者吊销执照',
    })
  })

  test('that are no kind at all travel as the words they are', async () => {
    const penalty = await record(LORRIES, 'CF01-QZ13')
    expect(penalty.fields['kinds']).toEqual({ untranslated: '责令限期改正' })
    expect(shownIn('huizhou', penalty).untranslated).toContainEqual(
      expect.objectContaining({ field: 'kinds', original: '责令限期改正' }),
    )
  })
})

describe('a list entry', () => {
  test('with its basis, authority and document keeps all three', async () => {
    const entry = await record(BUILDER, 'CH01-QH01')
    expect(entry.list).toBe('wage-arrears')
    expect(entry.fields).toMatchObject({
      basis: '人力资源和社会保障部令第45号',
      authority: '衢州市人力资源和社会保障局',
      document: '衢人社演示〔2026〕1号',
    })
  })

  test('that is out is out, one that is out on 99991231 is not', async () => {
    expect(keptBy(await record(BUILDER, 'CH01-QH02'))).toBe('record.publicity')
    expect(await record(CHEMICAL, 'CH01-QH05')).toMatchObject({
      endedOn: 'indefinite',
      list: 'market-serious-violation',
    })
  })

  test('under an older name of the list is of the same list', async () => {
    expect((await record(BUILDER, 'CH01-QH02')).list).toBe('tax-major-violation')
  })

  test('of a black list without a type is of no severe list', async () => {
    const entry = await record(LORRIES, 'CH01-QH03')
    expect(quzhou.mapping.vocabulary.lists.get(entry.list ?? '')?.severe).toBe(false)
    expect(entry.fields['basis']).toBeUndefined()
  })

  test('of a list that a department set up for itself is of no list', async () => {
    const entry = await record(LORRIES, 'CH01-QH04')
    expect(entry.list).toBeUndefined()
    expect(entry.fields['type']).toEqual({ untranslated: '失信名单（部门自设）' })
  })

  test('is written back with both its dates, and shown by Jiangyin with the exit told beside its table', async () => {
    const entry = await record(BUILDER, 'CH01-QH02')
    expect(shownIn('quzhou', entry).columns).toMatchObject({ CH010006: '20230316', CH010009: '20260316' })
    const there = shownIn('jiangyin', entry)
    expect(there.table).toBe('YW_L_HEIMINGDAN')
    expect(there.untranslated).toContainEqual(
      expect.objectContaining({ field: 'removed', original: '2026-03-16', reason: 'no-column' }),
    )
  })

  test('of an honour is a red list, ends when it is cancelled, and is no rating', async () => {
    expect(await record(ORANGES, 'CC04-QC01')).toMatchObject({
      family: 'list',
      list: 'honour',
      publishedUntil: 'indefinite',
      fields: { name: '诚信示范合作社 市级' },
    })
    expect(keptBy(await record(MACHINES, 'CC04-QC03'))).toBe('record.ended')
  })
})

describe('a rating', () => {
  test('that is a score gets no level, here and in every other city', async () => {
    const rating = await record(CHEMICAL, 'CF07-QP01')
    expect(rating.scheme).toBe('zhejiang-enterprise')
    expect(rating.fields['level']).toEqual({ untranslated: '815.00' })
    for (const city of ['huizhou', 'jiangyin', 'ningbo']) {
      expect(JSON.stringify(shownIn(city, rating).meanings)).not.toMatch(/优秀|良好|zhejiang/)
    }
  })

  test('with a level of its scheme has that level', async () => {
    expect((await record(MACHINES, 'CF07-QP02')).fields['level']).toEqual({
      code: 'zhejiang-enterprise.a',
      original: '优秀',
    })
  })

  test('in yellow is average by the standard of the delta, and of no known level after the revision of 2025-12-23', async () => {
    const [before, after] = [await record(CHEMICAL, 'CF07-QP03'), await record(CHEMICAL, 'CF07-QP04')]
    expect(before.fields['level']).toMatchObject({ code: 'environment-yrd.yellow' })
    expect(after.scheme).toBe('environment-zhejiang-2025')
    expect(after.fields['level']).toEqual({ untranslated: '黄' })
    expect(shownIn('huizhou', before).columns['PJDJ']).toBeUndefined()
  })

  test('by the delta’s standard made after the revision elsewhere has no word here, and is not given ours', () => {
    const jiangsu = {
      scheme: { code: 'environment-yrd', original: '企业环保信用评价' },
      level: { code: 'environment-yrd.yellow', original: '黄' },
      decided: '2026-06-30',
    }
    const local = toLocal({ id: 'x', family: 'rating', fields: jiangsu }, quzhou.mapping)
    expect(local.columns).toEqual({ CF070010: '20260630' })
    expect(local.untranslated.map(({ field, reason }) => [field, reason])).toEqual([
      ['scheme', 'no-word'],
      ['level', 'no-word'],
    ])
  })

  test('M is of the rules of its own year, and stands between no two levels', async () => {
    const [before, after] = [await record(MACHINES, 'CF07-QP05'), await record(MACHINES, 'CF07-QP06')]
    expect([before.scheme, after.scheme]).toEqual(['tax-before-2025', 'tax-2025'])
    const levels = quzhou.mapping.vocabulary.schemes.get('tax-2025')?.levels
    expect(levels?.find(({ code }) => code === 'tax-2025.m')?.rank).toBeNull()
  })

  test('of customs is of the rules in force on its day', async () => {
    expect((await record(MACHINES, 'CF07-QP07')).scheme).toBe('customs-2021')
    expect((await record(MACHINES, 'CF07-QP08')).fields['level']).toMatchObject({ code: 'customs-2026.certified' })
  })

  test('of a class of supervision without published levels keeps its words', async () => {
    expect((await record(LORRIES, 'CF07-QP09')).fields).toMatchObject({
      scheme: { untranslated: '安全生产分类监管' },
      level: { untranslated: 'B类' },
    })
  })

  test('of a rating company is a third party’s, and goes back to CH02', async () => {
    const rating = await record(MACHINES, 'CH02-QJ01')
    expect(rating.fields).toMatchObject({
      origin: { code: 'third-party' },
      level: { code: 'third-party-aaa.aa' },
      authority: '示例信用评级有限公司（虚构）',
    })
    expect(shownIn('quzhou', rating).table).toBe('CH02')
  })
})

describe('what is personal', () => {
  test('stands in no column that is read', () => {
    for (const table of quzhou.mapping.tables.values()) expect(table.columns).not.toContain('CF010009')
  })

  test('an identity number and a telephone number in the facts are masked, whatever blanks are between their digits', async () => {
    const penalty = await record(CHEMICAL, 'CF01-QZ02')
    expect(holdsPersonalNumber(String(penalty.fields['facts']))).toBe(true)
    expect(openText(penalty)).toContain('联系人身份证号 ******************，电话 *** **** ****')
  })

  test('is in nothing that may leave', async () => {
    for (const subject of everyone) {
      for (const each of await quzhou.about(subject)) {
        expect(holdsPersonalNumber(openText(each))).toBe(false)
        expect(openText(each)).not.toMatch(/虚构自然人|19000101/)
      }
    }
  })
})

test('every row whose remark says so stays at home, and every other one may leave', async () => {
  for (const subject of everyone) {
    for (const each of await quzhou.about(subject)) {
      const remark = String(each.fields['remark'] ?? '')
      if (remark.includes('不得提供')) expect(keptBy(each), remark).toBeDefined()
      else if (each.family === 'penalty' && each.id !== 'person') expect(keptBy(each), each.id).toBeUndefined()
    }
  }
})
