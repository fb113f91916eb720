import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { Receipt } from '#protocol/message.ts'
import { answered, newLedger } from './sample.ts'

const Line = z.strictObject({ jti: z.string(), receipt: Receipt })

/** Lets a process append until it has spoken of so many entries, and kills it in the middle of its work. */
async function appendUntilKilled(path: string, entries: number) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./appender.ts', import.meta.url)), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const told: z.infer<typeof Line>[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    // The last line may be cut off: then nobody was told.
    if (!line.endsWith('}}')) break
    told.push(Line.parse(JSON.parse(line)))
    if (told.length === entries) {
      // The ledger can be verified from outside while its gateway writes.
      expect(verifyLedger(path).faults).toEqual([])
      child.kill('SIGKILL')
    }
  }
  expect((await gone)[1]).toBe('SIGKILL')
  return told
}

test('every entry of which a killed process was told is there, and its replay is refused', {
  timeout: 60_000,
}, async () => {
  const path = newLedger()
  const told = []
  for (const entries of [1, 333, 1000]) {
    told.push(...(await appendUntilKilled(path, entries)))
    await using ledger = openLedger(path, 'jiangyin')
    for (const { jti, receipt } of told) {
      const held = await ledger.entry(receipt.index)
      expect(held?.receipt).toEqual(receipt)
      expect(held?.entry).toMatchObject({ jti })
      expect((await ledger.evidence(receipt.index))?.answer).toBeDefined()
    }
    const last = told.at(-1)
    const replay = ledger.append(answered({ jti: last?.jti ?? '' }).entry)
    await expect(replay).rejects.toMatchObject({ code: 'token.replayed' })
    const { verified, faults, entries: found, head } = verifyLedger(path)
    expect(faults).toEqual([])
    expect(verified).toBe(true)
    expect(found).toBeGreaterThanOrEqual(told.length)
    expect((await ledger.head()).link).toBe(head)
  }
})
