/** A gateway as a process of its own is killed and ended under load: what reached the caller is in the ledger, and nothing is lost that need not be. */
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { Pool } from 'undici'
import { afterAll, describe, expect, it } from 'vitest'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { Answer, types } from '#protocol/message.ts'
import { makeFederation } from '../src/federation.ts'
import { endProcess, startProcess } from '../src/process.ts'
import { claimsIn } from './federation.ts'
import { questions } from './questions.ts'

const LANES = 16

/** The questions of which anything was sent, whatever became of them. */
const sent = new Set<string>()
subscribe('undici:client:sendHeaders', message => {
  const [, jti] = /x-question: (\S+)/.exec(Object(message).headers) ?? []
  if (jti !== undefined) sent.add(jti)
})

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Jiangyin to be started as a process, and Huizhou's means to load it with distinct questions. */
async function scene() {
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-crash-'))
  folders.push(folder)
  const federation = await makeFederation(folder, {
    cities: ['jiangyin', 'huizhou'],
    edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: 1e9, subjectsPerDay: 1e9 } }),
  })
  const { environment, settings } = federation.city('jiangyin')
  const { question, tls } = await questions(federation, {
    subjects: ['91320281250344877K', '91320281XXXXXX0197'],
    want: [{ family: 'licence' }, { family: 'penalty' }],
  })
  return {
    question,
    tls,
    listen: settings.peersListen,
    ledger: join(settings.data, 'ledger.sqlite'),
    start: () => startProcess(environment),
    openPool: () => new Pool(`https://127.0.0.1:${settings.peersListen.port}`, { connections: LANES, connect: tls }),
  }
}
type Scene = Awaited<ReturnType<typeof scene>>

type Answered = { readonly jti: string; readonly answer: Answer }
type Load = { readonly answered: Answered[]; readonly failures: { readonly jti: string; readonly error: unknown }[] }

/** Every lane asks one question after the other until one fails; `each` is told of every answer. */
async function load({ question, openPool }: Scene, each: (answered: number) => void): Promise<Load> {
  const pool = openPool()
  const answered: Answered[] = []
  const failures: Load['failures'] = []
  const lane = async () => {
    for (;;) {
      const { jti, token } = question()
      const headers = { 'content-type': `application/${types.query}`, 'x-question': jti }
      try {
        const { statusCode, body } = await pool.request({ path: '/query', method: 'POST', headers, body: token })
        const said = await body.text()
        if (statusCode !== 200) throw new Error(`${statusCode} ${said}`)
        answered.push({ jti, answer: Answer.parse(claimsIn(said)) })
        each(answered.length)
      } catch (error) {
        failures.push({ jti, error })
        return
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  await pool.destroy()
  return { answered, failures }
}

/** Each answer, one by one, has its entry: the very leaf, at its place, of this question. */
async function expectEntered(path: string, answered: readonly Answered[]): Promise<void> {
  const receipts = answered.map(({ answer }) => answer.receipt)
  expect(verifyLedger(path, { receipts })).toMatchObject({ verified: true, faults: [] })
  await using ledger = openLedger(path, 'jiangyin')
  for (const { jti, answer } of answered) {
    expect(answer.req_jti).toBe(jti)
    const entry = await ledger.entry(answer.receipt.index)
    expect(entry?.receipt).toEqual(answer.receipt)
    expect(entry?.entry).toMatchObject({ kind: 'answered', jti, questionHash: answer.req_hash })
  }
}

describe('a gateway under load', () => {
  it.concurrent('that is killed twenty times never loses the entry of an answer that reached the caller', {
    timeout: 120_000,
  }, async () => {
    const jiangyin = await scene()
    const all: Answered[] = []
    for (let round = 0; round < 20; round += 1) {
      const child = await jiangyin.start()
      const gone = once(child, 'exit')
      // From the very first answer on to the middle of many: another moment of the group commit each time.
      const until = 1 + round * 7
      const { answered } = await load(jiangyin, count => {
        if (count === until) child.kill('SIGKILL')
      })
      expect((await gone)[1]).toBe('SIGKILL')
      expect(answered.length).toBeGreaterThanOrEqual(until)
      all.push(...answered)
    }
    await expectEntered(jiangyin.ledger, all)
  })

  it.concurrent('that is told to end answers every question it was sent, takes no other, and ends with 0', {
    timeout: 60_000,
  }, async () => {
    const jiangyin = await scene()
    for (const until of [1, 100, 400]) {
      const before = verifyLedger(jiangyin.ledger).entries
      const child = await jiangyin.start()
      const gone = once(child, 'exit')
      const { answered, failures } = await load(jiangyin, count => {
        if (count === until) child.kill('SIGTERM')
      })
      expect(await gone).toEqual([0, null])
      expect(failures).toHaveLength(LANES)
      // Nobody was cut off: each lane found the door shut, before it had said anything.
      for (const { jti, error } of failures) expect(sent.has(jti), String(error)).toBe(false)
      for (const { jti } of answered) expect(sent.has(jti)).toBe(true)
      await expectEntered(jiangyin.ledger, answered)
      // Nor does the ledger say that anything was answered that did not arrive: beside them is only what held at the start.
      expect(verifyLedger(jiangyin.ledger).entries - before).toBe(1 + answered.length)
    }
  })

  it.concurrent('that is told to end does not wait without end for a caller that stalls', {
    timeout: 60_000,
  }, async () => {
    const jiangyin = await scene()
    const child = await jiangyin.start()
    const stalled = await stall(jiangyin)
    const began = performance.now()
    await endProcess(child)
    expect(child.exitCode).toBe(0)
    expect(performance.now() - began).toBeLessThan(20_000)
    stalled.destroy()
  })

  it.concurrent('that has nothing to do ends at once, told so by SIGTERM or by Ctrl-C', {
    timeout: 60_000,
  }, async () => {
    const jiangyin = await scene()
    const child = await jiangyin.start()
    await ended(child, 'SIGTERM')
    expect(child.exitCode).toBe(0)
    const again = await jiangyin.start()
    await ended(again, 'SIGINT')
    expect(again.exitCode).toBe(0)
    // The configuration of each of the two starts.
    expect(verifyLedger(jiangyin.ledger)).toMatchObject({ verified: true, entries: 2 })
  })
})

async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** A caller that sends half a question and then nothing. */
async function stall({ tls, listen, question }: Scene): Promise<TLSSocket> {
  const socket = connect({ ...tls, ...listen })
  await once(socket, 'secureConnect')
  const { token } = question()
  socket.write(
    `POST /query HTTP/1.1\r\nhost: x\r\ncontent-type: application/${types.query}\r\ncontent-length: ${token.length}\r\n\r\n${token.slice(0, 100)}`,
  )
  socket.on('error', () => undefined)
  return socket
}
