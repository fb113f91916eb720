import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Gossip, openGossip, SEEN } from '#exchange/gossip.ts'
import { addRequest, logOf, openWitness } from '#exchange/witness.ts'
import { cosign, cosignerKey, isSigned, logKey, readCheckpoint, readNote, signCheckpoint } from '#ledger/checkpoint.ts'
import { leafHash, nextLink, originLink } from '#ledger/entry.ts'
import { witnessName } from '#ledger/log.ts'
import { openLogStoreAt } from '#ledger/open.ts'
import { letGoOfExpired } from '#ledger/retention.ts'
import { createLedger } from '#ledger/sqlite.ts'
import { readLedgerIdentity, text } from '#ledger/tables.ts'
import { emptyRoot } from '#ledger/tree.ts'
import { refuse } from '#protocol/refusal.ts'
import { newLogKey } from '#trust/keys.ts'
import { configurationOf, readConfiguration } from '#trust/statement.ts'
import { accounts } from '../../src/console/accounts.ts'
import { openStaffStore } from '../../src/console/staff-store.ts'
import { newPerson, signIn } from '../console/door.ts'
import { visitor } from '../console/visitor.ts'
import { type Running, runFederation } from '../federation.ts'
import { tamper } from '../ledger/sample.ts'

/** Rounds that the gateways make by themselves are far apart: here each is called for. */
const SELDOM = 3_600_000

/** Three cities that know each other's logs. The last to start has heard of all; the others are started once more. */
async function cities(): Promise<Running> {
  const running = await runFederation({ cities: ['jiangyin', 'huizhou', 'jimo'], round: SELDOM })
  await running.restart('jiangyin')
  await running.restart('huizhou')
  for (const { id } of running.federation.cities) await acquainted(running, id)
  return running
}

async function acquainted(running: Running, city: string): Promise<void> {
  const { members, acquaint } = running.gateway(city).city
  for (const { id } of members.all) if (id !== city) await acquaint(id)
}

const of = (running: Running, city: string) => running.gateway(city).transparency
const fileOf = (running: Running, city: string) => join(running.federation.city(city).settings.data, 'ledger.sqlite')

/** So many entries more: one of a question that the city answers, the others of its own. */
async function grow(running: Running, city: string, count: number): Promise<number> {
  expect((await running.query('huizhou', city)).status).toBe(200)
  return await swell(running, city, count - 1)
}

async function swell(running: Running, city: string, count: number): Promise<number> {
  const entry = { kind: 'configured', at: new Date().toISOString(), city, digests: {}, changed: [] } as const
  await Promise.all(Array.from({ length: count }, () => of(running, city).ledger.append(entry)))
  return (await of(running, city).log.integrate()).size
}

/** What a city holds against others, in short. */
async function found(running: Running, city: string) {
  const all = await of(running, city).gossip.contradictions()
  return all.map(({ city, name }) => `${city} ${name}`)
}

function keepBackup(running: Running, city: string): string {
  const backup = `${fileOf(running, city)}.backup`
  copyFileSync(fileOf(running, city), backup)
  return backup
}

function restore(running: Running, city: string, backup: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${fileOf(running, city)}${end}`, { force: true })
  copyFileSync(backup, fileOf(running, city))
}

/** Has jiangyin bring back a ledger of before, while nobody is there who could tell it. */
async function jiangyinGoesBack(running: Running, entries: number): Promise<number> {
  await running.stop('jiangyin')
  const backup = keepBackup(running, 'jiangyin')
  await running.start('jiangyin')
  const size = await grow(running, 'jiangyin', entries)
  await of(running, 'jiangyin').gossip.round()
  await running.stop('jiangyin')
  restore(running, 'jiangyin', backup)
  return size
}

type Reply = { readonly status: number; readonly text: string }

/** What Huizhou makes of Jiangyin when this answers it in Jiangyin's place, where it answers. */
async function listening(running: Running, reply: (path: string) => Reply | undefined): Promise<Gossip> {
  const { post, members } = running.gateway('huizhou').city
  const { log, witness } = of(running, 'huizhou')
  const store = await openLogStoreAt(fileOf(running, 'huizhou'))
  onTestFinished(() => store[Symbol.asyncDispose]())
  const quiet = { acquaint: async () => {}, now: Date.now, alarm: () => {}, note: () => {} }
  return openGossip({
    ...{ us: 'huizhou', store, log, witness, members, ...quiet },
    post: {
      fetch: async (peer, path, body) =>
        (peer.id === 'jiangyin' ? reply(path) : undefined) ?? (await post.fetch(peer, path, body)),
    },
  })
}

describe('a city whose log only grows', () => {
  it('has every checkpoint cosigned by all its peers, and nothing is held against it', async () => {
    await using running = await cities()
    for (const entries of [3, 300]) {
      const size = await grow(running, 'jiangyin', entries)
      await of(running, 'jiangyin').gossip.round()
      const newest = await of(running, 'jiangyin').log.newest()
      expect(newest?.size).toBe(size)
      const note = readNote(newest?.note ?? '')
      for (const peer of ['huizhou', 'jimo']) {
        const member = running.gateway('jiangyin').city.members.find(peer)
        const key = member && logOf(member)?.key
        expect(note && key && isSigned(note, cosignerKey(witnessName(peer), key))).toBe(true)
        expect((await of(running, peer).witness.known()).get('jiangyin')?.size).toBe(size)
        await of(running, peer).gossip.round()
      }
    }
    for (const { id } of running.federation.cities) expect(await found(running, id)).toEqual([])
  })

  it('goes on after a restart, and after a backup that holds all that was cosigned', async () => {
    await using running = await cities()
    await grow(running, 'jiangyin', 3)
    await of(running, 'jiangyin').gossip.round()
    await running.stop('jiangyin')
    const backup = keepBackup(running, 'jiangyin')
    restore(running, 'jiangyin', backup)
    await running.start('jiangyin')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    await of(running, 'huizhou').gossip.round()
    expect(await found(running, 'huizhou')).toEqual([])
  })

  it('is served to peers by HTTP: checkpoint, tiles, proofs, and who cosigned', async () => {
    await using running = await cities()
    const size = await grow(running, 'jiangyin', 2)
    await of(running, 'jiangyin').gossip.round()
    const get = (path: string) => running.get('huizhou', 'jiangyin', path)
    const newest = await of(running, 'jiangyin').log.newest()
    expect(await get('/log/checkpoint')).toMatchObject({ status: 200, text: newest?.note })
    expect(await get(`/log/tile/0/000.p/${size}`)).toMatchObject({ status: 200, type: 'application/octet-stream' })
    expect(await get(`/log/proof/inclusion?index=0&size=${size}`)).toMatchObject({ status: 200 })
    expect(await get(`/log/proof/consistency?from=1&to=${size}`)).toMatchObject({ status: 200 })
    for (const path of [
      '/log/tile/0/000',
      `/log/tile/0/000.p/${size + 1}`,
      '/log/tile/0/x000/000',
      '/log/tile/00/000',
      `/log/proof/inclusion?index=${size}&size=${size}`,
      `/log/proof/consistency?from=1&to=${size + 1}`,
      '/log/proof/consistency?from=-1&to=2',
      '/witness/log/nowhere',
      `/witness/${'0'.repeat(64)}/checkpoint`,
    ]) {
      expect(await get(path)).toMatchObject({ status: 404, type: 'application/problem+json' })
    }
    const held = (await running.get('jiangyin', 'huizhou', '/witness/log/jiangyin')).text
    expect(held.startsWith(newest?.note.slice(0, newest.note.indexOf('\n\n')) ?? '')).toBe(true)
    expect((await running.gateway('jiangyin').city.members.find('huizhou'))?.log?.origin).toBe(
      of(running, 'huizhou').log.origin,
    )
  })
})

describe('a witness', () => {
  it('answers as C2SP tlog-witness says', async () => {
    await using running = await cities()
    const { log } = of(running, 'jiangyin')
    const { add, known } = of(running, 'huizhou').witness
    const held = async () => (await known()).get('jiangyin')?.size ?? 0
    const four = await grow(running, 'jiangyin', 1)
    const first = await log.newest()
    const before = await held()
    expect(await add('old 0\n')).toMatchObject({ status: 400 })
    expect(await add(`old 01\n\n${first?.note}`)).toMatchObject({ status: 400 })
    expect(await add(`old 1\nAAAA\n\n${first?.note}`)).toMatchObject({ status: 400 })
    expect(await add(addRequest(four + 1, [], first?.note ?? ''))).toMatchObject({ status: 400 })
    expect(await add(addRequest(four, [], first?.note ?? ''))).toMatchObject({
      status: 409,
      type: 'text/x.tlog.size',
      body: `${before}\n`,
    })
    const proof = await log.consistency(before, four)
    const done = await add(addRequest(before, proof, first?.note ?? ''))
    expect(done).toMatchObject({ status: 200, body: expect.stringMatching(/^— xinqiao\/huizhou\/witness /) })
    expect(await held()).toBe(four)
    // The same once more is cosigned once more, and nothing is written.
    expect(await add(addRequest(four, [], first?.note ?? ''))).toMatchObject({ status: 200 })

    const six = await grow(running, 'jiangyin', 2)
    const second = (await log.newest())?.note ?? ''
    const right = await log.consistency(four, six)
    expect(await add(addRequest(four, right.slice(1), second))).toMatchObject({ status: 422 })
    expect(await add(addRequest(four, [...right, emptyRoot], second))).toMatchObject({ status: 422 })
    const stranger = logKey(log.origin, (await running.identity('huizhou')).keys.log)
    expect(stranger.id).not.toBe(log.keys.log.id)
    const key = (await running.identity('huizhou')).keys.log
    const other = (origin: string) => signCheckpoint({ origin, size: six, root: emptyRoot, extensions: [] }, key)
    expect(await add(addRequest(four, right, other(log.origin)))).toMatchObject({ status: 403 })
    expect(await add(addRequest(four, right, other('xinqiao/ningbo/1')))).toMatchObject({ status: 404 })
    expect(await held()).toBe(four)
    expect(await add(addRequest(four, right, second))).toMatchObject({ status: 200 })
  })

  it('cosigns one of two that come at once, and never goes back', async () => {
    await using running = await cities()
    const { log } = of(running, 'jiangyin')
    const { add, known } = of(running, 'huizhou').witness
    await of(running, 'jiangyin').gossip.round()
    const before = (await known()).get('jiangyin')?.size ?? 0
    const requests: string[] = []
    for (const _ of [1, 2, 3]) {
      const size = await grow(running, 'jiangyin', 1)
      requests.push(addRequest(before, await log.consistency(before, size), (await log.newest())?.note ?? ''))
    }
    const replies = await Promise.all(requests.toReversed().map(add))
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(replies.filter(({ status }) => status === 409)).toHaveLength(2)
    expect((await known()).get('jiangyin')?.size).toBe(before + 3)
  })
})

describe('a city that restores an old log', () => {
  it('does not start while a peer is there that has seen more', async () => {
    await using running = await cities()
    await jiangyinGoesBack(running, 5)
    await expect(running.start('jiangyin')).rejects.toThrow(/ledger.contradicted: shortened: (huizhou|jimo) cosigned/)
  })

  it('starts alone, is found as soon as peers are there again, by them and by itself, and answers no more', async () => {
    await using running = await cities()
    await jiangyinGoesBack(running, 5)
    await running.stop('huizhou')
    await running.stop('jimo')
    await running.start('jiangyin')
    await running.start('huizhou')
    await of(running, 'huizhou').gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin shortened'])
    await of(running, 'jiangyin').gossip.round()
    expect(await found(running, 'jiangyin')).toEqual(['jiangyin shortened'])
    const writable = () => of(running, 'jiangyin').ledger.writable().catch(String)
    await expect.poll(writable, { timeout: 20_000 }).toMatch('ledger.contradicted')
    const { status } = await running.query('huizhou', 'jiangyin')
    expect(status).toBe(503)
    await running.stop('jiangyin')
    await expect(running.start('jiangyin')).rejects.toThrow('ledger.contradicted: shortened')
  })

  it('is found by the rounds that every gateway makes by itself, and said in its metrics', async () => {
    await using running = await runFederation({ round: 500 })
    await expect.poll(async () => (await of(running, 'jiangyin').witness.known()).size, { timeout: 20_000 }).toBe(1)
    await expect
      .poll(async () => (await of(running, 'huizhou').witness.known()).get('jiangyin')?.size)
      .toBeGreaterThan(0)
    await running.stop('jiangyin')
    const backup = keepBackup(running, 'jiangyin')
    await running.start('jiangyin')
    const size = await grow(running, 'jiangyin', 4)
    await expect
      .poll(async () => (await of(running, 'huizhou').witness.known()).get('jiangyin')?.size, { timeout: 10_000 })
      .toBe(size)
    await running.stop('jiangyin')
    await running.stop('huizhou')
    restore(running, 'jiangyin', backup)
    await running.start('jiangyin')
    await running.start('huizhou')
    const page = async () => (await fetch(`${running.gateway('huizhou').insideUrl}/metrics`)).text()
    await expect.poll(page, { timeout: 10_000 }).toContain('xinqiao_log_contradiction{city="jiangyin"} 1')
  })

  it('is found when it shows itself in three rounds and proves nothing, whatever it answers in its place', async () => {
    await using running = await cities()
    await of(running, 'jiangyin').gossip.round()
    await grow(running, 'jiangyin', 2)
    let answer: () => Reply | undefined = () => undefined
    const gossip = await listening(running, path => (path.startsWith('/log/proof/') ? answer() : undefined))
    const round = async (reply: typeof answer) => {
      answer = reply
      await gossip.round()
      return found(running, 'huizhou')
    }
    const missing = () => ({ status: 404, text: '' })
    const busy = () => ({ status: 503, text: '' })
    const page = () => ({ status: 200, text: '<html>\n' })
    const empty = () => ({ status: 200, text: '' })
    const slow = () => {
      throw refuse('peer.slow')
    }
    for (const each of [missing, empty]) expect(await round(each)).toEqual([])
    for (let look = 0; look < 4; look += 1) await gossip.look('jiangyin')
    expect(await found(running, 'huizhou')).toEqual([])
    // It can, after all: whoever answered before, it was not the log.
    expect(await round(() => undefined)).toEqual([])
    for (const each of [busy, missing, slow]) expect(await round(each)).toEqual([])
    await grow(running, 'jiangyin', 2)
    for (const each of [missing, page]) expect(await round(each)).toEqual([])
    expect(await round(slow)).toEqual(['jiangyin rewritten'])
  })

  it('is found in the third round though it shows what we know by then, and has nothing to prove of that', async () => {
    await using running = await cities()
    await of(running, 'jiangyin').gossip.round()
    const { log } = of(running, 'jiangyin')
    const right = (await log.newest())?.note
    const size = await grow(running, 'jiangyin', 2)
    const { log: key } = (await running.identity('jiangyin')).keys
    let own = signCheckpoint({ origin: log.origin, size, root: emptyRoot, extensions: [] }, key)
    const gossip = await listening(running, path =>
      path === SEEN ? { status: 200, text: JSON.stringify({ own, others: [] }) } : { status: 404, text: '' },
    )
    await gossip.round()
    own = right ?? ''
    await gossip.round()
    expect(await found(running, 'huizhou')).toEqual([])
    await gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin rewritten'])
  })

  it('is not found while it cannot be reached, though others have seen what it has to prove', async () => {
    await using running = await cities()
    await of(running, 'jiangyin').gossip.round()
    const { log } = of(running, 'jiangyin')
    const size = await grow(running, 'jiangyin', 2)
    const { add, known } = of(running, 'jimo').witness
    const before = (await known()).get('jiangyin')?.size ?? 0
    const request = addRequest(before, await log.consistency(before, size), (await log.newest())?.note ?? '')
    expect((await add(request)).status).toBe(200)
    let isThere = false
    const gossip = await listening(running, path => {
      if (!isThere) throw refuse('peer.unreachable')
      return path.startsWith('/log/proof/') ? { status: 503, text: '' } : undefined
    })
    for (let round = 0; round < 4; round += 1) await gossip.round()
    isThere = true
    for (let round = 0; round < 2; round += 1) await gossip.round()
    expect(await found(running, 'huizhou')).toEqual([])
    await gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin rewritten'])
  })

  it('is found though it grew again beyond what was seen', async () => {
    await using running = await cities()
    await jiangyinGoesBack(running, 5)
    await running.stop('huizhou')
    await running.stop('jimo')
    await running.start('jiangyin')
    await grow(running, 'jiangyin', 9)
    await running.start('huizhou')
    await of(running, 'huizhou').gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin rewritten'])
    const [contradiction] = await of(running, 'huizhou').gossip.contradictions()
    expect(contradiction?.detail).toMatch(/^no proof that size \d+ grew out of size \d+, where it shows us itself/)
  })

  it('is proved to have forked by two cities that compare what it told each, though it is silent itself', async () => {
    await using running = await runFederation({ cities: ['jiangyin', 'huizhou', 'jimo'], round: SELDOM })
    await running.stop('jimo')
    await running.restart('jiangyin')
    const size = await jiangyinGoesBack(running, 5)
    await acquainted(running, 'huizhou')
    expect((await of(running, 'huizhou').witness.known()).get('jiangyin')?.size).toBe(size)
    await running.stop('huizhou')
    await running.start('jimo')
    await running.start('jiangyin')
    expect(await swell(running, 'jiangyin', size - (await of(running, 'jiangyin').log.integrate()).size)).toBe(size)
    await of(running, 'jiangyin').gossip.round()
    expect((await of(running, 'jimo').witness.known()).get('jiangyin')?.size).toBe(size)
    await running.stop('jiangyin')
    await running.start('huizhou')
    await acquainted(running, 'huizhou')
    await of(running, 'huizhou').gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin forked'])
  })
})

describe('a city that rewrites its log', () => {
  it('is found by its peers, however well the hashes are fixed up', async () => {
    await using running = await cities()
    await grow(running, 'jiangyin', 5)
    await of(running, 'jiangyin').gossip.round()
    await running.stop('jiangyin')
    await running.stop('huizhou')
    await running.stop('jimo')
    tamper(fileOf(running, 'jiangyin'), db => {
      db.exec('DELETE FROM tile; DELETE FROM checkpoint')
      db.exec(`UPDATE entry SET body = replace(body, 'tendering', 'bidding')`)
      let link = originLink(readLedgerIdentity(db))
      for (const row of db.prepare('SELECT ix, body FROM entry ORDER BY ix').all()) {
        const own = nextLink(link, leafHash(text(row['body'])))
        db.prepare('UPDATE entry SET previous = ?, link = ? WHERE ix = ?').run(link, own, row['ix'] ?? null)
        link = own
      }
    })
    await running.start('jiangyin')
    await running.start('jimo')
    await of(running, 'jimo').gossip.round()
    expect(await found(running, 'jimo')).toEqual(['jiangyin rewritten'])
    await of(running, 'jiangyin').gossip.round()
    expect(await found(running, 'jiangyin')).toEqual(['jiangyin rewritten'])
  })
})

describe('a city that begins another log', () => {
  it('is named by its peers until an operator acknowledges it, and is known by the new one from then on', async () => {
    await using running = await cities()
    await grow(running, 'jiangyin', 2)
    await of(running, 'jiangyin').gossip.round()
    await running.stop('jiangyin')
    for (const end of ['', '-wal', '-shm']) rmSync(`${fileOf(running, 'jiangyin')}${end}`, { force: true })
    createLedger(fileOf(running, 'jiangyin'), 'jiangyin')
    // Of two statements the later counts, and they bear whole seconds.
    const second = Math.floor(Date.now() / 1000)
    await expect.poll(() => Math.floor(Date.now() / 1000), { timeout: 3_000 }).toBeGreaterThan(second)
    await running.start('jiangyin')
    const { gossip, witness } = of(running, 'huizhou')
    await gossip.round()
    await gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin replaced'])
    await of(running, 'jiangyin').gossip.round()
    expect((await witness.known()).get('jiangyin')?.origin).not.toBe(of(running, 'jiangyin').log.origin)
    const page = async () => (await (await fetch(`${running.gateway('huizhou').insideUrl}/metrics`)).text()).split('\n')
    expect(await page()).toContain('xinqiao_log_contradiction{city="jiangyin"} 1')

    await running.restart('huizhou')
    await acquainted(running, 'huizhou')
    const again = of(running, 'huizhou')
    expect(await again.gossip.acknowledge('jiangyin', 1, '王某')).toBe(1)
    expect(await page()).toContain('xinqiao_log_contradiction{city="jiangyin"} 0')
    await of(running, 'jiangyin').gossip.round()
    expect((await again.witness.known()).get('jiangyin')?.origin).toBe(of(running, 'jiangyin').log.origin)
    await again.gossip.round()
    expect((await again.gossip.contradictions()).filter(each => !each.acknowledged)).toEqual([])
  })

  it('or signs with another key is named too, and cannot go on with the old log', async () => {
    await using running = await cities()
    await grow(running, 'jiangyin', 2)
    await of(running, 'jiangyin').gossip.round()
    await running.stop('jiangyin')
    const { keys } = running.federation.city('jiangyin').settings
    writeFileSync(join(keys, 'log.pem'), newLogKey())
    await expect(running.start('jiangyin')).rejects.toThrow('not of this ledger and this log.pem')
    tamper(fileOf(running, 'jiangyin'), db => db.exec('DELETE FROM checkpoint; DELETE FROM tile'))
    await running.start('jiangyin')
    await of(running, 'huizhou').gossip.round()
    expect(await found(running, 'huizhou')).toEqual(['jiangyin replaced'])
  })
})

describe('an operator who knows of a contradiction', () => {
  it('knows of what the page showed: what came after it still stands', async () => {
    await using running = await runFederation({ round: SELDOM })
    const { gossip } = of(running, 'huizhou')
    const contradiction = { city: 'jiangyin', held: 'h', found: 'f', detail: 'd' }
    await gossip.contradicted({ ...contradiction, name: 'forked' })
    using staff = openStaffStore(running.federation.city('huizhou').settings.data)
    const operator = await newPerson(accounts(staff), '王敏', 'operator')
    const who = visitor(running.gateway('huizhou').insideUrl)
    expect((await signIn(who, operator, Date.now())).status).toBe(303)
    const form = async () => {
      const [, fields = ''] =
        /action="\/console\/contradiction">(.*?)<\/form>/s.exec((await who.get('/console')).text) ?? []
      const named = fields.matchAll(/name="(\w+)" value="([^"]*)"/g)
      return Object.fromEntries(named.map(([, name = '', value = '']) => [name, value]))
    }
    const standing = async () =>
      (await gossip.contradictions()).filter(each => !each.acknowledged).map(({ name }) => name)
    const shown = await form()
    await gossip.contradicted({ ...contradiction, name: 'rewritten' })
    const { seen: _, ...unseen } = shown
    for (const fields of [unseen, { ...shown, seen: '0' }, { ...shown, seen: '-1' }]) {
      expect((await who.post('/console/contradiction', fields)).status).toBe(303)
      expect(await standing()).toEqual(['forked', 'rewritten'])
    }
    expect((await who.post('/console/contradiction', shown)).status).toBe(303)
    expect(await standing()).toEqual(['rewritten'])
    expect((await who.post('/console/contradiction', await form())).status).toBe(303)
    expect(await standing()).toEqual([])
    expect(await form()).toEqual({})
  })
})

describe('a member that means harm', () => {
  it('puts one cosignature into a log and not a thousand, and the city goes on', async () => {
    await using running = await cities()
    const { witness } = of(running, 'huizhou')
    const { log: key } = (await running.identity('huizhou')).keys
    const { add } = witness
    Object.assign(witness, {
      add: async (body: string) => {
        const reply = await add(body)
        const checkpoint = readCheckpoint(readNote(body.slice(body.indexOf('\n\n') + 2))?.text ?? '')
        if (reply.status !== 200 || checkpoint === undefined) return reply
        const lines = Array.from({ length: 1_100 }, (_, i) => cosign(checkpoint, witnessName('huizhou'), key, i))
        return { ...reply, body: lines.join('') }
      },
    })
    await grow(running, 'jiangyin', 2)
    await of(running, 'jiangyin').gossip.round()
    await of(running, 'jiangyin').gossip.round()
    const note = readNote((await of(running, 'jiangyin').log.newest())?.note ?? '')
    expect(note?.signatures.filter(({ name }) => name === witnessName('huizhou'))).toHaveLength(1)
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    await running.restart('jiangyin')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
  })

  it('fills nobody’s ledger with its contradictions: one of a name stands, with nothing in it but the log’s own words', async () => {
    await using running = await cities()
    const { add, known } = of(running, 'huizhou').witness
    const { log: key } = (await running.identity('jiangyin')).keys
    const { log } = of(running, 'jiangyin')
    const bare: string[] = []
    for (let fork = 0; fork < 3; fork += 1) {
      const size = await grow(running, 'jiangyin', 1)
      const before = (await known()).get('jiangyin')?.size ?? 0
      const proof = await log.consistency(before, size)
      expect((await add(addRequest(before, proof, (await log.newest())?.note ?? ''))).status).toBe(200)
      const note = signCheckpoint({ origin: log.origin, size, root: emptyRoot, extensions: [] }, key)
      bare.push(note)
      const own = note.slice(note.lastIndexOf('— '))
      const foreign = own.replace(log.origin, 'somebody')
      expect((await add(addRequest(size, [], note + own.repeat(20) + foreign.repeat(20)))).status).toBe(422)
    }
    const all = await of(running, 'huizhou').gossip.contradictions()
    expect(all.map(({ name, found }) => ({ name, found }))).toEqual([{ name: 'forked', found: bare[0] }])
    expect(readNote(all[0]?.held ?? '')?.signatures.map(({ name }) => name)).toEqual([
      log.origin,
      witnessName('huizhou'),
    ])
  })

  it('is not listened to for long when what it wants cosigned is never right', async () => {
    await using running = await cities()
    const { post, members } = running.gateway('huizhou').city
    const jiangyin = members.find('jiangyin')
    if (jiangyin === undefined) throw new Error('no jiangyin')
    const statuses: number[] = []
    for (let i = 0; i < 200; i += 1) {
      const status = await post.fetch(jiangyin, '/witness/add-checkpoint', 'nonsense').then(
        reply => reply.status,
        () => 0,
      )
      statuses.push(status)
    }
    expect(statuses.slice(0, 60).every(status => status === 400)).toBe(true)
    expect(statuses.filter(status => status === 400).length).toBeLessThan(150)
  })

  it('cannot claim the log of another: its statement is refused, and nobody is kept from his own', async () => {
    await using running = await cities()
    const city = running.gateway('huizhou').city
    const { described, signer } = city.keys()
    const { published: log } = of(running, 'jiangyin')
    const seconds = Math.floor(Date.now() / 1000)
    const token = configurationOf({ ...described, log }, undefined, signer, seconds)
    const { anchors } = city.members
    await expect(readConfiguration(token, 'huizhou', anchors, Date.now())).rejects.toThrow('token.claims')

    const [jiangyin, huizhou] = ['jiangyin', 'huizhou'].map(id => running.gateway('jimo').city.members.find(id))
    if (jiangyin === undefined || huizhou === undefined) throw new Error('no members')
    await using store = await openLogStoreAt(fileOf(running, 'jimo'))
    const witness = openWitness({
      store,
      log: of(running, 'jimo').log,
      members: { all: [{ ...huizhou, log }, jiangyin] },
      acquaint: async () => {},
      now: Date.now,
      contradicted: async () => {},
      suspected: () => {},
    })
    const size = await grow(running, 'jiangyin', 1)
    const before = (await witness.known()).get('jiangyin')?.size ?? 0
    const proof = await of(running, 'jiangyin').log.consistency(before, size)
    const note = (await of(running, 'jiangyin').log.newest())?.note ?? ''
    expect((await witness.add(addRequest(before, proof, note))).status).toBe(200)
  })
})

describe('a city whose log is contradicted', () => {
  it('signs nothing more and lets nothing go, though its staff still get in and are recorded', async () => {
    await using running = await cities()
    const size = await grow(running, 'jiangyin', 1)
    const { log, gossip } = of(running, 'jiangyin')
    const found = (await log.newest())?.note ?? ''
    const { log: key } = (await running.identity('jiangyin')).keys
    const held = signCheckpoint({ origin: log.origin, size, root: emptyRoot, extensions: [] }, key)
    await gossip.contradicted({ city: 'jiangyin', name: 'forked', held, found, detail: 'two of one size' })
    const writable = () => of(running, 'jiangyin').ledger.writable().catch(String)
    await expect.poll(writable, { timeout: 20_000 }).toMatch('ledger.contradicted')
    const { data } = running.federation.city('jiangyin').settings
    using staff = openStaffStore(data)
    const operator = await newPerson(accounts(staff), '王敏', 'operator')
    const { insideUrl } = running.gateway('jiangyin')
    expect((await signIn(visitor(insideUrl), operator, Date.now())).status).toBe(303)
    const day = { retentionDays: 1, now: () => Date.now() + 36_500 * 86_400_000 }
    await expect(letGoOfExpired(of(running, 'jiangyin').ledger, day)).rejects.toThrow('ledger.contradicted')
    // Ends when it has looked at the ledger once.
    await of(running, 'jiangyin').begin(SELDOM).stop()
    await using store = await openLogStoreAt(fileOf(running, 'jiangyin'))
    expect([(await store.newest())?.size, await store.count()]).toEqual([size, size + 1])
    await running.stop('jiangyin')
    await expect(running.start('jiangyin')).rejects.toThrow('ledger.contradicted: forked')
    expect((await store.newest())?.size).toBe(size)
  })
})
