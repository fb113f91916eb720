/** Three gateways of one city on one PostgreSQL, asked without pause while they, and it, are killed one after the other. */
import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Pool } from 'undici'
import { createLedgerAt, openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { filledTiles } from '#ledger/tree.ts'
import { Answer, types } from '#protocol/message.ts'
import { freePort, makeFederation } from '../src/federation.ts'
import { endProcess, startProcess } from '../src/process.ts'
import { claimsIn } from './federation.ts'
import { questions } from './questions.ts'
import { startPostgres } from './source/postgres.ts'

const GATEWAYS = 3
const LANES = 12
/** Every so many questions one is put to two gateways at the same time. */
const TWICE = 5
/** Milliseconds of quiet load before a kill, at most, and how long service may take to come back before it is given up. */
const BETWEEN = 1500
const PATIENCE = 30_000

export type Outcome = {
  readonly kills: number
  /** Questions that got a signed answer. */
  readonly answered: number
  /** Answers whose entry is not at the place that their receipt names. */
  readonly lost: number
  /** Questions that got more than one. */
  readonly answered_twice: number
  /** Faults that a verification of the whole ledger names (a gap, a fork, a message recorded twice), and tiles missing in its tree. */
  readonly tree_gaps: number
  /** Seconds from the return of PostgreSQL, or from the kill of a gateway, to the next answer; the longest. */
  readonly max_recovery_s: number
}

/** Runs it with so many kills, of which every third is PostgreSQL's. Removes all that it made. */
export async function chaos(kills: number): Promise<Outcome> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-chaos-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const server = await startPostgres()
  stack.defer(() => server.remove())
  await createLedgerAt(server.url, 'jiangyin')
  const federation = await makeFederation(folder, {
    cities: ['jiangyin', 'huizhou'],
    logLevel: 'silent',
    edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: 1e9, subjectsPerDay: 1e9 } }),
  })
  const { environment, settings } = federation.city('jiangyin')
  const { question, tls } = await questions(federation, {
    subjects: ['91320281250344877K'],
    want: [{ family: 'licence' }],
  })

  const gateways: Gateway[] = []
  stack.defer(async () => {
    for (const { child, pool } of gateways) {
      await pool.destroy()
      await endProcess(child, 'SIGKILL')
    }
  })
  for (let i = 0; i < GATEWAYS; i += 1) {
    const data = join(folder, `gateway-${i}`)
    cpSync(settings.data, data, { recursive: true })
    const [peers, inside] = [await freePort(), await freePort()]
    const own = {
      ...environment,
      XINQIAO_DATA: data,
      XINQIAO_LEDGER: server.url,
      XINQIAO_PEERS_LISTEN: `127.0.0.1:${peers}`,
      XINQIAO_INSIDE_LISTEN: `127.0.0.1:${inside}`,
    }
    const pool = new Pool(`https://127.0.0.1:${peers}`, {
      connections: LANES,
      connect: tls,
      bodyTimeout: 20_000,
      headersTimeout: 20_000,
    })
    gateways.push({ environment: own, pool, child: await startProcess(own) })
  }

  const answers = new Map<string, Answer[]>()
  let told = 0
  let asked = 0
  let ending = false
  const ask = async (jti: string, token: string, gateway: Gateway) => {
    const headers = { 'content-type': `application/${types.query}` }
    try {
      const { statusCode, body } = await gateway.pool.request({ path: '/query', method: 'POST', headers, body: token })
      const said = await body.text()
      if (statusCode !== 200) return said.includes('token.replayed')
      const all = answers.get(jti) ?? []
      answers.set(jti, [...all, Answer.parse(claimsIn(said))])
      told += 1
      return true
    } catch {
      return false
    }
  }
  /** As a balancer does: a gateway that fails is followed by another, with the very same question. */
  const lane = async () => {
    while (!ending) {
      const { jti, token } = question()
      asked += 1
      const order = gateways.toSorted(() => randomInt(3) - 1)
      if (asked % TWICE === 0) await Promise.all(order.slice(0, 2).map(each => ask(jti, token, each)))
      for (const gateway of [...order, ...order]) {
        if (await ask(jti, token, gateway)) break
        await setTimeout(50)
      }
    }
  }
  /** Seconds until the next answer. */
  const nextAnswer = async () => {
    const [began, before] = [performance.now(), told]
    while (told === before) {
      if (performance.now() - began > PATIENCE) throw new Error('service did not come back')
      await setTimeout(5)
    }
    return (performance.now() - began) / 1000
  }

  const lanes = Array.from({ length: LANES }, lane)
  await nextAnswer()
  let longest = 0
  try {
    for (let i = 0; i < kills; i += 1) {
      await setTimeout(randomInt(BETWEEN))
      const gateway = gateways[i % GATEWAYS]
      if (i % 3 === 2 || gateway === undefined) {
        await server.kill()
        await setTimeout(randomInt(500))
        await server.start()
        longest = Math.max(longest, await nextAnswer())
      } else {
        const gone = once(gateway.child, 'exit')
        gateway.child.kill('SIGKILL')
        await gone
        longest = Math.max(longest, await nextAnswer())
        gateway.child = await startProcess(gateway.environment)
      }
    }
    await nextAnswer()
  } finally {
    ending = true
    await Promise.all(lanes)
  }
  const receipts = [...answers.values()].flat().map(({ receipt }) => receipt)
  return {
    kills,
    answered: answers.size,
    lost: await countLost(server.url, answers),
    answered_twice: [...answers.values()].filter(all => all.length > 1).length,
    tree_gaps: (await verifyLedgerAt(server.url, { receipts })).faultCount + (await countMissingTiles(server.url)),
    max_recovery_s: Math.round(longest * 1000) / 1000,
  }
}

type Gateway = { readonly environment: Readonly<Record<string, string>>; readonly pool: Pool; child: ChildProcess }

/** Full tiles that the newest checkpoint speaks of and that are not there; the checkpoint itself, where there is none. */
async function countMissingTiles(place: string): Promise<number> {
  await using store = await openLogStoreAt(place)
  const [newest] = await store.checkpoints(1)
  if (newest === undefined) return 1
  const tiles = await Promise.all(filledTiles(0, newest.size).map(each => store.tile(each)))
  return tiles.filter(tile => tile === undefined).length
}

/** Each answer, one by one, has its entry: the very leaf, at its place, of this question. */
async function countLost(place: string, answers: ReadonlyMap<string, readonly Answer[]>): Promise<number> {
  await using ledger = await openLedgerAt(place, 'jiangyin')
  let lost = 0
  for (const [jti, all] of answers) {
    for (const { receipt, req_hash: hash } of all) {
      const found = await ledger.entry(receipt.index)
      const isIt =
        found?.entry.kind === 'answered' &&
        found.entry.jti === jti &&
        found.entry.questionHash === hash &&
        found.receipt.leaf === receipt.leaf &&
        found.receipt.link === receipt.link
      if (!isIt) lost += 1
    }
  }
  return lost
}
