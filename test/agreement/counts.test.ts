/** A bound holds to the last one, whoever counts and in how many processes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { type Count, type Counts, countInMemory } from '#agreement/counts.ts'
import { countInFile, countInPostgres } from '../../src/shared-counts.ts'
import { postgresEngine } from '../ledger/engines.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-counts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const makers: readonly (readonly [string, () => Counts])[] = [
  ['in memory', countInMemory],
  ['in a file', () => countInFile(join(folder, `${++files}.sqlite`))],
]

const minute = (n: number) => n * 60_000
const counting = fc.record({ name: fc.constantFrom('a', 'b'), add: fc.nat(4) })

const engine = postgresEngine()
let shared: Promise<string> | undefined
/** One ledger for all: what is counted of one run has names of its own. */
const countInOne = async () => {
  shared ??= engine.make()
  return countInPostgres(await shared)
}
let runs = 0

describe.each([...makers, ['in PostgreSQL', countInOne] as const])('counts %s', (_, make) => {
  it('never go beyond the most, add all or none, and start anew with each period', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(counting, { minLength: 1, maxLength: 2 }), { maxLength: 40 }), async all => {
        await using counts = await make()
        const run = ++runs
        // What holds by the words of the promise: the sum of what was added, by name and period, periods in order.
        const sums = new Map<string, number>()
        for (const [i, each] of all.entries()) {
          const distinct = each.filter(({ name }, at) => each.findIndex(other => other.name === name) === at)
          const period = minute(Math.floor(i / 5))
          const wanted: Count[] = distinct.map(({ name, add }) => ({ name: `${run} ${name}`, period, add, most: 7 }))
          const full = wanted.filter(({ name, add }) => (sums.get(`${name} ${period}`) ?? 0) + add > 7)
          const told = await counts.add(wanted)
          if (full.length === 0) expect(told).toBeUndefined()
          else expect(full.map(({ name }) => name)).toContain(told)
          if (full.length > 0) continue
          for (const { name, add } of wanted) {
            sums.set(`${name} ${period}`, (sums.get(`${name} ${period}`) ?? 0) + add)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('go on from what is known to have been counted before, once', async () => {
    await using counts = await make()
    const count = { name: 'day', period: 0, add: 1, most: 10, from: 9 }
    expect(await counts.add([count])).toBeUndefined()
    expect(await counts.add([count])).toBe('day')
  })
})

it('counts in a file hold across processes that count at once, and are their owner’s alone', async () => {
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

it('a count waits for another process that keeps the file, and is busy where that one does not let go', async () => {
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
