/** `xinqiao try`: a mapping tried on exported rows, row by row, before any gateway uses it. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigurationError } from '#protocol/fault.ts'
import type { Said } from '#protocol/said.ts'
import type { MappingForm } from '#schema/format.ts'
import type { LocalRow } from '#schema/text.ts'
import type { Trial } from './trial.ts'
import { type Command, type Exit, Failure, needed, optional, optionsAlone } from './words.ts'

export const tryCommand: Command = {
  usage: ['try --mapping FILE --rows FILE [--table NAME] [--vocabulary FOLDER] [--json]'],
  zh: '用导出的数据行试转换映射文件：逐行显示转出、未转换、遮盖、拒绝和转回的内容',
  en: 'try a mapping on exported rows: what comes out of each, what does not, and what comes back',
  more: `  --mapping FILE   映射文件 the city’s mapping (docs/mapping.md)
  --rows FILE      数据行：JSON 数组、每行一个 JSON 对象，或 CSV（UTF-8 或 GB18030，首行为列名）
                   rows: a JSON array, one JSON object a line, or CSV (UTF-8 or GB18030, names in the first line)
  --table NAME     映射中的表名；省略时按列名选定 the table’s name in the mapping; else that whose columns the rows have
  --vocabulary FOLDER  词汇目录，默认为映射文件旁的 ../vocabulary the vocabulary; default: ../vocabulary beside the mapping, or the shipped
  文件只在本机读取；自然人的行不显示内容 The files are read on this machine only; of a row about a person nothing is shown

例 example:
  xinqiao try --mapping federation-config/mappings/jimo.json --rows cf.csv --table SGS_XZCF-2018`,
  run,
}

async function run(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const values = optionsAlone(words, {
    mapping: option,
    rows: option,
    table: option,
    vocabulary: option,
    json: { type: 'boolean' },
  })
  const file = needed(values, 'mapping')
  const rows = readFileSync(needed(values, 'rows'))
  const json = values['json'] === true
  const { MappingForm } = await import('#schema/format.ts')
  const { readMapping } = await import('#schema/mapping.ts')
  const { readVocabularyIn } = await import('./check.ts')
  const { readRows } = await import('./rows.ts')
  const { tryRows } = await import('./trial.ts')
  const { describeTrial } = await import('./describe-trial.ts')
  try {
    const vocabulary = readVocabularyIn(optional(values, 'vocabulary') ?? vocabularyBeside(file))
    const text = readFileSync(file, 'utf8')
    const mapping = readMapping({ file, text }, vocabulary)
    const form = MappingForm.parse(JSON.parse(text))
    const read = readRows(rows)
    const named = optional(values, 'table')
    if (named !== undefined && !mapping.tables.has(named))
      throw new Failure({ zh: `映射中没有表 ${named}`, en: `the mapping has no table ${named}` }, tablesIn(form))
    const trials: Trial[] = []
    for (const table of named === undefined ? tablesOf(form, read) : [named])
      trials.push(await tryRows({ form, mapping }, table, read, Date.now()))
    console.log(
      json ? JSON.stringify({ ok: true, trials }) : trials.map(trial => describeTrial(trial, mapping)).join('\n\n'),
    )
    return 0
  } catch (error) {
    if (!json || !(error instanceof ConfigurationError)) throw error
    console.log(JSON.stringify({ ok: false, faults: error.faults }))
    return 1
  }
}

function vocabularyBeside(mapping: string): string {
  const beside = join(dirname(mapping), '..', 'vocabulary')
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', 'federation-config', 'vocabulary')
}

function tablesIn({ tables }: MappingForm): Said {
  const names = Object.keys(tables)
  return { zh: `映射中的表：${names.join('、')}`, en: `there are: ${names.join(', ')}` }
}

/**
 * The tables of the mapping that the rows are of: those of the one database table whose columns the rows have more of than of any
 * other. Several tables of a mapping may read one of the database, each its own rows. Throws Failure where two have as many.
 */
function tablesOf(form: MappingForm, rows: readonly LocalRow[]): readonly string[] {
  const present = new Set(rows.flatMap(row => Object.keys(row)))
  const fits = Object.entries(form.tables).map(([name, { table = name, source, columns, ignored }]) => {
    const own = [...new Set([...Object.keys(columns), ...Object.keys(ignored)])]
    const known = own.filter(column => present.has(column)).length
    return { name, database: `${source} ${table}`, known, lacking: own.length - known }
  })
  const [best] = fits.toSorted((a, b) => b.known - a.known || a.lacking - b.lacking)
  if (best === undefined || best.known === 0) {
    const { zh, en } = tablesIn(form)
    throw new Failure(
      { zh: '这些列不属于映射中的任何表', en: 'no table of the mapping has these columns' },
      { zh: `列按列名对应；${zh}`, en: `columns are matched by name; ${en}` },
    )
  }
  const rival = fits.find(
    ({ database, known, lacking }) => database !== best.database && known === best.known && lacking === best.lacking,
  )
  if (rival !== undefined)
    throw new Failure(
      { zh: `${best.name} 和 ${rival.name} 两张表都符合`, en: `the rows fit ${best.name} and ${rival.name}` },
      { zh: '用 --table 指定一张', en: 'name one with --table' },
    )
  return fits.filter(({ database }) => database === best.database).map(({ name }) => name)
}
