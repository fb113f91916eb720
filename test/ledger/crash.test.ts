import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openLedgerAt, verifyLedgerAt } from '#ledger/open.ts'
import { Receipt } from '#protocol/message.ts'
import { describeEngines } from './engines.ts'
import { answered } from './sample.ts'

const Line = z.strictObject({ jti: z.string(), receipt: Receipt })
type Told = z.infer<typeof Line>

/** A process that appends to the ledger; `told` is called with each entry of which it was told that it is durable. */
function startAppender(place: string, told: (line: Told) => void): { child: ChildProcess; ended: Promise<unknown> } {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./appender.ts', import.meta.url)), place], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const read = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      // The last line may be cut off: then nobody was told.
      if (line.endsWith('}}')) told(Line.parse(JSON.parse(line)))
    }
    return (await gone)[1]
  }
  return { child, ended: read() }
}

/** Lets so many processes append until they have spoken of so many entries, and kills them in the middle of their work. */
async function appendUntilKilled(place: string, entries: number, processes = 1): Promise<Told[]> {
  const told: Told[] = []
  const appenders = Array.from({ length: processes }, () =>
    startAppender(place, line => {
      told.push(line)
      if (told.length === entries) for (const { child } of appenders) child.kill('SIGKILL')
    }),
  )
  for (const { ended } of appenders) expect(await ended).toBe('SIGKILL')
  return told
}

async function expectAll(place: string, told: readonly Told[]): Promise<void> {
  const receipts = told.map(({ receipt }) => receipt)
  const { verified, faults, entries, head } = await verifyLedgerAt(place, { receipts })
  expect(faults).toEqual([])
  expect(verified).toBe(true)
  expect(entries).toBeGreaterThanOrEqual(told.length)
  expect(new Set(receipts.map(({ index }) => index)).size).toBe(told.length)
  await using ledger = await openLedgerAt(place, 'jiangyin')
  expect((await ledger.head()).link).toBe(head)
  const last = told.at(-1)
  const replay = ledger.append(answered({ jti: last?.jti ?? '' }).entry)
  await expect(replay).rejects.toMatchObject({ code: 'token.replayed' })
  for (const { jti, receipt } of told.slice(-50)) {
    const held = await ledger.entry(receipt.index)
    expect(held?.receipt).toEqual(receipt)
    expect(held?.entry).toMatchObject({ jti })
    expect((await ledger.evidence(receipt.index))?.answer).toBeDefined()
  }
}

describeEngines(engine => {
  test('every entry of which a killed process was told is there, and its replay is refused', {
    timeout: 60_000,
  }, async () => {
    const place = await engine.make()
    const told = []
    for (const entries of [1, 333, 1000]) {
      told.push(...(await appendUntilKilled(place, entries)))
      await expectAll(place, told)
    }
  })

  test('a ledger is verified from outside while its gateway writes', { timeout: 60_000 }, async () => {
    const place = await engine.make()
    const { promise: writing, resolve } = Promise.withResolvers<void>()
    const { child, ended } = startAppender(place, ({ receipt }) => receipt.index > 100 && resolve())
    await writing
    expect((await verifyLedgerAt(place)).faults).toEqual([])
    child.kill('SIGKILL')
    await ended
  })

  test('three processes on one ledger make one chain, whoever of them is killed', { timeout: 60_000 }, async () => {
    const place = await engine.make()
    await expectAll(place, await appendUntilKilled(place, 2000, 3))
  })

  test.skipIf(engine.name === 'sqlite')(
    'a server that is killed under load loses nothing that was told, and is used again when it is back',
    {
      timeout: 120_000,
    },
    async () => {
      const place = await engine.make()
      const told: Told[] = []
      const appenders = [1, 2, 3].map(() => startAppender(place, line => told.push(line)))
      for (let round = 0; round < 3; round += 1) {
        await until(() => told.length > round * 500 + 200)
        await engine.server().kill()
        await engine.server().start()
        const [back, before] = [performance.now(), told.length]
        await until(() => told.length > before)
        expect(performance.now() - back).toBeLessThan(5000)
      }
      for (const { child } of appenders) child.kill('SIGKILL')
      for (const { ended } of appenders) await ended
      await expectAll(place, told)
    },
  )
})

/** Looks again with every turn of the event loop that has something to read. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 5))
}
