/** How many rows of each table no question can find, counted before the first question: to whom they belong they would read as "no records". */
import { ConfigurationError } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { CompiledMapping } from '#schema/mapping.ts'
import { countKeys, type KeyCount } from '#source/keys.ts'
import type { Settings } from './settings.ts'
import { openSources } from './sources.ts'

/** A table of the mapping with its count; or why it could not be counted, in Chinese and English. */
export type TableKeys = { readonly table: string; readonly zh: string; readonly source: string } & (
  | { readonly count: KeyCount }
  | { readonly uncounted: string }
)

/** Counts every table, in the order of the mapping. Never throws for a database that is not at hand. */
export async function countTables(sources: Settings['sources'], mapping: CompiledMapping): Promise<TableKeys[]> {
  const tables = [...mapping.tables.values()]
  const opened = openOrFault(sources, mapping)
  if (typeof opened === 'string') {
    return tables.map(({ name, zh, source }) => ({ table: name, zh, source, uncounted: opened }))
  }
  try {
    const counted: TableKeys[] = []
    for (const table of tables) {
      const head = { table: table.name, zh: table.zh, source: table.source }
      const source = opened.find(({ name }) => name === table.source)
      if (source === undefined) continue
      try {
        counted.push({ ...head, count: await countKeys(source, table) })
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const { zh, en } = error.public
        counted.push({ ...head, uncounted: `${zh} ${en}` })
      }
    }
    return counted
  } finally {
    await Promise.all(opened.map(source => source.close()))
  }
}

function openOrFault(sources: Settings['sources'], mapping: CompiledMapping): ReturnType<typeof openSources> | string {
  try {
    return openSources(sources, mapping)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
}

/** The counts as text for a person: a line for each table of which something is not found, and one for all the others. */
export function describeCounts(tables: readonly TableKeys[]): string {
  const lines = tables.flatMap(each => {
    const said = saidOf(each)
    return said === undefined ? [] : [`  ${said.mark} ${each.zh} ${each.table}: ${said.text}`]
  })
  const whole = tables.flatMap(each => ('count' in each && each.count.without === 0 ? [each.count] : []))
  const spelled = whole.reduce((sum, count) => sum + count.spelled, 0)
  const otherwise = spelled === 0 ? '' : `，其中 ${spelled} 行以其他写法 ${spelled} of them in another spelling`
  return [
    '主体代码 subject codes',
    ...lines,
    ...(whole.length === 0
      ? []
      : [`  ✓ ${whole.length} 张表的每一行都能查到 every row of ${whole.length} tables can be found${otherwise}`]),
  ].join('\n')
}

function saidOf(each: TableKeys): { readonly mark: string; readonly text: string } | undefined {
  if ('uncounted' in each) {
    const text = '无法计数，查不到的行有多少未知 cannot be counted: how many rows no question finds is unknown'
    return { mark: '?', text: `${text}: ${each.uncounted}` }
  }
  const { rows, spelled, without } = each.count
  if (without === 0) return undefined
  const said = [
    `${rows} 行 rows`,
    `${without} 行没有合格的企业代码，任何查询都查不到 hold no well-formed code of an enterprise, and no question finds them`,
    ...(spelled === 0 ? [] : [`${spelled} 行以其他写法查到 are found by another spelling`]),
  ]
  return { mark: '!', text: said.join(' · ') }
}
