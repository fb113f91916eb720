/** A gateway starts on a sound configuration and on no other, and says everything that is wrong at once: which file, where, and what to do. */
import { execFile } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readAgreement, signAgreement } from '#agreement/agreement.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { readCertificates } from '#trust/certificate.ts'
import { signerOf } from '#trust/keys.ts'
import { certifiedKey } from '#trust/statement.ts'
import { type Federation, home, makeFederation } from '../src/federation.ts'
import { startGateway } from '../src/gateway.ts'
import { Readiness } from '../src/health.ts'
import { readSettings, type Settings } from '../src/settings.ts'
import { daysFromNow, type Made, makeCrl, makeLeaf, makeMember, makeRoot } from './certificates.ts'
import { childEnv } from './child.ts'
import { agreementId } from './federation.ts'

const pristine = mkdtempSync(join(tmpdir(), 'xinqiao-pristine-'))
const folder = mkdtempSync(join(tmpdir(), 'xinqiao-gateway-'))
let federation: Federation
let settings: Settings
beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  settings = federation.city('jiangyin').settings
  cpSync(folder, pristine, { recursive: true })
})
beforeEach(() => {
  for (const each of ['federation-config', 'certs', 'keys', 'data']) {
    rmSync(join(folder, each), { recursive: true })
    cpSync(join(pristine, each), join(folder, each), { recursive: true })
  }
})
afterAll(() => {
  for (const each of [folder, pristine]) rmSync(each, { recursive: true })
})

/** What keeps the gateway from starting; none where it starts. */
async function faultsOf(changed: Partial<Settings> = {}): Promise<readonly Fault[]> {
  try {
    await (await startGateway({ ...settings, ...changed })).close()
    return []
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    for (const { file, problem, remedy } of error.faults)
      for (const text of [file, problem, remedy]) expect(text).not.toBe('')
    return error.faults
  }
}

function edit(path: string, change: (text: string) => string): void {
  const file = join(folder, path)
  const before = readFileSync(file, 'utf8')
  const after = change(before)
  expect(after).not.toBe(before)
  writeFileSync(file, after)
}

describe('a configuration', () => {
  it('that is sound lets the gateway start', async () => {
    expect(await faultsOf()).toEqual([])
  })

  it('with many faults has all of them told at once, each with its file', async () => {
    edit('federation-config/roll.json', text => text.replace('"roll"', '"rolls"'))
    edit('federation-config/mappings/jiangyin.json', text =>
      text.replace('"city": "jiangyin"', '"city": "jiangyin", "x": 1'),
    )
    edit(`federation-config/agreements/${agreementId}.json`, text => text.replace('"tendering"', '"tender"'))
    chmodSync(join(folder, 'keys', 'jiangyin', 'signing.pem'), 0o644)
    rmSync(join(folder, 'keys', 'jiangyin', 'transport.pem'))
    rmSync(join(folder, 'certs', 'root.pem'))
    writeFileSync(join(folder, 'certs', 'crls', 'issuing.pem'), 'no list')
    const faults = await faultsOf()
    const files = new Set(faults.map(({ file }) => file))
    for (const file of [
      'roll.json',
      'mappings/jiangyin.json',
      `agreements/${agreementId}.json`,
      'signing.pem',
      'transport.pem',
      'certs/root.pem',
      'certs/crls/issuing.pem',
    ])
      expect(files).toContain(file)
    expect(new ConfigurationError(faults).message.split('\n')).toHaveLength(faults.length)
  })

  it.each([
    ['a vocabulary that is no JSON', 'federation-config/vocabulary/purposes.json', 'vocabulary/purposes.json'],
    ['a roll that is no JSON', 'federation-config/roll.json', 'roll.json'],
    ['a mapping that is no JSON', 'federation-config/mappings/jiangyin.json', 'mappings/jiangyin.json'],
    [
      'an agreement that is no JSON',
      `federation-config/agreements/${agreementId}.json`,
      `agreements/${agreementId}.json`,
    ],
  ])('with %s has the file named', async (_, path, file) => {
    edit(path, text => text.slice(0, -10))
    expect((await faultsOf()).map(fault => fault.file)).toContain(file)
  })

  it.each([
    ['mapping', 'federation-config/mappings/jiangyin.json', 'mappings/jiangyin.json'],
    ['roll', 'federation-config/roll.json', 'roll.json'],
  ])('without a %s is told where it comes from', async (_, path, file) => {
    rmSync(join(folder, path))
    expect((await faultsOf()).map(fault => fault.file)).toContain(file)
  })

  it('of a city that is no member is told so', async () => {
    const [fault] = await faultsOf({ city: 'atlantis' })
    expect(fault).toMatchObject({ file: 'roll.json', problem: 'atlantis is not on the roll' })
  })

  it('whose roll somebody else signed is told that it is not believed', async () => {
    edit('federation-config/roll.json', text => {
      const bundle = JSON.parse(text)
      return JSON.stringify({ ...bundle, roll: bundle.statements[0] })
    })
    expect((await faultsOf()).find(({ file }) => file === 'roll.json')?.problem).toContain('not believed')
  })
})

describe('our own keys', () => {
  const key = (use: string) => join(folder, 'keys', 'jiangyin', `${use}.pem`)

  it.each([0o644, 0o640, 0o604, 0o660])('that others may read (mode %o) are refused', async mode => {
    for (const use of ['signing', 'transport']) chmodSync(key(use), mode)
    expect(await faultsOf()).toEqual([
      expect.objectContaining({
        file: 'signing.pem',
        problem: 'others may read the key',
        remedy: 'chmod 600 signing.pem',
      }),
      expect.objectContaining({ file: 'transport.pem' }),
    ])
  })

  it.each(['signing', 'transport'])('for %s that belong to no certificate of ours are refused', async use => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(key(use), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const [fault] = await faultsOf()
    expect(fault).toMatchObject({ file: `${use}.pem`, problem: `no ${use} certificate of ours has this key` })
  })

  it('that were mixed up are both refused', async () => {
    renameSync(key('signing'), key('other'))
    renameSync(key('transport'), key('signing'))
    renameSync(key('other'), key('transport'))
    expect((await faultsOf()).map(({ file }) => file)).toEqual(['signing.pem', 'transport.pem'])
  })
})

describe('our own certificates', () => {
  /** Certifies Jiangyin under a root of the test's own, with a list of what that root revoked. */
  async function certified(options: Parameters<typeof makeMember>[0] | undefined, revoke: boolean): Promise<void> {
    const root = await makeRoot()
    const made: Made[] = []
    for (const kind of ['signing', 'tls'] as const) {
      const member = await makeMember({ city: 'jiangyin', ...options, kind, issuer: root })
      const use = kind === 'tls' ? 'transport' : kind
      writeFileSync(join(folder, 'certs', `jiangyin-${use}.pem`), member.certificate)
      writeFileSync(join(folder, 'keys', 'jiangyin', `${use}.pem`), member.key, { mode: 0o600 })
      made.push(member)
    }
    edit('certs/root.pem', text => `${text}\n${root.certificate}`)
    writeFileSync(
      join(folder, 'certs', 'crls', 'test.pem'),
      await makeCrl({ issuer: root, ...(revoke && { revoked: made }) }),
    )
    // The agreement, signed anew with the new key.
    const file = join(settings.config, 'agreements', `${agreementId}.json`)
    const text = readAgreement(readFileSync(file, 'utf8'), file, [])
    const [signing] = made
    const memberKey = signing && (await certifiedKey(readCertificates(signing.certificate)))
    if (text === undefined || memberKey === undefined || signing === undefined) throw new Error('incomplete')
    const signature = signAgreement(text, signerOf(memberKey, createPrivateKey(signing.key)))
    writeFileSync(join(settings.config, 'agreements', `${agreementId}.jiangyin.jws`), `${signature}\n`)
  }
  const ours = (faults: readonly Fault[]) => faults.filter(({ file }) => file === 'certs').map(({ problem }) => problem)

  it('that hold let the gateway start, under whichever root of the federation', async () => {
    await certified(undefined, false)
    expect(await faultsOf()).toEqual([])
  })

  it('are said to hold no longer than the revocation list that clears them', async () => {
    await certified(undefined, false)
    await using gateway = await startGateway(settings)
    const { checks } = Readiness.parse(await (await fetch(`${gateway.insideUrl}/health/ready`)).json())
    for (const { check, until } of checks.slice(0, 2)) {
      expect(check).toMatch(/^(signing|transport)-certificate$/)
      // The list of the test's own root is for seven days, its certificates are for longer.
      expect(Date.parse(until ?? '') - Date.now()).toBeLessThanOrEqual(7 * 86_400_000)
    }
  })

  it.each([
    ['have expired', { city: 'jiangyin', notBefore: daysFromNow(-60), notAfter: daysFromNow(-1) }, false, 'expired'],
    ['are of the future', { city: 'jiangyin', notBefore: daysFromNow(1), notAfter: daysFromNow(60) }, false, 'not-yet'],
    ['are revoked', undefined, true, 'revoked'],
  ])('that %s keep it from starting, both of them named', async (_, options, revoke, problem) => {
    await certified(options, revoke)
    const problems = ours(await faultsOf())
    expect(problems).toHaveLength(2)
    for (const [i, use] of ['signing', 'transport'].entries()) {
      expect(problems[i]).toContain(`CN=jiangyin ${use === 'transport' ? 'tls' : use}`)
      expect(problems[i]).toContain(problem)
    }
  })

  it('that are of another city are not ours, whosever keys they are for', async () => {
    await certified({ city: 'huizhou' }, false)
    expect((await faultsOf()).map(({ file, problem }) => [file, problem])).toEqual([
      ['signing.pem', 'no signing certificate of ours has this key'],
      ['transport.pem', 'no transport certificate of ours has this key'],
      [`agreements/${agreementId}.jiangyin.jws`, expect.stringContaining('by a key that is not the party’s')],
    ])
  })

  it('of which no revocation list speaks keep it from starting', async () => {
    for (const list of readdirSync(join(folder, 'certs', 'crls'))) rmSync(join(folder, 'certs', 'crls', list))
    const faults = await faultsOf()
    const roll = faults.find(({ file }) => file === 'roll.json')
    expect(roll?.problem).toContain('revocation.missing')
    expect(roll?.remedy).toContain('revocation lists')
  })
})

describe('the environment', () => {
  const environment = () => federation.city('jiangyin').environment
  function faultsIn(changed: Readonly<Record<string, string | undefined>>): readonly Fault[] {
    try {
      readSettings({ ...environment(), ...changed })
      return []
    } catch (error) {
      if (error instanceof ConfigurationError) return error.faults
      throw error
    }
  }

  it('of which a variable is misspelt, another missing and a third malformed has all three told', () => {
    const faults = faultsIn({ XINQIAO_KEY: 'keys', XINQIAO_KEYS: undefined, XINQIAO_SOURCE: 'oracle:x' })
    expect(faults.map(({ path }) => path).sort()).toEqual(['XINQIAO_KEY', 'XINQIAO_KEYS', 'XINQIAO_SOURCE'])
    expect(faults.find(({ path }) => path === 'XINQIAO_KEY')).toMatchObject({
      problem: 'there is no such variable',
      remedy: 'Correct the name, or remove it',
    })
    expect(faults.find(({ path }) => path === 'XINQIAO_KEYS')?.problem).toBe('is not set')
  })

  it.each([
    { XINQIAO_CITY: 'Jiangyin' },
    { XINQIAO_CITY: '' },
    { XINQIAO_PEERS_LISTEN: '8443' },
    { XINQIAO_PEERS_LISTEN: '0.0.0.0:99999' },
    { XINQIAO_PEER_TIMEOUT_MS: '5s' },
    { XINQIAO_PEER_TIMEOUT_MS: '0' },
    { XINQIAO_LOG_LEVEL: 'verbose' },
  ])('with %o is refused', changed => {
    const [name] = Object.keys(changed)
    expect(faultsIn(changed).map(({ path }) => path)).toEqual([name])
  })

  it.each(['0.0.0.0:8080', '10.1.2.3:8080', '[::]:8080', 'xinqiao.example:8080'])(
    'that opens the inside at %s without TLS is refused, with TLS taken',
    listen => {
      const [fault] = faultsIn({ XINQIAO_INSIDE_LISTEN: listen })
      expect(fault).toMatchObject({ path: 'XINQIAO_INSIDE_LISTEN' })
      expect(fault?.remedy).toContain('XINQIAO_INSIDE_TLS')
      expect(faultsIn({ XINQIAO_INSIDE_LISTEN: listen, XINQIAO_INSIDE_TLS: 'tls' })).toEqual([])
    },
  )

  it.each(['127.0.0.1:8080', '[::1]:8080', 'localhost:8080'])('that opens the inside at %s needs no TLS', listen => {
    expect(faultsIn({ XINQIAO_INSIDE_LISTEN: listen })).toEqual([])
  })

  it('is not looked at but for variables of ours', () => {
    expect(faultsIn({ PATH: '/bin', NODE_ENV: 'production' })).toEqual([])
  })
})

describe('the inside surface with TLS', () => {
  const insideTls = join(folder, 'tls')

  async function tls(): Promise<Made> {
    const root = await makeRoot()
    mkdirSync(insideTls, { recursive: true })
    const leaf = await makeLeaf({ issuer: root, ip: ['127.0.0.1'] })
    writeFileSync(join(insideTls, 'tls.pem'), leaf.certificate)
    rmSync(join(insideTls, 'tls.key'), { force: true })
    writeFileSync(join(insideTls, 'tls.key'), leaf.key, { mode: 0o600 })
    return root
  }

  it('serves departments of the whole network over it, and nobody in clear', async () => {
    const { certificate } = await tls()
    const changed = { insideTls, insideListen: { host: '0.0.0.0', port: 0 } }
    await using gateway = await startGateway({ ...settings, ...changed })
    const { port } = new URL(gateway.insideUrl)
    expect(gateway.insideUrl).toMatch(/^https:/)
    const dispatcher = new Agent({ connect: { ca: certificate } })
    const ready = await request(`https://127.0.0.1:${port}/health/ready`, { dispatcher })
    expect(ready.statusCode).toBe(200)
    await ready.body.dump()
    await dispatcher.close()
    await expect(fetch(`http://127.0.0.1:${port}/health/ready`)).rejects.toThrow()
    // The health check of the container, which knows no authority but the certificate itself.
    const { environment } = federation.city('jiangyin')
    const tlsSettings = { XINQIAO_INSIDE_LISTEN: `0.0.0.0:${port}`, XINQIAO_INSIDE_TLS: insideTls }
    const { stdout } = await promisify(execFile)(process.execPath, [join(home, 'src', 'cli.ts'), 'health'], {
      env: childEnv({ ...environment, ...tlsSettings }),
    })
    expect(stdout).toContain('"ready":true')
  })

  it.each([
    ['without its certificate', () => rmSync(join(insideTls, 'tls.pem'))],
    ['without its key', () => rmSync(join(insideTls, 'tls.key'))],
    ['with a key that others may read', () => chmodSync(join(insideTls, 'tls.key'), 0o644)],
    [
      'with the key of another',
      () => cpSync(join(folder, 'keys', 'huizhou', 'signing.pem'), join(insideTls, 'tls.key')),
    ],
  ])('%s is a fault, and nothing stays open', async (_, damage) => {
    await tls()
    damage()
    const [fault] = await faultsOf({ insideTls })
    expect(fault).toMatchObject({ file: 'environment', path: 'XINQIAO_INSIDE_TLS' })
    expect(await faultsOf()).toEqual([])
  })
})

describe('a start that fails', () => {
  it('for want of a ledger makes none: a lost volume is not a fresh start', async () => {
    rmSync(join(settings.data, 'ledger.sqlite'))
    await expect(startGateway(settings)).rejects.toMatchObject({ code: 'ledger.unavailable' })
    expect(readdirSync(settings.data)).not.toContain('ledger.sqlite')
  })

  it('for the ledger of another city touches it not', async () => {
    cpSync(join(federation.city('huizhou').settings.data, 'ledger.sqlite'), join(settings.data, 'ledger.sqlite'))
    await expect(startGateway(settings)).rejects.toThrow(/of huizhou, not of jiangyin/)
  })

  it('for a port that is taken lets go of all it had opened', async () => {
    const other = createServer()
    const { promise, resolve } = Promise.withResolvers<void>()
    other.listen(settings.peersListen.port, settings.peersListen.host, resolve)
    await promise
    await expect(startGateway(settings)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await new Promise(done => other.close(done))
    expect(await faultsOf()).toEqual([])
  })
})
