/** Six cities under three agreements: whoever is bound answers in full for what was agreed, and nobody for anything else. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Agreement } from '#agreement/agreement.ts'
import { judge } from '#agreement/authorise.ts'
import type { AskAnswer } from '#exchange/ask.ts'
import { digest } from '#protocol/canonical.ts'
import { survey } from '../../src/check.ts'
import { agreementsOf } from '../../src/demo-scenes.ts'
import { readTables } from '../../src/demo-tables.ts'
import { home } from '../../src/federation.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'

const cities = ['jiangyin', 'jimo', 'suqian', 'quzhou', 'ningbo', 'huizhou']
const delta = ['jiangyin', 'suqian', 'quzhou', 'ningbo']
let running: Running
let agreements: readonly Agreement[]
/** The answer to every question that the agreements permit, about all that the asked city has in its tables. */
let answers: readonly (Bound & { readonly told: Told })[]
beforeAll(async () => {
  running = await runFederation({ cities })
  agreements = agreementsOf(running.federation)
  answers = await Promise.all(bound().map(async each => ({ ...each, told: await asked(each) })))
}, 60_000)
afterAll(() => running?.[Symbol.asyncDispose]())

type Told = AskAnswer['peers'][number]
type Bound = { readonly asks: string; readonly answers: string; readonly purpose: string }

/** What the agreements say: who asks whom, for which purpose. */
function bound(): Bound[] {
  const all = agreements.flatMap(({ grants }) =>
    grants.flatMap(({ from, to, purposes }) =>
      from.flatMap(answers =>
        to.flatMap(asks => (asks === answers ? [] : purposes.map(purpose => ({ asks, answers, purpose })))),
      ),
    ),
  )
  return [...new Map(all.map(each => [JSON.stringify(each), each])).values()]
}

/** Every code in a city's demo tables that may be asked about. */
function subjectsOf(city: string): string[] {
  const codes = JSON.stringify(readTables(join(home, 'demo', city)).map(({ rows }) => rows)).match(
    /(?<![0-9A-Z])9[123][0-9]{6}[0-9A-Z]{10}(?![0-9A-Z])/gi,
  )
  return [...new Set(codes?.map(code => code.toUpperCase()))].filter(code => 'subject' in judge(code))
}

async function asked({ asks, answers, purpose }: Bound): Promise<Told> {
  const question = { peer: answers, subjects: subjectsOf(answers), purpose, matter: '示范〔2026〕1号' }
  const { status, body } = await running.ask(asks, question)
  expect([status, body.code]).toEqual([200, undefined])
  const [peer] = body.peers
  if (peer === undefined) throw new Error('nobody was asked')
  return peer
}

function told(asks: string, answering: string, purpose: string): Told {
  const found = answers.find(each => each.asks === asks && each.answers === answering && each.purpose === purpose)
  if (found === undefined) throw new RangeError(`${asks} may not ask ${answering} for ${purpose}`)
  return found.told
}

const records = ({ results }: Told) => results.flatMap(result => result.records.map(({ shared }) => shared))

/** The codes of a coded field that came, over all records. */
function codesOf(peer: Told, field: string): string[] {
  const values = records(peer).map(({ fields }) => fields[field])
  return values.flatMap(value => (typeof value === 'object' && 'code' in value ? [value.code] : []))
}

describe('the agreements', () => {
  it.each(cities)('of %s have no fault that check could find, and are signed by every party', async city => {
    const { faults, disclosures } = await survey(running.federation.city(city).settings, Date.now())
    expect(faults).toEqual([])
    const ours = agreements.filter(({ parties }) => parties.includes(city)).map(({ id }) => id)
    expect(ours.length).toBeGreaterThan(0)
    expect([...new Set(disclosures.map(({ agreement }) => agreement))].sort()).toEqual(ours.sort())
    expect(disclosures.filter(({ signed }) => !signed)).toEqual([])
  })

  it('bind sixteen ordered pairs, and each gives some record', () => {
    const pairs = Map.groupBy(answers, each => `${each.asks} ${each.answers}`)
    expect(pairs.size).toBe(16)
    for (const [pair, given] of pairs) expect(given.flatMap(each => records(each.told)).length, pair).toBeGreaterThan(0)
  })
})

describe('a city that an agreement binds', () => {
  it('answers every purpose about every enterprise of its tables', () => {
    for (const { told, ...question } of answers) {
      const at = JSON.stringify(question)
      expect(told.outcome, at).toBe('answered')
      // The tables hold rows whose state has no word in the mapping; of their enterprises nothing complete is known there.
      for (const { status, unknown = [] } of told.results) {
        expect(status, at).toBe(unknown.length > 0 ? 'unknown' : 'answered')
        expect(
          new Set(unknown.map(({ reason }) => reason.code)).difference(new Set(['record.undetermined'])),
          at,
        ).toEqual(new Set())
      }
    }
  })

  it('has of itself all that was granted of it, and none of it is stale', () => {
    for (const { told, ...question } of answers) {
      const granted = agreements
        .flatMap(({ grants }) => grants)
        .filter(
          ({ from, to, purposes }) =>
            from.includes(question.answers) && to.includes(question.asks) && purposes.includes(question.purpose),
        )
        .flatMap(({ families }) => Object.keys(families))
      const fresh = told.freshness?.filter(({ status }) => status === 'fresh').map(({ family }) => family)
      expect(fresh?.sort(), JSON.stringify(question)).toEqual([...new Set(granted)].sort())
    }
  })

  it('names a local black list only for what it may inform, and one made by counting never', () => {
    const purposesOf = (list: string) =>
      new Set(answers.filter(({ told }) => codesOf(told, 'type').includes(list)).map(({ purpose }) => purpose))
    expect(purposesOf('local-black')).toEqual(new Set(['fiscal-funds', 'supervision']))
    expect(purposesOf('computed-black')).toEqual(new Set())
    expect(purposesOf('wage-arrears')).toContain('tendering')
  })

  it('gives a third party’s rating with the rater’s standing of today', () => {
    const peer = told('quzhou', 'suqian', 'procurement')
    const reports = records(peer).filter(({ fields }) => JSON.stringify(fields['scheme'] ?? '').includes('third-party'))
    expect(reports.length).toBeGreaterThan(2)
    for (const { fields } of reports) expect(fields).toHaveProperty('raterStatus')
    expect(codesOf(peer, 'raterStatus')).toEqual(expect.arrayContaining(['active', 'suspended']))
  })

  it('gives commitments, contracts and breaches where it keeps them, and says of a decision where it was made', () => {
    const given = records(told('ningbo', 'suqian', 'tendering'))
    const families = ['breach', 'commitment', 'contract', 'licence', 'list', 'penalty', 'rating']
    expect([...new Set(given.map(({ family }) => family))].sort()).toEqual(families)
    // The city’s own decisions, and those of its counties.
    expect(given.map(({ fields }) => fields['division'])).toEqual(expect.arrayContaining(['321300', '321322']))
  })
})

describe('a city that no agreement binds', () => {
  it.each([
    ['huizhou', 'suqian'],
    ['suqian', 'huizhou'],
    ['jimo', 'ningbo'],
    ['quzhou', 'jimo'],
    ['huizhou', 'jimo'],
  ])('is not asked: %s learns nothing of %s', async (asks, answers) => {
    const question = {
      peer: answers,
      subjects: ['91320281XXXXXX0197'],
      purpose: 'tendering',
      matter: '示范〔2026〕2号',
    }
    const { status, body } = await running.ask(asks, question)
    expect([status, body.code]).toEqual([403, 'agreement.unknown'])
  })

  it('is refused by the city that it asks under an agreement of others', async () => {
    const others = agreements.find(({ id }) => id === 'yangtze-delta-2026')
    const agreement = { id: 'yangtze-delta-2026', digest: digest(others) }
    const { status, text } = await running.query('huizhou', 'jiangyin', { agreement })
    expect([status, claimsIn(text)]).toMatchObject([403, { refusal: { code: 'agreement.unknown' } }])
  })
})

describe('a question to every city', () => {
  it.each([
    ['jiangyin', cities.filter(city => city !== 'jiangyin')],
    ['suqian', delta.filter(city => city !== 'suqian')],
    ['jimo', ['jiangyin']],
    ['huizhou', ['jiangyin']],
  ])('of %s goes to its partners and to no other', async (city, partners) => {
    const question = { peer: '*', subjects: ['91320281XXXXXX0197'], purpose: 'fiscal-funds', matter: '示范〔2026〕3号' }
    const { body } = await running.ask(city, question)
    expect(body.peers.map(({ peer }) => peer).sort()).toEqual(partners.toSorted())
    expect(new Set(body.peers.map(({ outcome }) => outcome))).toEqual(new Set(['answered']))
  })
})
