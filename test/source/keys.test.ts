/** A row is found in whatever known spelling its code stands, and goes to whom it names. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { completeUscc } from '#protocol/subject.ts'
import { attributed, codeIn, countKeys, type KeyForm, keyTexts, learn } from '#source/keys.ts'
import type { Table } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'

const CODE = '91330212MA281AH5XE'
const OTHER = '91320281250344877K'

function table(columns: readonly string[], forms: readonly KeyForm[], prefixes: readonly string[] = []): Table {
  return { name: 't', family: 'licence', table: 't', columns, key: { columns, forms, prefixes }, where: [] }
}
const wide = (text: string) => [...text].map(c => String.fromCharCode(c.charCodeAt(0) + 0xfee0)).join('')

/** What an export or a clerk makes of a code, each of which a question for the code finds. */
const spellings: Readonly<Record<string, (code: string) => string>> = {
  'as it is': code => code,
  'in small letters': code => code.toLowerCase(),
  'in full width': wide,
  'in full width and small letters': code => wide(code.toLowerCase()),
  'with a blank behind it': code => `${code} `,
  'with a blank before it': code => ` ${code}`,
  'with a no-break space behind it': code => `${code}\u00a0`,
  'with a no-break space before small letters': code => `\u00a0${code.toLowerCase()}`,
  'with a full-width blank behind it': code => `${code}\u3000`,
  'with the tab that keeps it text in a spreadsheet': code => `${code}\t`,
  'in groups of four': code =>
    `${code.slice(0, 4)} ${code.slice(4, 8)} ${code.slice(8, 12)} ${code.slice(12, 16)} ${code.slice(16)}`,
  'behind a text that the mapping names': code => `信用代码：${code}`,
  'in small letters behind such a text': code => `信用代码：${code.toLowerCase()}`,
  'behind a text that nobody named, with another behind it': code => `代码:${code}（1/1）`,
  'with blanks of all kinds within and a line’s end behind': code =>
    ` ${code.slice(0, 7)}\u3000${code.slice(7, 12)}\u200b${code.slice(12)}\r\n`,
  'with hyphens and in letters of both sizes': code =>
    `${code.slice(0, 2)}-${code.slice(2, 8)}-${code.slice(8).toLowerCase()}`,
}

const directory = mkdtempSync(join(tmpdir(), 'xinqiao-keys-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

function holding(rows: readonly (readonly (string | null)[])[], of: Table) {
  files += 1
  const path = join(directory, `${files}.sqlite`)
  using db = new DatabaseSync(path)
  db.exec(`create table t (${of.columns.map(column => `"${column}" text`).join(', ')})`)
  const insert = db.prepare(`insert into t values (${of.columns.map(() => '?').join(', ')})`)
  for (const row of rows) insert.run(...row)
  return openSqlite({ name: 'city', path, tables: [of] })
}

describe('a code in a key column', () => {
  const plain = table(['k'], ['code'], ['信用代码：'])

  it.each(Object.keys(spellings))('is found %s', async spelling => {
    const source = holding([[spellings[spelling]?.(CODE) ?? ''], [spellings[spelling]?.(OTHER) ?? '']], plain)
    const found = await source.read(plain, [CODE], await learn(source, plain))
    expect(found.map(({ subject }) => subject)).toEqual([CODE])
    await source.close()
  })

  it('is given once, though it has no letter and so is the same in small ones', async () => {
    const digits = '914403001922038216'
    const source = holding([[digits]], plain)
    expect(await source.read(plain, [digits])).toHaveLength(1)
    await source.close()
  })

  it('as an organisation code is found with a small X and a hyphen, where the mapping says that such stand there', async () => {
    const short = table(['k'], ['code', 'organisation', 'organisation-hyphen'])
    const source = holding(
      [['MA281AH5X'], ['ma281ah5x'], ['MA281AH5-x'], ['ma281ah5-x'], [' MA281AH5—X'], ['MA281AH56']],
      short,
    )
    expect(await source.read(short, [CODE], await learn(source, short))).toHaveLength(5)
    const whole = table(['k'], ['code'])
    expect(await source.read(whole, [CODE], await learn(source, whole))).toHaveLength(0)
    await source.close()
  })

  it('that shares its organisation code with another of the question gives its rows to both', () => {
    const other = `91330201${CODE.slice(8)}`
    const short = table(['k'], ['organisation'])
    const found = attributed(short, [{ k: CODE.slice(8, 17) }], keyTexts(short.key, [CODE, other]))
    expect(found.map(each => each.subject)).toEqual([CODE, other])
  })

  it('that stands as anybody expects is not kept in mind', async () => {
    const rows = [[CODE], [CODE.toLowerCase()], [`信用代码：${CODE}`], ['无'], [null], [''], ['11010519491231002X']]
    const source = holding(rows, plain)
    expect(await learn(source, plain)).toEqual(new Map())
    await source.close()
  })

  it('is asked for under texts that no other code is asked for under', () => {
    const code = fc
      .tuple(fc.constantFrom('91', '92', '93'), fc.stringMatching(/^[0-9]{6}[0-9A-HJ-NP-RTUWXY]{8}$/))
      .map(([kind, body]) => completeUscc(kind + body))
    fc.assert(
      fc.property(code, code, (one, two) => {
        const texts = keyTexts(plain.key, [one, two])
        for (const subjects of texts.values()) expect(subjects).toHaveLength(1)
        for (const [text, [subject]] of texts) expect(codeIn(text)).toBe(subject)
      }),
    )
  })
})

describe('a row with two key columns', () => {
  const two = table(['code', 'org'], ['code', 'organisation'])
  const texts = keyTexts(two.key, [CODE])

  it('is known by the second where the first is empty or a placeholder', () => {
    const rows = [
      { code: null, org: 'MA281AH5X' },
      { code: '00000000000000000X', org: 'MA281AH5X' },
      { code: '无', org: 'MA281AH5X' },
    ]
    expect(attributed(two, rows, texts).map(found => found.subject)).toEqual([CODE, CODE, CODE])
  })

  it.each([OTHER, OTHER.toLowerCase(), wide(OTHER), `9132 0281 25034 4877K`, `代码：${OTHER}（1/1）`])(
    'is not known by the second where the first names another enterprise: %s',
    first => expect(attributed(two, [{ code: first, org: 'MA281AH5X' }], texts)).toEqual([]),
  )

  it('that the database matched by a collation of its own is still ours', () => {
    expect(attributed(two, [{ code: ' 91330212ma281ah5Xe', org: null }], texts)).toHaveLength(1)
  })

  it('that is no code we asked for is never silently dropped', () => {
    expect(() => attributed(two, [{ code: null, org: 'other' }], texts)).toThrow('source.unreachable')
  })
})

describe('the count of a table’s keys', () => {
  it('tells what is found by a spelling, what no question finds, and what is no code of an enterprise', async () => {
    const two = table(['code', 'org'], ['code', 'organisation'])
    const conditional = { ...two, where: [{ column: 'org', notIn: ['draft'] }] }
    const source = holding(
      [
        [CODE, null],
        [CODE, 'MA281AH5X'],
        [wide(CODE), null],
        [null, 'ma281ah5x'],
        ['9133 0212 MA 281 AH5XE', null],
        [`${CODE}（1/1）`, null],
        [CODE.replace('E', 'F'), null],
        ['00000000000000000X', null],
        ['11420000MB15291767', null],
        ['11010519491231002X', null],
        [null, null],
        [CODE, 'draft'],
      ],
      conditional,
    )
    expect(await countKeys(source, conditional)).toEqual({ rows: 11, spelled: 4, without: 5 })
    await source.close()
  })

  it('is refused, not small, where the table cannot be read', async () => {
    const none = table(['k'], ['code'])
    const source = openSqlite({ name: 'city', path: join(directory, 'nowhere.sqlite'), tables: [none] })
    await expect(countKeys(source, none)).rejects.toMatchObject({ code: 'source.unreachable' })
  })
})
