/** Huizhou: field names of 2018, three kinds of subject in double publicity and four in its library, two lights for importers. */
import { afterAll, describe, expect, test } from 'vitest'
import { holdsPersonalNumber } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import { cityNames, mappingOf } from './cities.ts'
import { cityDatabase, keptBy, openText } from './lookup.ts'

const huizhou = cityDatabase('huizhou')
afterAll(() => huizhou.close())
const [ELECTRONICS, CHEMICALS, IMPORTER, BUILDER, TRADE, RESTAURANT] = [
  '91441300XXXXXX019D',
  '91441300XXXXXX0278',
  '91441300XXXXXX043X',
  '91441300XXXXXX051Q',
  '91441300XXXXXX06XG',
  '92441300XXXXXX0350',
] as const
const everyone = [ELECTRONICS, CHEMICALS, IMPORTER, BUILDER, TRADE, RESTAURANT]

async function record(subject: string, id: string): Promise<SharedRecord> {
  const found = (await huizhou.about(subject)).find(each => each.id === id)
  if (found === undefined) throw new Error(`no record ${id}`)
  return found
}

const shownIn = (city: string, { id, family, fields }: SharedRecord) => toLocal({ id, family, fields }, mappingOf(city))

describe('a kind of subject', () => {
  const about = (table: string, row: Record<string, string | null>) =>
    toShared([{ table, subject: ELECTRONICS, row }], huizhou.mapping)[0]?.aboutPerson

  test.each([
    ['法人及非法人组织', false],
    ['个体工商户', false],
    ['自然人', true],
    ['企业', 'undetermined'],
    ['事业单位', 'undetermined'],
    [null, 'undetermined'],
  ])('of the three of double publicity: %s is a person: %s', (kind, person) => {
    expect(about('SGS_XZXK', { XK_XDR_LB: kind })).toBe(person)
    expect(about('SGS_XZCF', { CF_XDR_LB: kind })).toBe(person)
  })

  test.each([
    ['企业', false],
    ['事业单位', false],
    ['社会组织', false],
    ['个人', true],
    ['个人（重点人群）', true],
    ['个人(重点人群)', true],
    ['法人及非法人组织', 'undetermined'],
    [null, 'undetermined'],
  ])('of the four of the library: %s is a person: %s', (kind, person) => {
    expect(about('XY_MD', { XDR_LB: kind })).toBe(person)
    expect(about('XY_PJ', { XDR_LB: kind })).toBe(person)
  })

  test('of double publicity in the library’s table is not guessed at, and the record stays', async () => {
    expect(keptBy(await record(TRADE, 'md-HZ20260011'))).toBe('record.person')
  })

  test('is in the code itself: an individual business stands under 企业, and is one', async () => {
    expect((await record(RESTAURANT, 'pj-PJ20260011')).kind).toBe('individual-business')
  })

  test('a person’s honour and a person’s score under a firm’s code are not read', async () => {
    const persons = (await huizhou.about(BUILDER)).filter(({ aboutPerson }) => aboutPerson === true)
    expect(persons.map(({ family, fields }) => [family, fields])).toEqual([
      ['list', {}],
      ['rating', {}],
    ])
  })
})

describe('the two lights for importers', () => {
  test('are two levels of one scheme, the green above the yellow, and come back as they were', async () => {
    const [green, yellow] = [await record(ELECTRONICS, 'pj-PJ20260001'), await record(IMPORTER, 'pj-PJ20260002')]
    const scheme = huizhou.mapping.vocabulary.schemes.get('huizhou-importers')
    expect(scheme?.levels.map(({ code, rank }) => [code, rank])).toEqual([
      ['huizhou-importers.green', 1],
      ['huizhou-importers.yellow', 2],
    ])
    expect(shownIn('huizhou', green).columns['PJDJ']).toBe('绿灯')
    expect(shownIn('huizhou', yellow).columns['PJDJ']).toBe('黄灯')
  })

  test('are known in no other city: its words travel, and are given none of theirs', async () => {
    const yellow = await record(TRADE, 'pj-PJ20260009')
    for (const city of cityNames.filter(name => name !== 'huizhou')) {
      const { meanings, untranslated } = shownIn(city, yellow)
      expect(Object.keys(meanings).filter(column => meanings[column]?.original === '黄灯')).toEqual([])
      expect(untranslated, city).toContainEqual(
        expect.objectContaining({ field: 'level', original: '黄灯', meaning: '惠州进出口企业信用“绿、黄灯” 黄灯' }),
      )
    }
  })

  test('have no third: a red light is not translated', async () => {
    expect((await record(BUILDER, 'pj-PJ20260008')).fields['level']).toEqual({ untranslated: '红灯' })
  })

  test('are no plates: the yellow plate of the environment is another level', async () => {
    const plate = await record(CHEMICALS, 'pj-PJ20260003')
    expect(plate.fields['level']).toMatchObject({ code: 'environment-national.yellow' })
  })
})

describe('a measure that holds in Huizhou alone', () => {
  test.each(['土地竞买屏蔽企业', '两年内禁止承接惠州建筑工程企业', '粮油采购屏蔽企业'])('%s is no list', MDLX => {
    const [read] = toShared([{ table: 'XY_MD', subject: BUILDER, row: { MDLX, XDR_LB: '企业' } }], huizhou.mapping)
    expect(read?.list).toBeUndefined()
    expect(read?.fields['type']).toEqual({ untranslated: MDLX })
  })

  test('is shown by no other city as an entry of a list', async () => {
    const measure = await record(BUILDER, 'md-HZ20260007')
    for (const city of cityNames) expect(shownIn(city, measure).meanings).toEqual({})
  })
})

describe('a penalty of 2018', () => {
  test('has its fine in ten thousand yuan, and none of the division codes of 2015', async () => {
    const [penalty] = (await huizhou.about(ELECTRONICS)).filter(
      ({ family, aboutPerson }) => family === 'penalty' && !aboutPerson,
    )
    expect(penalty?.fields['fine']).toEqual({ amount: '15000', currency: 'CNY', unit: '1' })
    expect(penalty?.fields['division']).toBeUndefined()
  })
})

test('what is personal is in nothing that may leave, and what must not leave stays', async () => {
  for (const subject of everyone) {
    for (const each of await huizhou.about(subject)) {
      expect(holdsPersonalNumber(openText(each))).toBe(false)
      expect(openText(each)).not.toMatch(/虚构自然人|虚构人|19000101/)
      const remark = String(each.fields['remark'] ?? '')
      if (remark.includes('不得提供') && each.level !== 'authorised') expect(keptBy(each), remark).toBeDefined()
    }
  }
})
