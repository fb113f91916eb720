/** A bound holds to the last one, whoever counts and in how many processes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { afterAll, describe, expect, it } from 'vitest'
import { countInFile, countInPostgres } from '../../src/shared-counts.ts'
import { postgresEngine } from '../ledger/engines.ts'
import { countsLaws, localCountsLaws } from './counting.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-counts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

localCountsLaws()

describe('on a server', () => {
  const engine = postgresEngine()
  let shared: Promise<string> | undefined
  countsLaws('in PostgreSQL', async () => {
    shared ??= engine.make()
    return countInPostgres(await shared)
  })
})

it('counts in a file hold across threads that count at once, each by a connection of its own, and are their owner’s alone', async () => {
  const path = join(folder, 'shared.sqlite')
  await using counts = countInFile(path)
  const source = `
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(join(import.meta.dirname, '../../src/shared-counts.ts'))}).then(async ({ countInFile }) => {
      const counts = countInFile(${JSON.stringify(path)})
      let added = 0
      for (let i = 0; i < 500; i++) if ((await counts.add([{ name: 'q', period: 0, add: 1, most: 900 }])) === undefined) added++
      parentPort.postMessage(added)
    })`
  const workers = Array.from({ length: 3 }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    new Worker(source, { eval: true }).once('message', resolve).once('error', reject)
    return promise
  })
  const added = await Promise.all(workers)
  expect(added.reduce((a, b) => a + b)).toBe(900)
  expect(await counts.add([{ name: 'q', period: 0, add: 1, most: 900 }])).toBe('q')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

it('a count waits for another connection that keeps the file’s lock, and is busy where that one does not let go', async () => {
  const path = join(folder, 'kept.sqlite')
  await using counts = countInFile(path)
  using other = new DatabaseSync(path)
  const count = { name: 'q', period: 0, add: 1, most: 2 }
  other.exec('BEGIN IMMEDIATE')
  const waiting = counts.add([count])
  await new Promise(setImmediate)
  other.exec('COMMIT')
  expect(await waiting).toBeUndefined()
  other.exec('BEGIN IMMEDIATE')
  await expect(counts.add([count])).rejects.toMatchObject({ code: 'load.busy' })
  other.exec('COMMIT')
  expect(await counts.add([count])).toBeUndefined()
  expect(await counts.add([count])).toBe('q')
})
