/** Cities come and go, keys change and lists revoke while the gateways run, and no lawful question is refused for it. */

import { createPrivateKey } from 'node:crypto'
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readCrls } from '#trust/certificate.ts'
import { newKey, requestFor } from '#trust/request.ts'
import { signRoll } from '../../src/office.ts'
import { type Running, runFederation } from '../federation.ts'

const question = { subjects: ['91320281250344877K'], purpose: 'tendering', matter: '惠招〔2026〕118号' }
/** A change on disk is seen within a second or two; this is for a machine that is busy. */
const patience = { timeout: 20_000, interval: 50 }

/** Replaces a file as one, as whoever lets a running gateway read it should. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.part`, text, { mode: 0o600 })
  renameSync(`${path}.part`, path)
}

async function readiness(running: Running, city: string) {
  const response = await fetch(`${running.gateway(city).insideUrl}/health/ready`)
  const { checks } = (await response.json()) as {
    checks: { check: string; ok: boolean; detail?: string; until?: string }[]
  }
  return (name: string) => checks.find(({ check }) => check === name)
}

describe('a roll', () => {
  let running: Running
  const configOf = (city: string) => join(running.federation.folder, `config-${city}`)
  beforeAll(async () => {
    running = await runFederation({
      cities: ['jiangyin', 'huizhou', 'linjiang'],
      round: 200,
      prepare: config => {
        const read = (path: string) => JSON.parse(readFileSync(join(config, path), 'utf8'))
        const write = (path: string, value: unknown) =>
          writeFileSync(join(config, path), `${JSON.stringify(value, null, 2)}\n`)
        const name = { zh: '临江市（虚构）', en: 'Linjiang (fictional)' }
        write('members/linjiang.json', { ...read('members/huizhou.json'), id: 'linjiang', name, divisions: ['999901'] })
        write('mappings/linjiang.json', { ...read('mappings/huizhou.json'), city: 'linjiang', ...name })
      },
      // Each city has its configuration to itself, as in life.
      settle: settings => {
        const own = join(settings.config, '..', `config-${settings.city}`)
        cpSync(settings.config, own, { recursive: true, force: false })
        return { ...settings, config: own }
      },
    })
  })
  afterAll(() => running[Symbol.asyncDispose]())

  it('that one gateway is given reaches the others by themselves, and whoever is not on it is a stranger', async () => {
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    const { office } = running.federation
    renameSync(join(office.config, 'members', 'huizhou.json'), join(running.federation.folder, 'huizhou.json'))
    await signRoll(office, 30, Date.now())
    // Only Linjiang, with which Jiangyin has not even an agreement, is given the new roll.
    cpSync(join(office.config, 'roll.json'), join(configOf('linjiang'), 'roll.json'))
    // Huizhou goes on sending its log, twice a second here, and who goes on is told no more in the end than that we are busy.
    await vi.waitFor(async () => {
      expect(running.gateway('jiangyin').city.members.find('huizhou')).toBeUndefined()
      const { status, text } = await running.query('huizhou', 'jiangyin')
      expect([401, 503]).toContain(status)
      expect(JSON.parse(text).code).toMatch(/^(token\.(issuer|transport)|load\.busy)$/)
    }, patience)
    const { body } = await running.ask('jiangyin', { ...question, peer: 'huizhou' })
    expect(body.code).toBe('peer.unknown')
    expect((await readiness(running, 'jiangyin'))('roll')).toMatchObject({ ok: true, detail: 'number 2' })
  })

  it('admits a city in the same way, and its next question is answered', async () => {
    const { office, folder } = running.federation
    renameSync(join(folder, 'huizhou.json'), join(office.config, 'members', 'huizhou.json'))
    await signRoll(office, 30, Date.now())
    cpSync(join(office.config, 'roll.json'), join(configOf('linjiang'), 'roll.json'))
    await vi.waitFor(async () => expect((await running.query('huizhou', 'jiangyin')).status).toBe(200), patience)
  })

  it('of before is not taken when somebody puts it back', async () => {
    const before = readFileSync(join(configOf('linjiang'), 'roll.json'), 'utf8')
    const { roll, statements } = JSON.parse(readFileSync(join(configOf('jiangyin'), 'roll.json'), 'utf8'))
    put(join(configOf('linjiang'), 'roll.json'), JSON.stringify({ roll, statements }))
    await running.restart('linjiang')
    expect((await readiness(running, 'linjiang'))('roll')).toMatchObject({ ok: true, detail: 'number 3' })
    put(join(configOf('linjiang'), 'roll.json'), before)
  })

  it('is shown to members with what the city says of itself, and to nobody else', async () => {
    const { status, type, text } = await running.get('huizhou', 'jiangyin', '/.well-known/openid-federation')
    expect([status, type]).toEqual([200, 'application/entity-statement+jwt'])
    const claims = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ iss: 'xinqiao://jiangyin.city', authority_hints: ['xinqiao://federation.city'] })
    expect(claims.roll.statements).toHaveLength(3)
    expect(JSON.stringify(claims)).not.toMatch(/"d":|PRIVATE/)
    await expect(running.anonymous('jiangyin')).rejects.toThrow()
  })
})

describe('a key', () => {
  let running: Running
  beforeAll(async () => {
    running = await runFederation({
      round: 2_000,
      edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: 1e9, subjectsPerDay: 1e9 } }),
    })
    // The shortest that the rules allow.
    const { office } = running.federation
    const rules = JSON.parse(readFileSync(join(office.config, 'rules.json'), 'utf8'))
    put(join(office.config, 'rules.json'), JSON.stringify({ ...rules, publishSeconds: 10 }))
    await signRoll(office, 30, Date.now())
  })
  afterAll(() => running[Symbol.asyncDispose]())

  const kids = (text: string) => JSON.parse(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString()).kid
  const published = async () => {
    const { text } = await running.get('huizhou', 'jiangyin', '/.well-known/openid-federation')
    const claims = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString())
    return claims.jwks.keys.map(({ kid }: { kid: string }) => kid)
  }

  it('is published, then signs, then replaces the old one, under load and without one refused message', async () => {
    const { authority } = running.federation
    const { settings } = running.federation.city('jiangyin')
    await vi.waitFor(
      async () => expect((await readiness(running, 'jiangyin'))('roll')?.detail).toBe('number 2'),
      patience,
    )
    const [old] = await published()
    const seen = new Map<string, number>()
    let over = false
    const problems: unknown[] = []
    const lane = async (direction: 'in' | 'out') => {
      while (!over) {
        if (direction === 'in') {
          const { status, text } = await running.query('huizhou', 'jiangyin')
          if (status === 200) seen.set(kids(text), (seen.get(kids(text)) ?? 0) + 1)
          else problems.push(text)
        } else {
          const { body } = await running.ask('jiangyin', {
            ...question,
            subjects: ['91441300195971850Y'],
            peer: 'huizhou',
          })
          if (body.peers?.[0]?.outcome !== 'answered') problems.push(body)
        }
      }
    }
    const lanes = [lane('in'), lane('in'), lane('out'), lane('out')]
    try {
      const { key, request } = await newKey('jiangyin', 'signing')
      put(join(settings.keys, 'signing-next.pem'), key)
      put(join(settings.certs, 'jiangyin-signing-next.pem'), await authority.certify(request, 'jiangyin', 'signing'))
      await vi.waitFor(async () => expect(await published()).toHaveLength(2), patience)
      const next = (await published()).find((kid: string) => kid !== old)
      // Published, and not yet used.
      expect(seen.get(next)).toBeUndefined()
      await vi.waitFor(() => expect(seen.get(next) ?? 0).toBeGreaterThan(20), { timeout: 40_000, interval: 100 })
      rmSync(join(settings.keys, 'signing.pem'))
      await vi.waitFor(async () => expect(await published()).toEqual([next]), patience)
      const after = seen.get(next) ?? 0
      await vi.waitFor(() => expect(seen.get(next) ?? 0).toBeGreaterThan(after + 20), patience)
    } finally {
      over = true
      await Promise.all(lanes)
    }
    expect(problems).toEqual([])
    expect(seen.size).toBe(2)
  }, 90_000)

  it('that is gone still proves the agreement it signed, over a restart', async () => {
    await running.restart('jiangyin')
    await running.restart('huizhou')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    const { body } = await running.ask('huizhou', { ...question, peer: 'jiangyin' })
    expect(body.peers[0]?.outcome).toBe('answered')
  })

  it('for connections is changed as well, and the next connection shows it', async () => {
    const { authority } = running.federation
    const { settings } = running.federation.city('jiangyin')
    const { key, request } = await newKey('jiangyin', 'transport')
    put(join(settings.keys, 'transport-next.pem'), key)
    put(join(settings.certs, 'jiangyin-transport-next.pem'), await authority.certify(request, 'jiangyin', 'transport'))
    rmSync(join(settings.keys, 'transport.pem'))
    const { described } = running.gateway('jiangyin').city.keys()
    await vi.waitFor(() => expect(running.gateway('jiangyin').city.keys().described).not.toBe(described), patience)
    await vi.waitFor(
      () => expect(running.gateway('jiangyin').city.keys().described.transport).toHaveLength(1),
      patience,
    )
    const [serving] = running.gateway('jiangyin').city.keys().described.transport
    const { body } = await running.ask('jiangyin', { ...question, subjects: ['91441300195971850Y'], peer: 'huizhou' })
    expect(body.peers[0]?.outcome).toBe('answered')
    expect((await running.ask('huizhou', { ...question, peer: 'jiangyin' })).body.peers[0]?.outcome).toBe('answered')
    expect(serving?.[0]?.openssl.checkPrivateKey(createPrivateKey(key))).toBe(true)
  })

  it('that stays and gets a new certificate proves what it signed under the old one, also at a partner that starts anew', async () => {
    const { authority } = running.federation
    const { settings } = running.federation.city('huizhou')
    const key = createPrivateKey(readFileSync(join(settings.keys, 'signing.pem')))
    const before = running.gateway('jiangyin').city.members.find('huizhou')?.keys.values().next().value?.thumbprint
    const certificate = await authority.certify(requestFor(key, 'huizhou', 'signing'), 'huizhou', 'signing')
    put(join(settings.certs, 'huizhou-signing-renewed.pem'), certificate)
    rmSync(join(settings.certs, 'huizhou-signing.pem'))
    await vi.waitFor(() => {
      const [now] = running.gateway('jiangyin').city.members.find('huizhou')?.keys.values() ?? []
      expect(now?.thumbprint).not.toBe(before)
    }, patience)
    await running.restart('jiangyin')
    await running.restart('huizhou')
    expect(running.gateway('jiangyin').city.agreements.idle).toEqual([])
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
  })

  it('that cannot be read, or belongs to nobody, changes nothing for a gateway that runs', async () => {
    const { settings } = running.federation.city('jiangyin')
    const before = running.gateway('jiangyin').city.keys().signing.kid
    put(join(settings.keys, 'signing-zzz.pem'), 'no key')
    put(join(settings.certs, 'crls', 'zzz.pem'), 'no list')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    rmSync(join(settings.certs, 'crls', 'zzz.pem'))
    rmSync(join(settings.keys, 'signing-zzz.pem'))
    expect(running.gateway('jiangyin').city.keys().signing.kid).toBe(before)
  })
})

describe('a revocation list', () => {
  it('counts as soon as it lies there, for messages and for connections that are open; an older one put back does not', async () => {
    await using running = await runFederation()
    const { settings } = running.federation.city('jiangyin')
    const list = join(settings.certs, 'crls', 'issuing.pem')
    const before = readFileSync(list, 'utf8')
    const certificate = (use: string) => readFileSync(join(settings.certs, `huizhou-${use}.pem`), 'utf8')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    put(list, (await running.federation.authority.revoke([certificate('signing')])).pem)
    const refused = async (code: string) => {
      const { status, text } = await running.query('huizhou', 'jiangyin')
      expect([status, JSON.parse(text).code]).toEqual([401, code])
    }
    await vi.waitFor(() => refused('token.certificate'), patience)
    // The number only rises: yesterday's list does not clear what today's revokes, however often it is read.
    put(list, before)
    put(join(settings.certs, 'crls', 'again.pem'), before)
    const { described } = running.gateway('jiangyin').city.keys()
    await vi.waitFor(() => expect(running.gateway('jiangyin').city.keys().described).not.toBe(described), patience)
    await refused('token.certificate')
    // Nor after a restart, with nothing but the old list on disk.
    await running.restart('jiangyin')
    await refused('token.certificate')
  })

  it('that revokes whom we ask ends it as well, over a connection that is open: no question goes out to it any more', async () => {
    await using running = await runFederation()
    const { settings } = running.federation.city('huizhou')
    expect((await running.ask('huizhou', { ...question, peer: 'jiangyin' })).body.peers[0]?.outcome).toBe('answered')
    const transport = readFileSync(join(settings.certs, 'jiangyin-transport.pem'), 'utf8')
    const { ledger, members } = running.gateway('jiangyin').city
    const { pem } = await running.federation.authority.revoke([transport])
    const anchors = running.gateway('huizhou').city.members.anchors
    expect(anchors).not.toBe(members.anchors)
    // Told to the asking side alone, and not by way of the folder, so that its keys and its connections stay as they are.
    for (const crl of readCrls(pem)) anchors.crls.add(crl)
    const before = await ledger.count()
    for (let i = 0; i < 3; i++) {
      const { body } = await running.ask('huizhou', { ...question, peer: 'jiangyin' })
      expect(body.peers[0]).toMatchObject({ outcome: 'unknown', reason: { code: 'peer.unreachable' } })
    }
    expect(await ledger.count()).toBe(before)
  })

  it('that revokes a connection’s certificate ends what is said over it', async () => {
    await using running = await runFederation()
    const { settings } = running.federation.city('jiangyin')
    const list = join(settings.certs, 'crls', 'issuing.pem')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    const transport = readFileSync(join(settings.certs, 'huizhou-transport.pem'), 'utf8')
    put(list, (await running.federation.authority.revoke([transport])).pem)
    await vi.waitFor(async () => {
      const came = await running.query('huizhou', 'jiangyin').then(
        ({ text }) => JSON.parse(text).code,
        () => 'cut off',
      )
      expect(['token.certificate', 'cut off']).toContain(came)
    }, patience)
  })

  it('that has ended is taken for as long as the signed rules say, which readiness and metrics tell before it is over', async () => {
    await using running = await runFederation({ cities: ['jiangyin', 'huizhou'] })
    const { office, authority } = running.federation
    const { settings } = running.federation.city('jiangyin')
    for (const city of ['jiangyin', 'huizhou']) await running.stop(city)
    put(join(settings.certs, 'crls', 'issuing.pem'), (await authority.revoke([], -0.25)).pem)
    await expect(running.start('jiangyin')).rejects.toThrow(/revocation\.stale/)
    const rules = JSON.parse(readFileSync(join(office.config, 'rules.json'), 'utf8'))
    put(join(office.config, 'rules.json'), JSON.stringify({ ...rules, crlGraceSeconds: 86_400 }))
    await signRoll(office, 30, Date.now())
    for (const city of ['jiangyin', 'huizhou']) await running.start(city)
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    const lists = (await readiness(running, 'jiangyin'))('revocation-lists')
    expect(lists).toMatchObject({ ok: true, detail: expect.stringMatching(/^in grace: .*ended at/) })
    const hours = (Date.parse(lists?.until ?? '') - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(17.9)
    expect(hours).toBeLessThan(18)
    const metrics = await (await fetch(`${running.gateway('jiangyin').insideUrl}/metrics`)).text()
    expect(metrics).toMatch(/xinqiao_valid_until_seconds\{what="revocation-lists"\} \d+/)
  })
})

describe('a clock', () => {
  it('that differs from a peer’s by more than half of what a message may is told, and stops nobody', async () => {
    await using running = await runFederation({ round: 300 })
    const { settings } = running.federation.city('jiangyin')
    const { keys } = await running.identity('jiangyin')
    const { text } = await running.get('huizhou', 'jiangyin', '/.well-known/openid-federation')
    await running.stop('jiangyin')
    const ahead = createServer(
      { key: keys.transport.keyPem, cert: keys.transport.pem, minVersion: 'TLSv1.3' },
      (_, response) => {
        response.sendDate = false
        const date = new Date(Date.now() + 30_000).toUTCString()
        response.writeHead(200, { 'content-type': 'application/entity-statement+jwt', date }).end(text)
      },
    )
    await new Promise<void>(resolve => ahead.listen(settings.peersListen.port, '127.0.0.1', resolve))
    try {
      await vi.waitFor(async () => {
        expect((await readiness(running, 'huizhou'))('clock')).toMatchObject({
          ok: true,
          detail: expect.stringMatching(/^jiangyin \+(29|30|31) s$/),
        })
      }, patience)
      const metrics = await (await fetch(`${running.gateway('huizhou').insideUrl}/metrics`)).text()
      expect(metrics).toMatch(/xinqiao_clock_offset_seconds\{peer="jiangyin"\} (29|30|31)/)
    } finally {
      ahead.closeAllConnections()
      ahead.close()
    }
  })
})
