/** `xinqiao ledger` does what an operator asks of it with a file and with PostgreSQL, and says what keeps it from doing so. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sql from 'postgres'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { createLedger } from '#ledger/sqlite.ts'
import { ledgerCommand } from '../src/ledger-command.ts'
import { Failure, Usage } from '../src/words.ts'
import { postgresEngine } from './ledger/engines.ts'
import { answered, execute } from './ledger/sample.ts'

const postgres = postgresEngine()
const folder = mkdtempSync(join(tmpdir(), 'xinqiao-ledger-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let printed: string[] = []
beforeEach(() => {
  printed = []
  vi.spyOn(console, 'log').mockImplementation(line => void printed.push(String(line)))
})
afterEach(() => vi.restoreAllMocks())

let cities = 0
/** The folder of a city whose ledger is in this place; without one, a file with three entries. */
async function city(place?: string) {
  cities += 1
  const data = join(folder, `city-${cities}`)
  const env = `${data}.env`
  const lines = [
    'XINQIAO_CITY=jiangyin',
    `XINQIAO_KEYS=${folder}`,
    `XINQIAO_DATA=${data}`,
    'XINQIAO_SOURCE=sqlite:x',
    ...(place === undefined ? [] : [`XINQIAO_LEDGER=${place}`]),
  ]
  writeFileSync(env, lines.join('\n'))
  const file = join(folder, `city-${cities}`, 'ledger.sqlite')
  return { env, file, data }
}

async function fill(place: string, entries: number) {
  await using ledger = await openLedgerAt(place, 'jiangyin')
  for (let i = 0; i < entries; i += 1) {
    const { entry, evidence } = answered()
    await ledger.append(entry, evidence)
  }
}

const run = (...words: string[]) => ledgerCommand.run(words)

describe('the ledger of a city', () => {
  it('is begun in PostgreSQL, filled by gateways, and verified by its URL', async () => {
    const place = await postgres.room()
    const { env } = await city(place)
    expect(await run('create', '--env', env)).toBe(0)
    expect(printed.join()).not.toContain(':test@')
    await expect(run('create', '--env', env)).rejects.toThrow('there already')
    await fill(place, 3)
    expect(await run('verify', place)).toBe(0)
    expect(printed.at(-2)).toContain('3 条 entries')
  })

  it('is backed up while it is open, lost, and brought back', async () => {
    const place = await postgres.make()
    const { env } = await city(place)
    const backup = join(folder, 'backup.sqlite')
    await fill(place, 5)
    expect(await run('backup', backup, '--json', '--env', env)).toBe(0)
    expect(JSON.parse(printed.at(-1) ?? '')).toMatchObject({ verified: true, entries: 5 })
    await expect(run('backup', backup, '--env', env)).rejects.toThrow('there already')
    const elsewhere = await postgres.room()
    const other = await city(elsewhere)
    expect(await run('restore', backup, '--env', other.env)).toBe(0)
    expect(await verifyLedgerAt(elsewhere)).toMatchObject({ verified: true, entries: 5 })
    await expect(run('restore', backup, '--env', other.env)).rejects.toThrow('there already')
  })

  it('is moved from its file to PostgreSQL and back', async () => {
    const file = join(folder, 'moving.sqlite')
    createLedger(file, 'jiangyin')
    await fill(file, 4)
    const place = await postgres.room()
    expect(await run('move', file, place)).toBe(0)
    expect(existsSync(file)).toBe(false)
    expect(await run('move', place, file)).toBe(0)
    expect(await verifyLedgerAt(file)).toMatchObject({ verified: true, entries: 4 })
  })

  it('that was moved lets the gateways’ own role in when its owner says so', async () => {
    const file = join(folder, 'granted.sqlite')
    createLedger(file, 'jiangyin')
    await fill(file, 2)
    const place = await postgres.room()
    const owner = sql(place, { max: 1 })
    await owner.unsafe(`CREATE ROLE moved LOGIN PASSWORD 'm'`)
    await owner.end()
    await run('move', file, place)
    const gateway = place.replace('postgres:test@', 'moved:m@')
    await expect(fill(gateway, 1)).rejects.toThrow('ledger.unavailable')
    expect(await run('grant', place, 'moved')).toBe(0)
    await fill(gateway, 1)
    expect(await verifyLedgerAt(gateway)).toMatchObject({ verified: true, entries: 3 })
  })

  it('holds evidence by somebody’s word and for a reason, lists what is held, and lets it go by the same', async () => {
    const { env, file, data } = await city()
    mkdirSync(data)
    createLedger(file, 'jiangyin')
    const by = ['--by', '周法官', '--reason', '（2026）苏0281行初1号', '--env', env]
    const scope = ['--subject', '91320281250344877K', '--from', '2026-11-01', '--to', '2026-11-22']
    expect(await run('hold', 'case-1', ...scope, ...by)).toBe(0)
    await expect(run('hold', 'case-1', ...by)).rejects.toThrow('已有此保全：case-1\nthere is such a hold: case-1')
    expect(await run('holds', '--json', '--env', env)).toBe(0)
    expect(JSON.parse(printed.at(-1) ?? '')).toMatchObject([
      {
        hold: 'case-1',
        staff: '周法官',
        subjects: ['91320281250344877K'],
        // Both days whole, in Asia/Shanghai.
        from: '2026-10-31T16:00:00.000Z',
        until: '2026-11-22T16:00:00.000Z',
      },
    ])
    expect(await run('release', 'case-1', ...by)).toBe(0)
    await expect(run('release', 'case-1', ...by)).rejects.toThrow('no such hold')
    expect(await run('holds', '--env', env)).toBe(0)
    expect(printed.at(-1)).toContain('no hold is in force')
    await expect(run('hold', 'case-2', '--by', 'x', '--env', env)).rejects.toThrow('缺少 --reason\n--reason is missing')
  })

  it('is held under no name that an entry does not take, or that is the number of a person, and of no person', async () => {
    const { env, file, data } = await city()
    mkdirSync(data)
    createLedger(file, 'jiangyin')
    const by = ['--by', '周法官', '--reason', '初1号', '--env', env]
    for (const name of ['110101199003077758', 'case-13800138000', 'case-138-0013-8000', 'Case', 'x'.repeat(100)])
      await expect(run('hold', name, ...by), name).rejects.toThrow(Usage)
    await expect(run('hold', 'case', '--subject', '110101199003077758', ...by)).rejects.toThrow(Failure)
    await expect(run('hold', 'case', '--by', '周法官', '--reason', '', '--env', env)).rejects.toThrow(Usage)
    for (const days of [
      ['--from', '2026-02-30'],
      ['--to', '22.11.2026'],
      ['--from', '2026-11-22', '--to', '2026-11-01'],
    ])
      await expect(run('hold', 'case', ...days, ...by), days.join(' ')).rejects.toThrow(Usage)
    await expect(run('hold', 'case', '--by', '周'.repeat(81), '--reason', 'x', '--env', env)).rejects.toThrow(Usage)
    expect(await verifyLedgerAt(file)).toMatchObject({ verified: true, entries: 0 })
  })

  it('has somebody acknowledge the contradictions that are printed, and none that comes while they are', async () => {
    const { env, file, data } = await city()
    mkdirSync(data)
    createLedger(file, 'jiangyin')
    await using store = await openLogStoreAt(file)
    const found = { city: 'huizhou', held: 'h', found: 'f', detail: 'two of one size', at: '2026-11-22T01:02:03.000Z' }
    await store.contradict({ ...found, name: 'forked' })
    await store.contradict({ ...found, name: 'forked', city: 'suzhou' })
    const late = `INSERT INTO contradiction VALUES (2, 'huizhou', 'rewritten', 'h', 'f', 'no proof', 'a', NULL, NULL)`
    vi.spyOn(console, 'log').mockImplementation(line => {
      if (printed.push(String(line)) === 1) execute(file, late)
    })
    const acknowledge = async () => {
      expect(await run('acknowledge', 'huizhou', '--by', '王某', '--env', env)).toBe(0)
      return printed.splice(0)
    }
    expect(await acknowledge()).toEqual([
      '2026-11-22T01:02:03.000Z  huizhou  forked  未确认 stands\n  two of one size',
      '1 项已确认 acknowledged',
    ])
    expect((await store.contradictions()).map(each => each.acknowledged?.by)).toEqual(['王某', undefined, undefined])
    vi.mocked(console.log).mockImplementation(line => void printed.push(String(line)))
    expect(await acknowledge()).toEqual(['a  huizhou  rewritten  未确认 stands\n  no proof', '1 项已确认 acknowledged'])
    expect(await acknowledge()).toEqual(['0 项已确认 acknowledged'])
  })

  it('that was changed, or is shorter than a receipt says, is said to be so', async () => {
    const file = join(folder, 'changed.sqlite')
    createLedger(file, 'jiangyin')
    await fill(file, 1)
    const receipts = join(folder, 'receipts.json')
    const receipt = { index: 1, leaf: 'l'.repeat(43), link: 'k'.repeat(43), at: '2026-01-01T00:00:00.000Z' }
    writeFileSync(receipts, JSON.stringify([receipt]))
    expect(await run('verify', file)).toBe(0)
    expect(await run('verify', file, '--receipts', receipts)).toBe(1)
    expect(printed.at(-1)).toContain('receipt-broken #1')
    writeFileSync(receipts, '{}')
    await expect(run('verify', file, '--receipts', receipts)).rejects.toThrow(/中没有回执\n.*holds no receipts$/)
    execute(file, 'DROP TRIGGER entry_not_updated')
    expect(await run('verify', file)).toBe(1)
    expect(printed.at(-1)).toContain('schema-changed')
  })

  it.each([
    ['no action', []],
    ['no file', ['verify']],
    ['two files', ['verify', 'a', 'b']],
    ['one place', ['move', 'a']],
    ['an unknown action', ['burn', 'a']],
    ['an unknown option', ['verify', 'a', '--force']],
  ])('needs the words of a call: %s', async (_, words) => {
    await expect(run(...words)).rejects.toThrow(/^ledger|^选项有误：\nUnknown/)
  })

  it('that is not there is said so', async () => {
    await expect(run('verify', join(folder, 'nowhere.sqlite'))).rejects.toThrow('no such file')
    await expect(run('verify', 'postgres://x@127.0.0.1:1/x')).rejects.toThrow(/^操作未完成，原因如下：\n.*ECONNREFUSED/)
  })
})
