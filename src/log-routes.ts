/** Whoever may watch a log can: its checkpoint, its tiles and its proofs are served as C2SP says, and nothing of its entries. */
import { hash } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { LOG, SEEN, WITNESS } from '#exchange/gossip.ts'
import { ADD_LIMIT, writeHashes } from '#exchange/witness.ts'
import { readSize } from '#ledger/checkpoint.ts'
import type { Log } from '#ledger/log.ts'
import { TILE_WIDTH, type TilePlace } from '#ledger/tree.ts'
import { refuse } from '#protocol/refusal.ts'
import type { Surface } from './surface.ts'
import type { Transparency } from './transparency.ts'

const TEXT = { 'content-type': 'text/plain; charset=utf-8' }
/** What never changes again may be kept as long as anybody likes; what does, not at all. */
const FOR_EVER = { 'cache-control': 'max-age=31536000, immutable' }
const FRESH = { 'cache-control': 'no-store' }

type Asked = Context<Surface extends Hono<infer E> ? E : never>
/** Throws for whoever may not ask. */
type Admit = (c: Asked) => void

/**
 * Serves our own log, for peers and for ourselves: `/log/checkpoint`, `/log/tile/<L>/<N>[.p/<W>]` (C2SP tlog-tiles) and
 * `/log/proof/inclusion?index=&size=`, `/log/proof/consistency?from=&to=` (the lines of C2SP tlog-witness). Everything else
 * under `/log`, and a proof that there is none of, is `request.path`.
 */
export function serveLog(app: Surface, { log }: Pick<Transparency, 'log'>, admit: Admit): void {
  app.get(`${LOG}/checkpoint`, async c => {
    admit(c)
    const newest = await log.newest()
    if (newest === undefined) throw refuse('request.path', 'no checkpoint yet')
    return c.body(newest.note, 200, { ...TEXT, ...FRESH })
  })
  app.get(`${LOG}/tile/*`, async c => {
    admit(c)
    const wanted = readTilePath(c.req.path.slice(c.req.path.indexOf(`${LOG}/tile/`) + `${LOG}/tile/`.length))
    const tile = wanted && (await log.tile(wanted, wanted.width))
    if (tile === undefined) throw refuse('request.path', 'no such tile')
    return c.body(Uint8Array.from(tile), 200, { 'content-type': 'application/octet-stream', ...FOR_EVER })
  })
  const prove = async (c: Asked, [one, other]: readonly [string, string], work: Log['consistency']) => {
    admit(c)
    const [a, b] = [one, other].map(name => readSize(c.req.query(name) ?? ''))
    if (a === undefined || b === undefined) throw refuse('request.path', `${one} and ${other} are numbers`)
    try {
      return c.body(writeHashes(await work(a, b)), 200, { ...TEXT, ...FOR_EVER })
    } catch (error) {
      if (error instanceof RangeError) throw refuse('request.path', error.message)
      throw error
    }
  }
  app.get(`${LOG}/proof/inclusion`, c => prove(c, ['index', 'size'], log.inclusion))
  app.get(`${LOG}/proof/consistency`, c => prove(c, ['from', 'to'], log.consistency))
}

/**
 * Serves what we witness, to peers: `/witness/add-checkpoint` and `/witness/<origin hash>/checkpoint` of C2SP tlog-witness,
 * `/witness/log/<city>` for the last checkpoint that we cosigned of a city, `/witness/logs` for all of them with our own.
 */
export function serveWitness(app: Surface, { log, witness }: Transparency, admit: Admit): void {
  const tooLong = () => {
    throw refuse('form.size')
  }
  app.post(`${WITNESS}/add-checkpoint`, bodyLimit({ maxSize: ADD_LIMIT, onError: tooLong }), async c => {
    admit(c)
    const { status, type, body } = await witness.add(await c.req.text())
    return c.body(body, status, { 'content-type': type })
  })
  app.get(SEEN, async c => {
    admit(c)
    const others = (await witness.known()).values().flatMap(({ note }) => (note === '' ? [] : [note]))
    return c.json({ own: (await log.newest())?.note ?? null, others: [...others] }, 200, FRESH)
  })
  const cosigned = (note: string | undefined, c: Asked) => {
    if (note === undefined || note === '') throw refuse('request.path', 'no checkpoint of this log was cosigned')
    return c.body(note, 200, { ...TEXT, ...FRESH })
  }
  app.get(`${WITNESS}/log/:city`, async c => {
    admit(c)
    return cosigned((await witness.known()).get(c.req.param('city'))?.note, c)
  })
  app.get(`${WITNESS}/:hash/checkpoint`, async c => {
    admit(c)
    const wanted = c.req.param('hash')
    return cosigned((await witness.known()).values().find(({ origin }) => hash('sha256', origin) === wanted)?.note, c)
  })
}

/** C2SP tlog-tiles, “Merkle Tree”: `<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last with an `x` before them. */
function readTilePath(path: string): (TilePlace & { readonly width: number }) | undefined {
  const [, level = '', n = '', width] =
    /^(0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,4}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path) ?? []
  const digits = n.replaceAll(/[x/]/g, '')
  const place = { level: Number(level), n: Number(digits), width: Number(width ?? TILE_WIDTH) }
  const isCanonical = digits.length === 3 || !digits.startsWith('000')
  return n !== '' && isCanonical && place.level < 64 && (width === undefined || place.width < TILE_WIDTH)
    ? place
    : undefined
}
