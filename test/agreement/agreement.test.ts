/** An agreement is what every party signed, to the letter: held to it by starting gateways on files that differ from it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Agreement, formatted, signAgreement } from '#agreement/agreement.ts'
import { inForce } from '#agreement/authorise.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { Answer, RefusalMessage, types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { survey } from '../../src/check.ts'
import { readIdentity } from '../../src/configuration.ts'
import { type Federation, makeFederation } from '../../src/federation.ts'
import { startGateway } from '../../src/gateway.ts'
import { Readiness } from '../../src/health.ts'
import { signRoll } from '../../src/office.ts'
import { agreementId, claimsIn, type Running, runFederation } from '../federation.ts'

describe('an agreement file', () => {
  let federation: Federation
  let original: Buffer
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-agreement-'))
  const agreements = join(folder, 'federation-config', 'agreements')
  const file = join(agreements, `${agreementId}.json`)
  const signatureOf = (party: string) => join(agreements, `${agreementId}.${party}.jws`)
  const signatures = new Map<string, Buffer>()

  beforeAll(async () => {
    federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
    original = readFileSync(file)
    for (const { id } of federation.cities) signatures.set(id, readFileSync(signatureOf(id)))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** What keeps a city's gateway from starting on the files as they are now; none where it starts. */
  async function faultsOf(city: string): Promise<readonly Fault[]> {
    try {
      await (await startGateway(federation.city(city).settings)).close()
      return []
    } catch (error) {
      if (error instanceof ConfigurationError) return error.faults
      throw error
    }
  }

  async function withFile(path: string, bytes: string | Uint8Array, work: () => Promise<void>): Promise<void> {
    const before = readFileSync(path)
    writeFileSync(path, bytes)
    try {
      await work()
    } finally {
      writeFileSync(path, before)
    }
  }

  function expectNamed(faults: readonly Fault[], name: string): void {
    expect(faults.length).toBeGreaterThan(0)
    for (const { file, problem, remedy } of faults) {
      expect(file).toContain(`agreements/${name}`)
      expect(problem).not.toBe('')
      expect(remedy).not.toBe('')
    }
  }

  /** Has the parties sign a changed text, as they would at home. */
  async function resigned(change: (text: Agreement) => void, work: () => Promise<void>): Promise<void> {
    const text: Agreement = JSON.parse(original.toString())
    change(text)
    writeFileSync(file, formatted(text))
    try {
      for (const { id, settings } of federation.cities) {
        const { keys } = await readIdentity(settings, Date.now, [])
        if (keys !== undefined) writeFileSync(signatureOf(id), `${signAgreement(text, keys.signer)}\n`)
      }
      await work()
    } finally {
      writeFileSync(file, original)
      for (const [id, bytes] of signatures) writeFileSync(signatureOf(id), bytes)
    }
  }

  it('that every party signed lets both gateways start', async () => {
    expect(await faultsOf('jiangyin')).toEqual([])
    expect(await faultsOf('huizhou')).toEqual([])
  })

  it('with one byte changed, put in or taken out, anywhere, keeps every party from starting, and is named with a remedy', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(original.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('change', 'insert', 'remove'),
        fc.constantFrom('jiangyin', 'huizhou'),
        async (at, by, how, city) => {
          await withFile(file, mutated(original, at, by, how), async () =>
            expectNamed(await faultsOf(city), agreementId),
          )
        },
      ),
      { numRuns: 120 },
    )
  })

  it.each([
    ['a space more at the end', (text: string) => `${text} `],
    ['no line feed at the end', (text: string) => text.trimEnd()],
    ['Windows line ends', (text: string) => text.replaceAll('\n', '\r\n')],
    ['a byte order mark', (text: string) => `\u{feff}${text}`],
    ['a space more in front of a colon', (text: string) => text.replace('": ', '" : ')],
    ['a letter written as its escape', (text: string) => text.replace('tendering', '\\u0074endering')],
    ['a number written otherwise', (text: string) => text.replace('100000', '1e5')],
    ['a member said twice', (text: string) => text.replace('"validTo"', '"validTo": "2099-01-01",\n  "validTo"')],
  ])('with %s is not what was signed', async (_, change) => {
    const changed = change(original.toString())
    expect(changed).not.toBe(original.toString())
    await withFile(file, changed, async () => expectNamed(await faultsOf('jiangyin'), agreementId))
  })

  it('that no longer names us, though we signed it, is not passed over', async () => {
    const changed = original.toString().replaceAll('"jiangyin"', '"jiangyjn"')
    await withFile(file, changed, async () => expectNamed(await faultsOf('jiangyin'), agreementId))
  })

  it('whose signature file has one byte changed, put in or taken out keeps every party from starting', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('jiangyin', 'huizhou'),
        fc.constantFrom('jiangyin', 'huizhou'),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('change', 'insert', 'remove'),
        async (party, city, where, by, how) => {
          const bytes = signatures.get(party) ?? Buffer.of()
          const changed = mutated(bytes, Math.floor(where * bytes.length), by, how)
          await withFile(signatureOf(party), changed, async () => {
            const faults = await faultsOf(city)
            expectNamed(faults, `${agreementId}.${party}.jws`)
            expect(faults[0]?.remedy).toContain('sign anew')
          })
        },
      ),
      { numRuns: 80 },
    )
  })

  it('that a party has not signed rests, and check says who has to, and how', async () => {
    rmSync(signatureOf('huizhou'))
    try {
      expect(await faultsOf('jiangyin')).toEqual([])
      const { faults } = await survey(federation.city('jiangyin').settings, Date.now())
      expect(faults).toMatchObject([{ problem: 'the agreement rests: huizhou has not signed' }])
      expect(faults[0]?.remedy).toContain(`xinqiao agreement sign ${agreementId}`)
    } finally {
      writeFileSync(signatureOf('huizhou'), signatures.get('huizhou') ?? '')
    }
  })

  it('that one party signed for another is not signed by that other', async () => {
    await withFile(signatureOf('huizhou'), signatures.get('jiangyin') ?? '', async () => {
      const [fault] = await faultsOf('jiangyin')
      expect(fault?.file).toContain('huizhou.jws')
      expect(fault?.problem).toContain('not the party’s')
    })
  })

  it.each<[string, (text: Agreement) => void, string, string]>([
    ['a party twice', text => text.parties.push('huizhou'), 'parties', 'named twice'],
    ['a giver that is no party', text => grantOf(text).from.push('atlantis'), 'grants[0].from', 'party atlantis'],
    ['a receiver that is no party', text => grantOf(text).to.push('atlantis'), 'grants[0].to', 'party atlantis'],
    ['a purpose of no vocabulary', text => grantOf(text).purposes.push('curiosity'), 'grants[0].purposes', 'curiosity'],
    [
      'a field of no vocabulary',
      text => familyOf(text, 'penalty').fields.push('shoeSize'),
      'grants[0].families.penalty.fields',
      'field shoeSize',
    ],
    [
      'a list of no vocabulary',
      text => familyOf(text, 'list').lists?.push('gossip'),
      'grants[0].families.list.lists',
      'list gossip',
    ],
    [
      'a rating scheme of no vocabulary',
      text => familyOf(text, 'rating').schemes?.push('stars'),
      'grants[0].families.rating.schemes',
      'rating scheme stars',
    ],
    [
      'a family of no vocabulary',
      text => {
        grantOf(text).families['gossip'] = { fields: ['name'] }
      },
      'grants[0].families',
      'family gossip',
    ],
    [
      'lists for a family that has none',
      text => {
        familyOf(text, 'licence').lists = ['honour']
      },
      'grants[0].families.licence.lists',
      'has no lists',
    ],
    [
      'a family of lists and not which',
      text => {
        delete familyOf(text, 'list').lists
      },
      'grants[0].families.list.lists',
      'is missing',
    ],
    [
      'a rating and not the field that says in which scheme',
      text => {
        const rating = familyOf(text, 'rating')
        rating.fields = rating.fields.filter(field => field !== 'scheme')
      },
      'grants[0].families.rating.fields',
      'scheme is not granted',
    ],
    [
      'an end before its beginning',
      text => {
        text.validTo = '2020-01-01'
      },
      'validTo',
      'ends before it begins',
    ],
  ])('that names %s is refused though all signed it, and the place is told', async (_, change, path, problem) => {
    await resigned(change, async () => {
      const faults = await faultsOf('jiangyin')
      expectNamed(faults, agreementId)
      expect(faults.find(fault => fault.path === path)?.problem).toContain(problem)
    })
  })

  it('that says several things wrongly has all of them told at once', async () => {
    const change = (text: Agreement) => {
      grantOf(text).purposes.push('curiosity', 'gossip')
      familyOf(text, 'penalty').fields.push('shoeSize')
    }
    await resigned(change, async () => expect(await faultsOf('huizhou')).toHaveLength(3))
  })
})

function grantOf(text: Agreement) {
  const [grant] = text.grants
  if (grant === undefined) throw new RangeError('no grant')
  return grant
}

function familyOf(text: Agreement, name: string) {
  const family = grantOf(text).families[name]
  if (family === undefined) throw new RangeError(`no family ${name}`)
  return family
}

function mutated(bytes: Uint8Array, at: number, by: number, how: string): Uint8Array {
  if (how === 'insert') return Buffer.concat([bytes.subarray(0, at), Buffer.of(by), bytes.subarray(at)])
  if (how === 'remove') return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
  const changed = Buffer.from(bytes)
  changed[at] = (changed[at] ?? 0) ^ by
  return changed
}

describe('an agreement that', () => {
  it('is in force holds from the first instant of its first day to the last of its last, in Asia/Shanghai', async () => {
    await using running = await runFederation()
    const { agreements } = running.gateway('jiangyin').city
    const { digest } = agreements.find(agreementId) ?? { digest: '' }
    const at = (instant: string) => {
      try {
        inForce(agreements, { id: agreementId, digest }, ['jiangyin', 'huizhou'], Date.parse(instant))
        return 'in force'
      } catch (error) {
        return error instanceof Refusal ? error.code : error
      }
    }
    expect(at('2026-03-31T15:59:59.999Z')).toBe('agreement.not-yet')
    expect(at('2026-03-31T16:00:00.000Z')).toBe('in force')
    expect(at('2028-03-31T15:59:59.999Z')).toBe('in force')
    expect(at('2028-03-31T16:00:00.000Z')).toBe('agreement.expired')
  })

  it.each([
    ['has ended', { validFrom: '2024-01-01', validTo: '2024-12-31' }, 'agreement.expired', 'ended on 2024-12-31'],
    ['has not begun', { validFrom: '2090-01-01', validTo: '2090-12-31' }, 'agreement.not-yet', 'begins on 2090-01-01'],
  ])('%s lets a gateway start, and refuses what is asked under it', async (_, dates, code, detail) => {
    await using running = await runFederation({ edit: agreement => Object.assign(agreement, dates) })
    const response = await running.query('huizhou', 'jiangyin')
    expect([response.status, response.type]).toEqual([403, `application/${types.refusal}`])
    expect(RefusalMessage.parse(claimsIn(response.text)).refusal.code).toBe(code)
    const asked = await running.ask('huizhou', {
      peer: 'jiangyin',
      subjects: ['91320281250344877K'],
      purpose: 'tendering',
      matter: '惠招〔2026〕1号',
    })
    expect([asked.status, asked.body.code]).toEqual([403, code])
    const ready = await fetch(`${running.gateway('jiangyin').insideUrl}/health/ready`)
    expect(ready.status).toBe(503)
    expect(Readiness.parse(await ready.json()).checks).toContainEqual({
      check: 'agreements',
      ok: false,
      detail: expect.stringContaining(detail),
    })
  })
})

describe('an agreement whose party is no longer there', () => {
  const readiness = async (running: Running, city: string) => {
    const ready = await fetch(`${running.gateway(city).insideUrl}/health/ready`)
    return Readiness.parse(await ready.json()).checks.find(({ check }) => check === 'agreements')
  }

  it('rests when nobody else is left, and the gateway starts all the same and says so', async () => {
    await using running = await runFederation()
    const { office } = running.federation
    rmSync(join(office.config, 'members', 'huizhou.json'))
    await signRoll(office, 30, Date.now())
    await running.stop('huizhou')
    await running.restart('jiangyin')
    expect(await readiness(running, 'jiangyin')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('none is in force'),
    })
    expect(running.gateway('jiangyin').city.agreements.idle).toMatchObject([
      { id: agreementId, why: 'no other party is on the roll' },
    ])
  })

  it('or whose key was revoked rests until it is signed anew with another key', async () => {
    await using running = await runFederation()
    const { settings } = running.federation.city('jiangyin')
    const list = await running.federation.authority.revoke([
      readFileSync(join(settings.certs, 'huizhou-signing.pem'), 'utf8'),
    ])
    writeFileSync(join(settings.certs, 'crls', list.name), list.pem)
    await running.restart('jiangyin')
    const [idle] = running.gateway('jiangyin').city.agreements.idle
    expect(idle).toMatchObject({ id: agreementId, why: expect.stringMatching(/huizhou has to sign anew: .*revoked/) })
    expect((await readiness(running, 'jiangyin'))?.ok).toBe(false)
  })
})

describe('an agreement of three cities', () => {
  const three = 'yangtze-three-2026'
  let running: Running
  beforeAll(async () => {
    running = await runFederation({
      cities: ['jiangyin', 'huizhou', 'linjiang'],
      prepare: config => {
        const read = (path: string) => JSON.parse(readFileSync(join(config, path), 'utf8'))
        const write = (path: string, value: unknown) => writeFileSync(join(config, path), formatted(value))
        const name = { zh: '临江市（虚构）', en: 'Linjiang (fictional)' }
        write('members/linjiang.json', { ...read('members/huizhou.json'), id: 'linjiang', name, divisions: ['999901'] })
        write('mappings/linjiang.json', { ...read('mappings/huizhou.json'), city: 'linjiang', ...name })
        const model: Agreement = read(`agreements/${agreementId}.json`)
        const { licence } = grantOf(model).families
        if (licence === undefined) throw new RangeError('no licences')
        const grant = { ...grantOf(model), purposes: ['tendering'], families: { licence } }
        write(`agreements/${three}.json`, {
          ...model,
          id: three,
          parties: ['jiangyin', 'huizhou', 'linjiang'],
          grants: [
            { ...grant, clause: '第一条', from: ['jiangyin', 'huizhou'], to: ['linjiang'] },
            { ...grant, clause: '第二条', from: ['linjiang'], to: ['jiangyin'] },
          ],
        })
      },
    })
  })
  afterAll(() => running[Symbol.asyncDispose]())
  const question = { subjects: ['91320281250344877K'], purpose: 'tendering', matter: '临招〔2026〕3号' }

  it('gives to the third what its grants name', async () => {
    const { body } = await running.ask('linjiang', { ...question, peer: 'jiangyin' })
    expect(body.peers[0]).toMatchObject({ outcome: 'answered', agreement: three })
    expect(body.peers[0]?.results[0]?.records[0]?.shared.fields['holder']).toBe('江苏阳光集团有限公司')
  })

  it('lets the third ask both others at once', async () => {
    const { body } = await running.ask('linjiang', { ...question, peer: '*' })
    expect(body.peers.map(({ peer, outcome }) => [peer, outcome])).toEqual([
      ['huizhou', 'answered'],
      ['jiangyin', 'answered'],
    ])
  })

  it('gives nothing in a direction that no grant names, nor by a grant to another', async () => {
    const { status, body } = await running.ask('huizhou', { ...question, peer: 'linjiang' })
    expect([status, body.code]).toEqual([403, 'agreement.purpose'])
    const { agreements } = running.gateway('linjiang').city
    const agreement = { id: three, digest: agreements.find(three)?.digest }
    const asked = await running.query('huizhou', 'linjiang', { agreement })
    expect(RefusalMessage.parse(claimsIn(asked.text)).refusal.code).toBe('agreement.purpose')
  })

  it('and one of two: a question is judged by the one that it names', async () => {
    const { agreements } = running.gateway('jiangyin').city
    const agreement = { id: agreementId, digest: agreements.find(agreementId)?.digest }
    const foreign = await running.query('linjiang', 'jiangyin', { agreement })
    expect(RefusalMessage.parse(claimsIn(foreign.text)).refusal.code).toBe('agreement.unknown')
    const named = { id: three, digest: agreements.find(three)?.digest }
    const own = await running.query('linjiang', 'jiangyin', { agreement: named })
    expect(Answer.parse(claimsIn(own.text)).answer.agreement).toEqual(named)
  })
})
