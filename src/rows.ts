/** Rows out of a file as a city exports it: JSON lines, a JSON array or CSV, in UTF-8, UTF-16 or GB18030; every cell becomes its text. */
import { CsvError, parse } from 'csv-parse/sync'
import { z } from 'zod'
import type { LocalRow } from '#schema/text.ts'
import { Failure } from './words.ts'

/** What a database's text of a value would be: numbers keep every digit that stands in the file. */
const Cell = z.union([z.string(), z.null(), z.boolean().transform(String), z.undefined().transform(() => null)])
/** What the parser says of a number beside its value. */
const Source = z.object({ source: z.string() })
const Rows = z.array(z.record(z.string(), Cell))

/**
 * Reads rows from the bytes of a file. A byte order mark decides the encoding; without one it is UTF-8, and what is no UTF-8 is
 * GB18030 (GB 18030-2022), as a Chinese Excel writes CSV. What begins with `[` or `{` is JSON, all else CSV (RFC 4180) with names in the
 * first line, between commas, tabs or semicolons. Throws Failure for anything else, with the line where there is one.
 */
export function readRows(bytes: Uint8Array): readonly LocalRow[] {
  const text = decoded(bytes)
  const start = text.trimStart().charAt(0)
  const rows = start === '[' || start === '{' ? jsonRows(text) : csvRows(text)
  if (rows.length === 0)
    throw new Failure(
      { zh: '文件里没有数据行', en: 'the file has no rows' },
      { zh: '至少导出一行', en: 'export at least one row' },
    )
  return rows
}

function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes)
    } catch {}
  }
  throw new Failure(
    {
      zh: '文件编码既不是 UTF-8 也不是 GB18030',
      en: 'the encoding of the file is neither UTF-8 nor GB18030',
    },
    {
      zh: '另存为 CSV UTF-8；不能读取工作簿（.xlsx）',
      en: 'save it as CSV UTF-8; a workbook (.xlsx) is not read',
    },
  )
}

function jsonRows(text: string): readonly LocalRow[] {
  const whole = parsed(text)
  const values = whole === undefined ? lines(text) : Array.isArray(whole) ? whole : [whole]
  const rows = Rows.safeParse(values)
  if (rows.success) return rows.data
  const [row = 0, column = ''] = rows.error.issues[0]?.path ?? []
  const [line, at] = [Number(row) + 1, column === '' ? '' : ` ${String(column)}`]
  throw new Failure(
    {
      zh: `第 ${line} 行${at}：不是由文本、数字和 null 组成的一行`,
      en: `row ${line}${at} is no row of texts, numbers and nulls`,
    },
    { zh: '每行为一个对象：列名对应值', en: 'a row is an object: column to value' },
  )
}

/** One value a line; empty lines are passed over. */
function lines(text: string): unknown[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return []
    const value = parsed(line)
    if (value === undefined)
      throw new Failure(
        { zh: `第 ${i + 1} 行不是 JSON`, en: `line ${i + 1} is no JSON` },
        { zh: '每行写一个对象，或整个写成对象的数组', en: 'write one object a line, or one array of objects' },
      )
    return [value]
  })
}

/** Undefined where the text does not parse. A number becomes the digits that stand there: 18 of them do not fit a double. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text, (_: string, value: unknown, ...[context]: readonly unknown[]) =>
      typeof value === 'number' ? Source.parse(context).source : value,
    )
  } catch {
    return undefined
  }
}

function csvRows(text: string): readonly LocalRow[] {
  const [head = ''] = text.split(/\r?\n/, 1)
  const delimiter = [',', '\t', ';'].find(each => head.includes(each)) ?? ','
  try {
    const rows: unknown = parse(text, { delimiter, columns: names, skip_empty_lines: true, bom: true })
    return Rows.parse(rows)
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const { lines } = error
    throw new Failure(
      {
        zh: `CSV 格式有误${typeof lines === 'number' ? `：第 ${lines} 行` : ''}`,
        en: `the CSV is not well formed: ${error.message}`,
      },
      { zh: '重新导出；单元格内的引号要写成两个', en: 'export it again; quotes inside a cell are doubled' },
    )
  }
}

function names(head: readonly string[]): string[] {
  const clean = head.map(name => name.trim())
  const twice = clean.find((name, i) => clean.indexOf(name) !== i)
  if (twice !== undefined)
    throw new Failure(
      { zh: `第一行中列名 ${twice} 重复`, en: `the column ${twice} stands twice in the first line` },
      { zh: '每一列各用不同的列名', en: 'give every column its own name' },
    )
  return clean
}
