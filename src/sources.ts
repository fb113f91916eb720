/** The databases that the settings name are opened each with the tables that the mapping keeps there, and no table is left without one. */
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import type { CompiledMapping } from '#schema/mapping.ts'
import type { Source } from '#source/source.ts'
import { openPostgres, openSqlite } from '#source/sql.ts'
import type { Settings } from './settings.ts'

/** Opens them; nothing is read yet. Throws ConfigurationError where settings and mapping name different ones. */
export function openSources(sources: Settings['sources'], mapping: CompiledMapping): Source[] {
  const held = Map.groupBy(mapping.tables.values(), table => table.source)
  const fault = (problem: string, remedy: string): Fault => ({
    file: 'environment',
    path: 'XINQIAO_SOURCE',
    problem,
    remedy,
  })
  const faults: Fault[] = []
  for (const name of held.keys()) {
    if (!sources.has(name)) faults.push(fault(`no ${name} is named, where the mapping has tables`, `Add ${name}=URL`))
  }
  for (const name of sources.keys()) {
    if (!held.has(name)) faults.push(fault(`the mapping has no table in ${name}`, 'Correct the name, or remove it'))
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
  return [...sources].map(([name, url]) => {
    const tables = held.get(name) ?? []
    return url.startsWith('sqlite:')
      ? openSqlite({ name, path: url.slice('sqlite:'.length), tables })
      : openPostgres({ name, url, tables })
  })
}
