/** Several processes behind one port are one gateway: one ledger, one quota, and nothing lost when one of them ends. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { Answer, Problem, RefusalMessage } from '#protocol/message.ts'
import { endProcess, startProcess } from '../../src/process.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'

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

it('a worker that is killed is begun anew, and the other answers meanwhile', { timeout: 60_000 }, async () => {
  const [first = 0] = workers()
  process.kill(first, 'SIGKILL')
  await expect.poll(workers, { timeout: 20_000 }).toSatisfy((now: number[]) => now.length === 2 && !now.includes(first))
  await expect
    .poll(async () => (await running.query('huizhou', 'jiangyin').catch(() => ({ status: 0 }))).status, {
      timeout: 20_000,
    })
    .toSatisfy((status: number) => status === 200 || status === 429)
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
