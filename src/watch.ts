/** What changes on disk is noticed while the gateway runs, by looking: notices of the system do not cross every mount. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Milliseconds between two looks. */
const EVERY = 1_000

/**
 * Calls `changed` with the names of the places, files or folders, that are not as they were at the last look; at the first
 * look all of them, since whoever read them did so a moment before. One look ends before the next begins, and the next
 * waits for `changed`. `stop` lets the last one end.
 */
export function watch<Name extends string>(
  places: Readonly<Record<Name, string>>,
  changed: (names: ReadonlySet<Name>) => Promise<void>,
): { readonly stop: () => Promise<void> } {
  const seen = new Map<Name, string>()
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> = look()

  async function look(): Promise<void> {
    const different = new Set<Name>()
    for (const name of namesOf(places)) {
      const now = await appearance(places[name])
      if (seen.get(name) !== now) different.add(name)
      seen.set(name, now)
    }
    if (different.size > 0) await changed(different)
    if (!stopped) timer = setTimeout(() => (looking = look()), EVERY).unref()
  }
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await looking
    },
  }
}

function namesOf<Name extends string>(places: Readonly<Record<Name, string>>): Name[] {
  const names: Name[] = []
  for (const name in places) names.push(name)
  return names
}

/** Names, sizes and times of what is there; a file that is replaced by one of the same length has another time. */
async function appearance(path: string): Promise<string> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) return `${found.mtimeMs} ${found.size} ${found.ino}`
    const inside = (await readdir(path)).sort()
    const each = await Promise.all(inside.map(async name => `${name} ${await fileAppearance(join(path, name))}`))
    return each.join('\n')
  } catch {
    return 'absent'
  }
}

async function fileAppearance(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return 'absent'
  }
}
