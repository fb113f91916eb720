/** Two cities that keep their tables in several databases each, as real gateways: what is in any of them is answered. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatted } from '#agreement/agreement.ts'
import type { AskAnswer } from '#exchange/ask.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { type Federation, makeFederation } from '../src/federation.ts'
import { type Gateway, startGateway } from '../src/gateway.ts'
import { readSettings } from '../src/settings.ts'
import { vocabulary } from './schema/cities.ts'

const parties = ['jimo', 'suqian']
/** All that the vocabulary has, between two cities, for one purpose. */
const agreement = {
  id: 'jimo-suqian-test',
  title: { zh: '测试协议', en: 'An agreement for a test' },
  parties,
  signedOn: '2026-03-20',
  validFrom: '2026-04-01',
  validTo: '2036-03-31',
  quota: { questionsPerMinute: 600, subjectsPerDay: 100_000 },
  grants: [
    {
      clause: '第一条',
      from: parties,
      to: parties,
      purposes: ['procurement'],
      kinds: ['enterprise', 'individual-business', 'cooperative'],
      shareLevel: 'government',
      families: Object.fromEntries(
        [...vocabulary.families.values()].map(({ code, fields, listField, schemeField }) => [
          code,
          {
            fields: [...fields.keys()],
            ...(listField !== undefined && { lists: [...vocabulary.lists.keys()] }),
            ...(schemeField !== undefined && { schemes: [...vocabulary.schemes.keys()] }),
          },
        ]),
      ),
    },
  ],
}

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-sources-'))
let federation: Federation
const gateways = new Map<string, Gateway>()
beforeAll(async () => {
  federation = await makeFederation(folder, {
    cities: parties,
    prepare: config => writeFileSync(join(config, 'agreements', `${agreement.id}.json`), formatted(agreement)),
    logLevel: 'silent',
  })
  for (const { id, settings } of federation.cities) gateways.set(id, await startGateway(settings))
})
afterAll(async () => {
  for (const gateway of gateways.values()) await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What a department of one city has from the other: the records about each subject. */
async function ask(from: string, subjects: readonly string[], families: readonly string[]) {
  const response = await request(`${gateways.get(from)?.insideUrl}/ask`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${federation.city(from).departmentKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      peer: from === 'jimo' ? 'suqian' : 'jimo',
      purpose: 'procurement',
      matter: '测采〔2026〕1号',
      subjects,
      want: families.map(family => ({ family })),
    }),
  })
  const { peers } = (await response.body.json()) as AskAnswer
  expect(peers).toMatchObject([{ outcome: 'answered' }])
  return peers[0]?.results.map(({ records }) => records) ?? []
}

describe('a city with several databases', () => {
  it('answers from each of them', async () => {
    const found = await ask('suqian', ['93370282XXXXXX14XT', '91370282XXXXXX115K'], ['licence', 'penalty'])
    const [fruit, tailor] = found.map(records => records.map(({ shared }) => shared.fields['number']))
    expect(fruit).toEqual(['即演示许〔2024〕16号', '即农演示罚〔2026〕15号'])
    expect(tailor).toContain('即演示许〔2024〕4号')
    // Of 2016 and public for ever: no rule gives it an end.
    expect(tailor).not.toContain('即工商演示处字〔2016〕2号')
    expect(tailor).not.toContain('即演示许字〔2016〕3号')
  })

  it('is answered in the words of the other: 2015 here, 2018 there', async () => {
    const [[record] = []] = await ask('jimo', ['93321324XXXXXX14XP'], ['licence'])
    expect(record?.local.columns).toMatchObject({ XK_XDR_MC: '泗洪示例四号水产专业合作社（虚构）', XK_XKLB: '特许' })
  })

  it('gives a rating with its rater’s standing, and a breach as no list', async () => {
    const [records = []] = await ask('jimo', ['91321322XXXXXX123E'], ['rating', 'breach', 'list'])
    const rating = records.find(({ shared }) => shared.fields['raterStatus'] !== undefined)
    expect(rating?.shared.fields['raterStatus']).toEqual({ code: 'struck-off', original: '清除出市场' })
    const breaches = records.filter(({ shared }) => shared.family === 'breach')
    expect(breaches.map(({ local }) => local.table)).toEqual([undefined, undefined])
  })

  it('names each of them where readiness is asked for', async () => {
    const states = await gateways.get('suqian')?.city.sources.check()
    expect(states).toEqual([{ name: 'city' }, { name: 'county' }])
  })
})

describe('settings and mapping that name different databases', () => {
  const data = () => federation.city('suqian').settings.data
  async function faultsWith(source: string): Promise<readonly Fault[]> {
    try {
      const environment = { ...federation.city('suqian').environment, XINQIAO_SOURCE: source }
      await using _ = await startGateway(readSettings(environment))
      return []
    } catch (error) {
      if (error instanceof ConfigurationError) return error.faults
      throw error
    }
  }

  it('keep it from starting: one that the mapping reads is not named', async () => {
    const faults = await faultsWith(`sqlite:${join(data(), 'city.sqlite')}`)
    expect(faults).toMatchObject([{ path: 'XINQIAO_SOURCE', remedy: 'Add county=URL' }])
  })

  it('keep it from starting: one is named that the mapping does not read', async () => {
    const [city, county] = ['city', 'country'].map(name => `${name}=sqlite:${join(data(), `${name}.sqlite`)}`)
    const faults = await faultsWith(`${city},${county}`)
    expect(faults.map(({ problem }) => problem)).toEqual([
      'no county is named, where the mapping has tables',
      'the mapping has no table in country',
    ])
  })
})
