import { pino } from 'pino'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openLog } from '#ledger/log.ts'
import { openLedgerAt, openLogStoreAt } from '#ledger/open.ts'
import { isPostgres } from '#ledger/place.ts'
import { openMetrics } from '../src/metrics.ts'
import { openTransparency } from '../src/transparency.ts'
import { type Running, runFederation } from './federation.ts'
import { describeEngines } from './ledger/engines.ts'
import { answered, newLedger, tamper } from './ledger/sample.ts'

const HOUR = 3_600_000

let running: Running
beforeAll(async () => {
  running = await runFederation({ round: HOUR })
})
afterAll(() => running[Symbol.asyncDispose]())

/** A ledger of ten entries with a checkpoint of all of them. */
async function signed(place: string) {
  const { keys } = await running.identity('jiangyin')
  await using ledger = await openLedgerAt(place, 'jiangyin')
  await Promise.all(Array.from({ length: 10 }, () => ledger.append(answered().entry)))
  await using store = await openLogStoreAt(place)
  await openLog({ store, city: 'jiangyin', id: ledger.id, key: keys.log, now: Date.now }).integrate()
}

/** A process that answers and signs no checkpoints: a worker, or a gateway while another leads. */
async function follower(place: string) {
  const ledger = await openLedgerAt(place, 'jiangyin')
  onTestFinished(() => ledger.close())
  const store = await openLogStoreAt(place)
  onTestFinished(() => store[Symbol.asyncDispose]())
  const { members, post, acquaint } = running.gateway('jiangyin').city
  const transparency = await openTransparency({
    city: 'jiangyin',
    ledger,
    store,
    keys: (await running.identity('jiangyin')).keys,
    members,
    post,
    acquaint,
    now: Date.now,
    log: pino({ level: 'silent' }),
    metrics: openMetrics(),
    inside: false,
  })
  const following = transparency.begin(HOUR)
  onTestFinished(() => following.stop())
  return transparency
}

const refused = (one: Awaited<ReturnType<typeof follower>>) =>
  expect.poll(() => one.ledger.writable().then(() => 'writable', String), { timeout: 20_000 })

async function remove(place: string) {
  const statement = 'DELETE FROM entry WHERE ix > 7'
  if (!isPostgres(place)) return tamper(place, db => db.exec(statement))
  const sql = postgres(place, { max: 1 })
  await sql.unsafe(`ALTER TABLE entry DISABLE TRIGGER ALL; ${statement}; ALTER TABLE entry ENABLE TRIGGER ALL`)
  await sql.end()
}

describeEngines(engine => {
  it('every process that answers records nothing more once entries of the last checkpoint are gone, whoever signs', async () => {
    const place = await engine.make()
    await signed(place)
    const processes = [await follower(place), await follower(place)]
    for (const each of processes) await each.ledger.writable()
    await remove(place)
    for (const each of processes) {
      await refused(each).toContain('ledger.contradicted: there are 8 entries, and the last checkpoint is of 10')
      await expect(each.ledger.append(answered().entry)).rejects.toThrow('ledger.contradicted')
    }
    const late = await follower(place)
    await expect(late.ledger.append(answered().entry)).rejects.toThrow('ledger.contradicted')
  })
})

describe('a process that answers', () => {
  it('records nothing more once an entry of the last checkpoint is another', async () => {
    const path = newLedger()
    await signed(path)
    const one = await follower(path)
    await one.ledger.append(answered().entry)
    tamper(path, db => db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 4`))
    await refused(one).toContain('the entries are not those of the checkpoint of 10 any more')
  })
})
