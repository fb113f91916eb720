/** What a gateway goes by changes whole or not at all while it runs, and a question keeps the city that it began with. */
import type { Logger } from 'pino'
import type { City } from '#exchange/city.ts'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import type { Sources } from '#source/source.ts'
import { type Meaning, type Places, readMeaning } from './configuration.ts'
import type { Configured } from './configured.ts'

/** What of a city does not depend on the files that are taken up anew; members and keys see to themselves. */
export type Lasting = Omit<City, 'agreements' | 'vocabulary' | 'mapping' | 'measures' | 'sources'>

/** Of every file by its path, as `Meaning` has them. */
type Digests = Meaning['digests']

/** Which configuration holds, and what became of the last attempt to take up another. */
export type Standing = {
  /** Digest of the digests of all files. */
  readonly digest: string
  readonly digests: Digests
  /** Epoch milliseconds. */
  readonly since: number
  /** Why the files as they are on disk were not taken, where the last attempt failed. */
  readonly refused?: string
}

export type Running = AsyncDisposable & {
  /** The city as of now: taken once for a question, and kept to its end. */
  readonly city: () => City
  readonly standing: () => Standing
  /** What counts as unusual use by the configuration that holds. */
  readonly unusual: () => Meaning['unusual']
  /**
   * Reads the files anew and takes them up; gives the paths of those that differ, none where all are as they were. Throws
   * ConfigurationError, and whatever keeps it from being read or recorded: then everything stays as it was, and the log says why.
   * `brought` gives the folder where they lie from now on, where that is another than before; it is called when no other is read.
   */
  reload(brought?: () => string | undefined): Promise<readonly string[]>
}

/** By when a question that began under the configuration before is answered or cut off; milliseconds. */
const LINGER = 180_000

/**
 * Begins with `first`. `open` opens the databases that a mapping reads; one that is no longer read is closed when no question
 * can be left that uses it. Every configuration is in the ledger before it holds: `configured` is for the one process of a
 * gateway that says so for all of them.
 */
export async function openCity(
  places: Places,
  lasting: Lasting,
  first: Meaning,
  open: (meaning: Meaning) => Sources,
  log: Logger,
  configured: Configured | undefined,
): Promise<Running> {
  const lingering = new Map<Sources, NodeJS.Timeout>()
  const built = ({ agreements, vocabulary, mapping, measures }: Meaning, sources: Sources): City => ({
    ...lasting,
    agreements,
    vocabulary,
    mapping,
    measures,
    sources,
  })
  const standingOf = ({ digests }: Meaning): Standing => ({ digest: digest(digests), digests, since: lasting.now() })

  const sources = open(first)
  try {
    await configured?.record(first.digests, differing(await configured.newest(), first.digests))
  } catch (fault) {
    await sources.close()
    throw fault
  }
  let city = built(first, sources)
  let standing = standingOf(first)
  let unusual = first.unusual
  let last: Promise<unknown> = Promise.resolve()

  let meaningIn = places.meaning
  const takeUp = async (brought: () => string | undefined): Promise<readonly string[]> => {
    const faults: Fault[] = []
    const folder = brought()
    const meaning = readMeaning({ ...places, meaning: folder }, lasting.members, lasting.keys(), lasting.now(), faults)
    if (meaning === undefined) throw new ConfigurationError(faults)
    const changed = differing(standing.digests, meaning.digests)
    // An agreement may rest or rise with nothing changed but the roll, so the new reading is taken in any case.
    // Databases that are read as before are not opened anew: each reload would keep two sets of them for minutes.
    const isSame = changed.every(path => !path.startsWith('mappings/') && !path.startsWith('vocabulary/'))
    const sources = isSame ? city.sources : open(meaning)
    try {
      if (changed.length > 0) await configured?.record(meaning.digests, changed)
    } catch (fault) {
      if (!isSame) await sources.close()
      throw fault
    }
    const before = city.sources
    meaningIn = folder
    city = built(meaning, sources)
    standing = standingOf(meaning)
    unusual = meaning.unusual
    if (!isSame) lingering.set(before, setTimeout(() => void letGo(before), LINGER).unref())
    log.info({ changed, digest: standing.digest }, 'configuration taken up')
    return changed
  }
  const letGo = async (sources: Sources) => {
    clearTimeout(lingering.get(sources))
    lingering.delete(sources)
    await sources.close().catch((error: unknown) => log.warn({ err: error }, 'while closing a source'))
  }
  return {
    city: () => city,
    standing: () => standing,
    unusual: () => unusual,
    async reload(brought = () => meaningIn) {
      // One after the other: who asks while it is being read may have changed a file just after it was read.
      const next = last.then(() => takeUp(brought))
      last = next.catch(() => undefined)
      try {
        return await next
      } catch (error) {
        const refused = error instanceof Error ? error.message : String(error)
        standing = { ...standing, refused }
        log.error({ refused }, 'the configuration on disk is not taken; we go on with the one that we have')
        throw error
      }
    },
    async [Symbol.asyncDispose]() {
      await last
      await Promise.all([city.sources, ...lingering.keys()].map(letGo))
    },
  }
}

/** The paths that stand in one and not in the other, or with another digest. */
function differing(before: Digests, after: Digests): string[] {
  const paths = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...paths].filter(path => before[path] !== after[path]).sort()
}
