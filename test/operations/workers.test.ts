/** Several processes behind one port are one gateway: one ledger, one quota, and nothing lost when one of them ends. */
import { execFileSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { readAgreement, signAgreement } from '#agreement/agreement.ts'
import { createLedgerAt } from '#ledger/open.ts'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { digest } from '#protocol/canonical.ts'
import { Answer, Problem, RefusalMessage, types } from '#protocol/message.ts'
import { readCertificates } from '#trust/certificate.ts'
import { signerOf } from '#trust/keys.ts'
import { certifiedKey } from '#trust/statement.ts'
import { callerTls } from '../../src/federation.ts'
import { Readiness } from '../../src/health.ts'
import { endProcess, startProcess } from '../../src/process.ts'
import { agreementId, claimsIn, type Running, runFederation } from '../federation.ts'
import { type Server, startPostgres } from '../source/postgres.ts'

const QUESTIONS = 60

let running: Running
let child: Awaited<ReturnType<typeof startProcess>>
/** Another key of Huizhou's, which its authority certified and which signs no messages. */
let second: Awaited<ReturnType<Running['federation']['authority']['issue']>>
beforeAll(async () => {
  running = await runFederation({
    edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: QUESTIONS, subjectsPerDay: 100_000 } }),
  })
  await running.stop('jiangyin')
  const { authority, city } = running.federation
  second = await authority.issue('huizhou', 'signing')
  writeFileSync(join(settings().certs, 'huizhou-signing-second.pem'), second.certificate)
  const log = openSync(logFile(), 'a')
  const environment = { ...city('jiangyin').environment, XINQIAO_LOG_LEVEL: 'error' }
  child = await startProcess(environment, log, ['--workers', '2'])
  closeSync(log)
}, 60_000)
afterAll(async () => {
  await endProcess(child)
  await running[Symbol.asyncDispose]()
})

const settings = () => running.federation.city('jiangyin').settings
const logFile = () => join(running.federation.folder, 'jiangyin.log')
const inside = (path: string) => fetch(`http://127.0.0.1:${settings().insideListen.port}${path}`)
const agreementFile = (name: string) => join(settings().config, 'agreements', `${agreementId}.${name}`)
/** A change is taken up within a second or two; this is for a machine that is busy. */
const patience = { timeout: 30_000, interval: 200 }

/** What readiness says of a check. */
async function said(name: string) {
  const { checks } = Readiness.parse(await (await inside('/health/ready')).json())
  return checks.find(({ check }) => check === name)
}

/** Tells the gateway to read its files, and waits until it has taken them up, or says why not. */
async function told(): Promise<void> {
  const before = (await said('configuration'))?.detail
  child.kill('SIGHUP')
  await expect.poll(async () => (await said('configuration'))?.detail, patience).not.toBe(before)
}

/** Changes a file that is taken up, and not what it means. */
function touch(): void {
  const file = join(settings().config, 'measures', 'jiangyin.json')
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
}

/** The processes that the parent began. */
function workers(): number[] {
  const [listed] = [execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(child.pid)], { encoding: 'utf8' })]
  return listed
    .split('\n')
    .filter(line => line.includes('serve'))
    .map(line => Number.parseInt(line, 10))
}

const Grants = z.looseObject({
  grants: z.array(z.looseObject({ families: z.record(z.string(), z.looseObject({ fields: z.array(z.string()) })) })),
})

/** Asks over a connection of its own each time, so that both workers are asked; gives what came, by name. */
async function asked(times: number): Promise<{ receipts: Answer['receipt'][]; codes: string[] }> {
  const all = await Promise.all(Array.from({ length: times }, () => running.query('huizhou', 'jiangyin')))
  const receipts: Answer['receipt'][] = []
  const codes: string[] = []
  for (const { status, type, text } of all) {
    if (status === 200) receipts.push(Answer.parse(claimsIn(text)).receipt)
    else if (type === 'application/problem+json') codes.push(Problem.parse(JSON.parse(text)).code)
    else codes.push(RefusalMessage.parse(claimsIn(text)).refusal.code)
  }
  return { receipts, codes }
}

/** The worker that holds our connection's other end, by the system's list of sockets (proc(5), /proc/net/tcp). */
function holderOf(ourPort: number | undefined): number | undefined {
  const [here, there] = [settings().peersListen.port, ourPort ?? 0].map(
    port => `:${port.toString(16).toUpperCase().padStart(4, '0')}`,
  )
  const sockets = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
  const inode = sockets.find(([, local, remote]) => local?.endsWith(here ?? '') && remote?.endsWith(there ?? ''))?.[9]
  return workers().find(pid =>
    readdirSync(`/proc/${pid}/fd`).some(fd => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
      } catch {
        return false
      }
    }),
  )
}

/** What one worker says to a question under the agreement as it lies on disk, over a connection of its own. */
async function answered(): Promise<{ readonly worker: number | undefined; readonly outcome: string }> {
  const { keys, members } = await running.identity('huizhou')
  const agreement = { id: agreementId, digest: digest(JSON.parse(readFileSync(agreementFile('json'), 'utf8'))) }
  const { token } = keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin', { agreement })))
  const agent = new Agent({ ...callerTls(keys, members), keepAlive: true })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { 'content-type': `application/${types.query}` }
  const { port } = settings().peersListen
  request({ host: '127.0.0.1', port, path: '/query', method: 'POST', agent, headers }, resolve)
    .once('error', reject)
    .end(token)
  const response = await promise
  const worker = holderOf(response.socket.localPort)
  const text = Buffer.concat(await Array.fromAsync(response)).toString()
  agent.destroy()
  if (response.statusCode !== 200) return { worker, outcome: RefusalMessage.parse(claimsIn(text)).refusal.code }
  const records = Answer.parse(claimsIn(text)).answer.results.flatMap(({ records }) => records)
  return { worker, outcome: [...new Set(records.flatMap(({ fields }) => Object.keys(fields)))].sort().join() }
}

/** Asks until the last answer of each worker fits; gives those answers, by worker. */
async function everyWorker(fits: (outcome: string) => boolean): Promise<ReadonlyMap<number, string>> {
  const last = new Map<number, string>()
  await expect
    .poll(async () => {
      const { worker, outcome } = await answered()
      if (worker !== undefined) last.set(worker, outcome)
      return workers().filter(pid => !fits(last.get(pid) ?? ''))
    }, patience)
    .toEqual([])
  return last
}

/** Waits for the beginning of a minute where too little of this one is left for what is counted by the minute. */
async function withinOneMinute(): Promise<void> {
  await expect.poll(() => new Date().getSeconds(), { timeout: 30_000, interval: 200 }).toBeLessThan(45)
}

it('two workers keep one ledger, hold one quota together, and count into one page of metrics', {
  timeout: 90_000,
}, async () => {
  expect(workers()).toHaveLength(2)
  await withinOneMinute()
  const { receipts, codes } = await asked(QUESTIONS + 20)
  expect(receipts).toHaveLength(QUESTIONS)
  expect(new Set(codes)).toEqual(new Set(['load.rate']))
  expect(new Set(receipts.map(({ index }) => index)).size).toBe(QUESTIONS)
  const metrics = await (await inside('/metrics')).text()
  expect(metrics).toContain(`xinqiao_questions_total{direction="in",peer="huizhou",outcome="answered"} ${QUESTIONS}`)
  expect((await inside('/health/ready')).status).toBe(200)
  await using ledger = openLedger(join(settings().data, 'ledger.sqlite'), 'jiangyin')
  for (const receipt of receipts) expect((await ledger.entry(receipt.index))?.receipt).toEqual(receipt)
})

it('a worker that is killed is begun anew by the configuration that holds, whatever lies on disk by then', {
  timeout: 60_000,
}, async () => {
  const check = () => said('workers')
  expect(await check()).toMatchObject({ ok: true, detail: '2 of 2' })
  const agreement = agreementFile('json')
  renameSync(agreement, `${agreement}.away`)
  try {
    const killed = workers()
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    await expect.poll(async () => (await check())?.ok).toBe(false)
    await expect.poll(async () => (await check())?.ok, { timeout: 30_000 }).toBe(true)
    expect(workers().filter(pid => killed.includes(pid))).toEqual([])
    await expect
      .poll(async () => (await running.query('huizhou', 'jiangyin')).status, { timeout: 20_000 })
      .toSatisfy((status: number) => status === 200 || status === 429)
  } finally {
    renameSync(`${agreement}.away`, agreement)
  }
})

it('SIGHUP gives all workers the same configuration: each answers by it', { timeout: 90_000 }, async () => {
  const same = workers()
  await running.federation.agree(agreement => {
    agreement['quota'] = { questionsPerMinute: 1_000_000, subjectsPerDay: 1_000_000 }
    const { grants } = Grants.parse(agreement)
    for (const { families } of grants) {
      const licence = families['licence']
      if (licence !== undefined) licence.fields = licence.fields.filter(field => field !== 'holder')
    }
    agreement['grants'] = grants
  })
  await everyWorker(outcome => outcome === 'agreement.digest')
  await told()
  const fields = await everyWorker(outcome => outcome.includes('number'))
  for (const each of fields.values()) expect(each.split(',')).not.toContain('holder')
  expect(workers()).toEqual(same)
})

it('a worker that is late reads each configuration in its turn, and those that nobody reads any more are removed', {
  timeout: 60_000,
}, async () => {
  const same = workers()
  const [late = 0] = same
  process.kill(late, 'SIGSTOP')
  try {
    for (let round = 0; round < 3; round += 1) {
      touch()
      await told()
    }
  } finally {
    process.kill(late, 'SIGCONT')
  }
  await expect.poll(() => readdirSync(join(settings().data, 'taken')), patience).toHaveLength(1)
  await everyWorker(outcome => outcome.includes('number'))
  expect(workers()).toEqual(same)
})

it('a configuration that cannot be kept for the workers is taken by nobody, and the log says why', {
  timeout: 60_000,
}, async () => {
  const configured = async () => {
    await using ledger = openLedger(join(settings().data, 'ledger.sqlite'), 'jiangyin')
    const all = await ledger.entries({ from: 0, limit: 10_000 })
    return all.filter(({ entry }) => entry.kind === 'configured').length
  }
  const before = await configured()
  const kept = join(settings().data, 'taken')
  renameSync(kept, `${kept}.away`)
  writeFileSync(kept, '')
  touch()
  await told()
  rmSync(kept)
  renameSync(`${kept}.away`, kept)
  expect((await said('configuration'))?.detail).toMatch(/what is on disk is not taken: E/)
  expect(await configured()).toBe(before)
  await expect
    .poll(() => readFileSync(logFile(), 'utf8'), patience)
    .toMatch(/"refused":"E.*the configuration on disk is not taken/)
  await told()
  expect(await configured()).toBe(before + 1)
})

it('a worker begun after a signature lost its key goes on with the others, and takes the next signature with them', {
  timeout: 120_000,
}, async () => {
  const signature = agreementFile('huizhou.jws')
  const text = readAgreement(readFileSync(agreementFile('json'), 'utf8'), agreementId, [])
  const key = await certifiedKey(readCertificates(second.certificate))
  if (text === undefined || key === undefined) throw new Error('no agreement, or no key')
  writeFileSync(signature, `${signAgreement(text, signerOf(key, createPrivateKey(second.key)))}\n`)
  await told()
  const { pem } = await running.federation.authority.revoke([second.certificate])
  writeFileSync(join(settings().certs, 'crls', 'issuing.pem'), pem)
  for (const pid of workers()) process.kill(pid, 'SIGKILL')
  await expect.poll(async () => (await said('workers'))?.ok, patience).toBe(false)
  await expect.poll(async () => (await said('workers'))?.ok, patience).toBe(true)
  await everyWorker(outcome => outcome === 'agreement.unknown')
  // The same text, and so the same digest; only the signature beside it is another.
  const same = workers()
  await running.federation.agree()
  await told()
  await everyWorker(outcome => outcome.includes('number'))
  expect(workers()).toEqual(same)
})

it('SIGTERM ends all of them, and the ledger holds together', { timeout: 60_000 }, async () => {
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await gone).toEqual([0, null])
  expect(verifyLedger(join(settings().data, 'ledger.sqlite'))).toMatchObject({ verified: true, faults: [] })
})

it('a fault that keeps the workers from starting is said by the parent, which ends', { timeout: 60_000 }, async () => {
  const { environment } = running.federation.city('jiangyin')
  const taken = { ...environment, XINQIAO_PEERS_LISTEN: environment['XINQIAO_INSIDE_LISTEN'] ?? '' }
  await expect(startProcess(taken, 'ignore', ['--workers', '2'])).rejects.toThrow(/EADDRINUSE/)
})

describe('with their ledger in PostgreSQL', () => {
  let server: Server
  let sql: postgres.Sql
  beforeAll(async () => {
    await endProcess(child)
    server = await startPostgres()
    await createLedgerAt(server.url, 'jiangyin')
    sql = postgres(server.url, { max: 1, onnotice: () => {} })
    const { environment } = running.federation.city('jiangyin')
    child = await startProcess({ ...environment, XINQIAO_LEDGER: server.url }, 'ignore', ['--workers', '2'])
  }, 120_000)
  afterAll(async () => {
    await endProcess(child)
    await sql.end({ timeout: 1 })
    await server.remove()
  })

  /** Samples of the metrics, by name and labels. */
  const samples = async () => {
    const response = await inside('/metrics')
    expect(response.status).toBe(200)
    const lines = (await response.text()).split('\n').filter(line => /^[a-z]/.test(line))
    return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]))
  }
  const sample = async (name: string) => (await samples()).get(name)

  it('the metrics tell what each worker has at its door', { timeout: 60_000 }, async () => {
    const strangers = Array.from({ length: 4 }, () => connect(settings().peersListen.port, '127.0.0.1'))
    for (const each of strangers) each.on('error', () => undefined)
    await expect.poll(() => sample('xinqiao_strangers'), { interval: 50 }).toBe('4')
    for (const each of strangers) each.destroy()
    await expect.poll(() => sample('xinqiao_strangers'), patience).toBe('0')

    await everyWorker(outcome => outcome.includes('number'))
    const questions = await sql.begin(async held => {
      await held`LOCK TABLE entry IN EXCLUSIVE MODE`
      const asked = Array.from({ length: 4 }, answered)
      await expect.poll(() => sample('xinqiao_questions_in_flight'), { interval: 50, timeout: 2_500 }).toBe('4')
      return asked
    })
    for (const { outcome } of await Promise.all(questions)) expect(outcome).toContain('number')
    await expect.poll(() => sample('xinqiao_questions_in_flight'), patience).toBe('0')
  })

  it('the metrics tell that the ledger cannot be read, and all else, while it cannot', {
    timeout: 120_000,
  }, async () => {
    const before = await samples()
    expect(before.get('xinqiao_ready{check="ledger"}')).toBe('1')
    expect(Number(before.get('xinqiao_ledger_entries'))).toBeGreaterThan(0)
    await server.kill()
    await expect.poll(() => sample('xinqiao_ready{check="ledger"}'), patience).toBe('0')
    const without = await samples()
    expect(without.has('xinqiao_ledger_entries')).toBe(false)
    expect(without.get('xinqiao_questions_in_flight')).toBe('0')
    expect(without.keys().filter(name => name.startsWith('xinqiao_questions_total{'))).not.toEqual([])
    await server.start()
    await expect.poll(() => sample('xinqiao_ledger_entries'), patience).toBe(before.get('xinqiao_ledger_entries'))
  })
})
