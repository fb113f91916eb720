/** Several processes behind one port are one gateway: one ledger, one quota, and nothing lost when one of them ends. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { Answer, Problem, RefusalMessage } from '#protocol/message.ts'
import { Readiness } from '../../src/health.ts'
import { endProcess, startProcess } from '../../src/process.ts'
import { agreementId, claimsIn, type Running, runFederation } from '../federation.ts'

const QUESTIONS = 60

let running: Running
let child: Awaited<ReturnType<typeof startProcess>>
beforeAll(async () => {
  running = await runFederation({
    edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: QUESTIONS, subjectsPerDay: 100_000 } }),
  })
  await running.stop('jiangyin')
  child = await startProcess(running.federation.city('jiangyin').environment, 'ignore', ['--workers', '2'])
}, 60_000)
afterAll(async () => {
  await endProcess(child)
  await running[Symbol.asyncDispose]()
})

const settings = () => running.federation.city('jiangyin').settings
const inside = (path: string) => fetch(`http://127.0.0.1:${settings().insideListen.port}${path}`)

/** The processes that the parent began. */
function workers(): number[] {
  const [listed] = [execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(child.pid)], { encoding: 'utf8' })]
  return listed
    .split('\n')
    .filter(line => line.includes('serve'))
    .map(line => Number.parseInt(line, 10))
}

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
  const check = async () => {
    const ready = Readiness.parse(await (await inside('/health/ready')).json())
    return ready.checks.find(({ check }) => check === 'workers')
  }
  expect(await check()).toMatchObject({ ok: true, detail: '2 of 2' })
  const agreement = join(settings().config, 'agreements', `${agreementId}.json`)
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

it('SIGHUP gives all workers the same configuration', { timeout: 60_000 }, async () => {
  const detail = async () => {
    const ready = Readiness.parse(await (await inside('/health/ready')).json())
    return ready.checks.find(({ check }) => check === 'configuration')?.detail
  }
  const [before, same] = [await detail(), workers()]
  const file = join(settings().config, 'measures', 'jiangyin.json')
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
  child.kill('SIGHUP')
  await expect.poll(detail).not.toBe(before)
  expect((await running.query('huizhou', 'jiangyin')).status).toBeLessThan(500)
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
