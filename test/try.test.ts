/** A mapping tried on rows: what the gateway would make of each, from files as cities export them, and as docs/mapping.md shows it. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigurationError } from '#protocol/fault.ts'
import { completeUscc } from '#protocol/subject.ts'
import { MappingForm } from '#schema/format.ts'
import { readMapping } from '#schema/mapping.ts'
import type { LocalRow } from '#schema/text.ts'
import { cellText } from '../src/demo-tables.ts'
import { describeTrial } from '../src/describe-trial.ts'
import { readRows } from '../src/rows.ts'
import { tryRows } from '../src/trial.ts'
import { cityNames, demoTables, mappingFile, vocabulary } from './schema/cities.ts'
import { cityDatabase } from './schema/lookup.ts'
import { mistakes, shownMistakes, shownTrial, xingwanMapping, xingwanRows } from './xingwan.ts'

/** The day that docs/mapping.md names. */
const thatDay = Date.parse('2026-11-22T12:00:00+08:00')

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-try-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

function compiled(text: string, file = 'mappings/xingwan.json') {
  return { mapping: readMapping({ file, text }, vocabulary), form: MappingForm.parse(JSON.parse(text)) }
}

const xingwan = compiled(xingwanMapping())
const rows = readRows(Buffer.from(xingwanRows))
const [good] = rows
if (good === undefined) throw new Error('no rows')

/** What becomes of the first row of the page with these columns instead. */
async function tried(change: LocalRow, mapping = xingwan) {
  const [row] = (await tryRows(mapping, 't07_penal', [{ ...good, ...change }], thatDay)).rows
  if (row === undefined) throw new Error('no row')
  return row
}

describe('docs/mapping.md', () => {
  const trialOf = async (text: string) => {
    const parts = compiled(text)
    return describeTrial(await tryRows(parts, 't07_penal', rows, thatDay), parts.mapping)
  }

  it('shows what comes of its rows', async () => {
    const text = await trialOf(xingwanMapping())
    for (const part of shownTrial.split('…\n')) expect(text).toContain(part.trimEnd())
  })

  it.each(mistakes.map((change, i) => [shownMistakes[i] ?? '', change] as const))(
    'shows what comes of a mistake: %s',
    async (shown, change) => {
      const said = await trialOf(xingwanMapping(change)).catch(error => {
        if (error instanceof ConfigurationError) return error.message
        throw error
      })
      for (const part of shown.split('…\n')) expect(said).toContain(part.trimEnd())
    },
  )

  it('shows each of its texts', () => {
    expect(mistakes.length).toBe(shownMistakes.length)
    expect(mistakes.length).toBeGreaterThan(5)
  })
})

describe('a file of rows', () => {
  const csv = '代码,名称,金额\r\n91,"星湾，“一号”厂",2.50\r\n92,"两\n行",\r\n'
  const expected = [
    { 代码: '91', 名称: '星湾，“一号”厂', 金额: '2.50' },
    { 代码: '92', 名称: '两\n行', 金额: '' },
  ]

  it.each([
    ['UTF-8', Buffer.from(csv)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${csv}`)],
    ['UTF-16, little end first', Buffer.from(`\ufeff${csv}`, 'utf16le')],
    ['UTF-16, big end first', Buffer.from(`\ufeff${csv}`, 'utf16le').swap16()],
    ['GB18030, as a Chinese Excel writes it', gb18030(csv)],
  ])('is read in %s', (_, bytes) => {
    expect(readRows(bytes)).toEqual(expected)
  })

  it.each(['\t', ';'])('is read with %j between the cells', separator => {
    expect(readRows(Buffer.from(['a', 'b\n1', '2\n'].join(separator)))).toEqual([{ a: '1', b: '2' }])
  })

  it.each([
    ['one object a line', '{"a":"x","b":null}\n\n{"a":"y"}\n', [{ a: 'x', b: null }, { a: 'y' }]],
    ['an array', '[{"a":"x"}]', [{ a: 'x' }]],
    ['one object over several lines', '{\n "a": "x"\n}', [{ a: 'x' }]],
  ])('is read as JSON, %s', (_, text, found) => {
    expect(readRows(Buffer.from(text))).toEqual(found)
  })

  it('gives back every text that was written into it by RFC 4180', () => {
    const cell = fc
      .string({ unit: 'grapheme', maxLength: 12 })
      .filter(text => text.isWellFormed() && !text.includes('\ufeff'))
    const line = (cells: readonly string[]) => cells.map(text => `"${text.replaceAll('"', '""')}"`).join(',')
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), cells => {
        const text = [['甲', '乙'], ...cells].map(line).join('\r\n')
        expect(readRows(Buffer.from(text))).toEqual(cells.map(([甲, 乙]) => ({ 甲, 乙 })))
      }),
    )
  })

  it('keeps every digit of a number', () => {
    expect(readRows(Buffer.from('[{"a": 914403001922038216, "b": 2.50, "c": 1e3}]'))).toEqual([
      { a: '914403001922038216', b: '2.50', c: '1e3' },
    ])
  })

  it.each([
    ['without rows', 'a,b\n', /没有数据行\n.*no rows/],
    ['with a column named twice', 'a,a\n1,2\n', /列名 a 重复\n.*column a stands twice/],
    ['with a row of another length', 'a,b\n1\n', /第 2 行\n.*line 2/],
    ['with a quote that does not end', 'a,b\n"1,2\n', /第 2 行\n.*[Qq]uote.*line 2/],
    ['with a line that is no JSON', '{"a":1}\n{"a":\n', /第 2 行不是 JSON\n.*line 2 is no JSON/],
    ['with an object in a cell', '[{"a":{"b":1}}]', /第 1 行 a：不是.*\n.*row 1 a is no row/],
    ['with a value in the place of a row', '[{"a":1},2]', /第 2 行：不是.*\n.*row 2 is no row/],
    [
      'that is a workbook',
      Buffer.from([0x50, 0x4b, 3, 4, 0xff, 0xff, 0xff]),
      /文件编码.*\n.*neither UTF-8 nor GB18030/,
    ],
  ])('%s is refused with the place, a line in each language', (_, text, says) => {
    expect(() => readRows(Buffer.from(text))).toThrow(says)
  })
})

/** GB18030 of two bytes a character, by asking the decoder for every pair. */
function gb18030(text: string): Buffer {
  const decoder = new TextDecoder('gb18030')
  const bytes = new Map<string, readonly number[]>()
  for (let a = 0x81; a <= 0xfe; a++) {
    for (let b = 0x40; b <= 0xfe; b++) bytes.set(decoder.decode(Uint8Array.of(a, b)), [a, b])
  }
  return Buffer.from(
    [...text].flatMap(character => (character < '\x80' ? character.charCodeAt(0) : (bytes.get(character) ?? []))),
  )
}

describe('a row', () => {
  it('that may leave is shown as it leaves, and back as it was', async () => {
    expect(await tried({})).toMatchObject({
      outcome: 'given',
      subject: '91999907XXXXXX019T',
      shared: {
        family: 'penalty',
        fields: { fine: { amount: '25000', currency: 'CNY', unit: '1' }, kinds: { codes: ['01', '02'] } },
      },
      notTranslated: [],
      masked: [],
      changed: [],
      back: { table: 't07_penal', columns: { cash_w: '2.5', area: '999907000000', jiguan_code: '11999907mb0000012x' } },
    })
  })

  it.each([
    ['repaired', { zt: '2' }, 'record.ended'],
    ['in a state that the list does not have', { zt: '9' }, 'record.ended'],
    ['past its publicity', { open_to: '2026.11.21' }, 'record.publicity'],
    ['about a person', { who_sort: '3' }, 'record.person'],
    ['of a kind that the list does not have', { who_sort: '7' }, 'record.person'],
    ['not public', { is_public: '1' }, 'agreement.share-level'],
    ['with a wrong check character', { who_code: '91999907XXXXXX0199' }, 'subject.check'],
    ['of an institution', { who_code: completeUscc('12999907XXXXXX01') }, 'subject.kind'],
  ])('%s is refused by its rule', async (_, change, rule) => {
    expect(await tried(change)).toMatchObject({ outcome: 'refused', rule: { code: rule } })
  })

  it('under objection leaves with its mark', async () => {
    expect(await tried({ zt: '4' })).toMatchObject({ outcome: 'given', marks: expect.arrayContaining(['objection']) })
  })

  it.each([
    ['without a code', { who_code: '暂无' }, 'subject.malformed'],
    ['with the number of a person for a code', { who_code: '110101199003077758' }, 'subject.person'],
  ])('%s is refused, and no number is shown', async (_, change, rule) => {
    const row = await tried(change)
    expect(row).toMatchObject({ outcome: 'refused', rule: { code: rule } })
    expect(row.subject).toBeUndefined()
    expect(JSON.stringify(row)).not.toContain('110101199003077758')
  })

  it.each([
    ['with an empty key', { who_code: '' }, 'no-key'],
    ['with 17 zeros and X', { who_code: '00000000000000000X' }, 'no-key'],
    ['with a letter glued to its code', { who_code: '91999907XXXXXX019TA' }, undefined],
    ['that is a draft', { draft: '1' }, 'condition'],
  ])('%s is found by no question', async (_, change, unread) => {
    const row = await tried(change)
    expect(row.outcome).not.toBe('given')
    if (unread !== undefined) expect(row.unread).toBe(unread)
  })

  it.each([
    '91999907xxxxxx019t',
    '９１９９９９０７ＸＸＸＸＸＸ０１９Ｔ',
    '91999907XXXXXX019T\u00a0',
    '9199 9907 XXXXXX 019T',
    '代码：91999907XXXXXX019T（1/1）',
  ])('with its code as %j is found', async who_code =>
    expect(await tried({ who_code })).toMatchObject({ outcome: 'given', subject: '91999907XXXXXX019T' }),
  )

  it('with an organisation code alone is found by the firm of another row, or by a code made up around it', async () => {
    const mapping = compiled(
      xingwanMapping({ tables: { t07_penal: { key: { forms: ['code', 'organisation-hyphen'] } } } }),
    )
    const alone = { ...good, who_code: 'XXXXXX01-9', paper_no: '2' }
    const both = await tryRows(mapping, 't07_penal', [good, alone], thatDay)
    expect(both.rows.map(({ subject }) => subject)).toEqual(['91999907XXXXXX019T', '91999907XXXXXX019T'])
    expect(await tried(alone, mapping)).toMatchObject({ madeUp: true, outcome: 'given' })
  })

  it('of which a newer version is there is told apart from it, whichever comes first', async () => {
    const newer = { ...good, seq: '2', zt: '2' }
    for (const order of [
      [good, newer],
      [newer, good],
    ]) {
      const found = (await tryRows(xingwan, 't07_penal', order, thatDay)).rows
      expect(found[order.indexOf(good)]).toMatchObject({ outcome: 'unread', unread: 'version' })
      expect(found[order.indexOf(newer)]).toMatchObject({ outcome: 'refused', rule: { code: 'record.ended' } })
    }
  })

  it('with a personal number in a text shows it nowhere', async () => {
    const row = await tried({ jieguo: '罚款，身份证110101199003077758，电话13800138000' })
    expect(row.masked).toEqual(['content'])
    expect(JSON.stringify(row)).not.toMatch(/110101199003077758|13800138000/)
  })

  it('with a personal number in any column that is read shows it nowhere', async () => {
    const readable = [
      'who_name',
      'paper_no',
      'act',
      'law',
      'sorts',
      'jieguo',
      'made_on',
      'open_to',
      'jiguan',
      'jiguan_code',
      'area',
    ]
    const words = fc.string({ unit: fc.constantFrom(...'罚款没收，。（）市局人'), maxLength: 8 })
    const number = fc.constantFrom('110101199003077758', '13800138000', '440301198001010012')
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...readable), words, number, words, async (column, before, digits, after) => {
        expect(JSON.stringify(await tried({ [column]: `${before}${digits}${after}` }))).not.toContain(digits)
      }),
      { numRuns: 60 },
    )
  })

  it('with words of several meanings, or of none, says so with the original', async () => {
    expect((await tried({ sorts: '没收' })).notTranslated).toEqual([
      { field: 'kinds', zh: '处罚类别', original: '没收', codes: ['03', '09'] },
    ])
    const unknown = await tried({ sorts: '责令改正', made_on: '2026年5月' })
    expect(unknown.notTranslated).toMatchObject([
      { field: 'kinds', original: '责令改正', codes: [] },
      { field: 'decided', original: '2026年5月', codes: [] },
    ])
    expect(unknown.changed).toContainEqual({ column: 'sorts', zh: '处罚种类', was: '责令改正', now: null })
  })

  it('is translated by the meaning that its word had on its day', async () => {
    const kinds = async (made_on: string) => (await tried({ sorts: '其他', made_on })).shared?.fields['kinds']
    expect(await kinds('2021.07.15')).toEqual({ codes: ['07'], original: '其他' })
    expect(await kinds('2021.07.14')).toMatchObject({ ambiguous: true })
  })
})

describe('columns', () => {
  it('that the mapping does not know, and those that the rows lack, are named', async () => {
    const columns = Object.entries(good).filter(([column]) => column !== 'sent_at')
    const row = { ...Object.fromEntries(columns), boss_id: '1', surprise: '2' }
    const { unknown, lacking } = await tryRows(xingwan, 't07_penal', [row], thatDay)
    expect([unknown, lacking]).toEqual([['surprise'], ['sent_at']])
  })
})

describe.each(cityNames)('the rows of %s', city => {
  const database = cityDatabase(city)
  afterAll(() => database.close())

  it('that the trial finds are those that a question finds in the city’s own databases', async () => {
    const { file, text } = mappingFile(city)
    const parts = compiled(text, file)
    const subjects = new Set<string>()
    const tried = new Set<string>()
    for (const [name, { table, source }] of parts.mapping.tables) {
      const held = demoTables(city).filter(each => each.table === table && each.source === source)
      for (const { columns, rows } of held) {
        const texts = rows.map(row =>
          Object.fromEntries(Object.keys(columns).map(column => [column, textOf(row[column])])),
        )
        for (const { subject, outcome, rule, unread, shared } of (await tryRows(parts, name, texts, Date.now())).rows) {
          expect([outcome === 'refused', outcome === 'unread']).toEqual([rule !== undefined, unread !== undefined])
          if (outcome === 'unread' || subject === undefined) continue
          subjects.add(subject)
          tried.add(shared?.id ?? 'person')
        }
      }
    }
    expect(subjects.size).toBeGreaterThan(3)
    const asked = await Promise.all([...subjects].map(subject => database.about(subject)))
    expect(new Set(asked.flat().map(({ id }) => id))).toEqual(tried)
  })
})

/** A cell as a database says it. */
function textOf(cell: Parameters<typeof cellText>[0]): string | null {
  const value = cellText(cell)
  return value === null ? null : String(value)
}

describe('the command', () => {
  const write = (name: string, text: string | Buffer) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const cli = join(import.meta.dirname, '../src/cli.ts')
  const run = (...words: string[]) => {
    const { promise, resolve } = Promise.withResolvers<{ code: number; out: string; err: string }>()
    execFile(process.execPath, [cli, 'try', ...words], { cwd: folder }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
    return promise
  }
  const mapping = write('xingwan.json', xingwanMapping())
  const penal = write('penal.csv', gb18030(xingwanRows))

  it('finds the table by its columns and shows every row in both languages', async () => {
    const { code, out, err } = await run('--mapping', mapping, '--rows', penal)
    expect([code, err]).toEqual([0, ''])
    for (let row = 1; row <= rows.length; row++) expect(out).toContain(`第 ${row} 行 row ${row}`)
    expect(out).toMatch(/t07_penal → 行政处罚 penalty/)
  })

  it('tells machines the same', async () => {
    const { code, out } = await run('--mapping', mapping, '--rows', penal, '--table', 't07_penal', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      trials: [{ city: 'xingwan', table: 't07_penal', rows: { length: rows.length } }],
    })
  })

  it('names every fault of the mapping at once, with its path and what to do', async () => {
    const faulty = write(
      'faulty.json',
      xingwanMapping({
        tables: { t07_penal: { columns: { score: '得分' }, fields: { fine: { unit: 'yuan', column: 'nowhere' } } } },
        codes: { sorts: { write: [] } },
      }),
    )
    const { code, err } = await run('--mapping', faulty, '--rows', penal)
    expect(code).toBe(1)
    for (const path of ['tables.t07_penal.columns.score', 'tables.t07_penal.columns', 'codes.sorts.write'])
      expect(err).toContain(`at ${path}: `)
    const json = await run('--mapping', faulty, '--rows', penal, '--json')
    const { ok, faults } = JSON.parse(json.out)
    expect([json.code, ok]).toEqual([1, false])
    for (const { path, problem, remedy } of faults)
      expect([path, problem, remedy].every(text => text !== '')).toBe(true)
  })

  it.each([
    ['without rows', ['--mapping', 'xingwan.json'], 2, /--rows is missing/],
    [
      'with a file that is not there',
      ['--mapping', 'xingwan.json', '--rows', 'nowhere.csv'],
      1,
      /nowhere\.csv.*\n提示：没有此文件或目录.*\nhint: there is no such file or folder/,
    ],
    [
      'with a table that is not there',
      ['--mapping', 'xingwan.json', '--rows', 'penal.csv', '--table', 't99'],
      1,
      /^映射中没有表 t99\nthe mapping has no table t99\n提示：映射中的表：.*t07_penal.*\nhint: there are: .*t07_penal/,
    ],
    [
      'with columns of no table',
      ['--mapping', 'xingwan.json', '--rows', 'other.csv'],
      1,
      /no table of the mapping has these columns/,
    ],
    [
      'with words too many',
      ['penal.csv', '--mapping', 'xingwan.json', '--rows', 'penal.csv'],
      2,
      /unexpected: penal\.csv/,
    ],
  ])('%s says what is wrong', async (_, words, code, says) => {
    write('other.csv', 'x,y\n1,2\n')
    const ended = await run(...words)
    expect(ended.code).toBe(code)
    expect(ended.err).toMatch(says)
  })

  it('leaves nothing of the rows behind on disk', async () => {
    const before = readdirSync(tmpdir()).filter(
      name => name.startsWith('xinqiao-try-') && !name.startsWith('xinqiao-try-test'),
    )
    await run('--mapping', mapping, '--rows', penal)
    const after = readdirSync(tmpdir()).filter(
      name => name.startsWith('xinqiao-try-') && !name.startsWith('xinqiao-try-test'),
    )
    expect(after).toEqual(before)
  })
})
