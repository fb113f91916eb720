/** One running gateway: everything is read and checked before the first port opens, and ended in the reverse order. */
import { randomUUIDv7 } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import { type AddressInfo, Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { type Logger, pino } from 'pino'
import { type Agreements, readAgreements } from '#agreement/agreement.ts'
import { quotas } from '#agreement/quota.ts'
import type { City } from '#exchange/city.ts'
import { openPost } from '#exchange/post.ts'
import { openLedger } from '#ledger/sqlite.ts'
import { startOfDay } from '#protocol/day.ts'
import { type ConfigFile, ConfigurationError, type Fault } from '#protocol/fault.ts'
import { type CompiledMapping, readMapping } from '#schema/mapping.ts'
import { readVocabulary, type Vocabulary } from '#schema/vocabulary.ts'
import { gather } from '#source/source.ts'
import { openPostgres, openSqlite } from '#source/sql.ts'
import { openDepartments } from '#trust/departments.ts'
import { type Keys, readKeys } from '#trust/keys.ts'
import { jsonFiles, type Member, type Members, provePeer, readMembers } from '#trust/members.ts'
import { openMetrics } from './metrics.ts'
import type { Settings } from './settings.ts'
import { inside, noting, outside, type Surface } from './surface.ts'

/** What the files say, checked; shared by `serve` and `check`. */
export type Configuration = {
  readonly members: Members
  readonly us: Member
  readonly vocabulary: Vocabulary
  readonly mapping: CompiledMapping
  readonly agreements: Agreements
}

/**
 * Reads the configuration and, where a folder of keys is named, the keys. Throws ConfigurationError with every fault of
 * every file at once. `now` is epoch milliseconds.
 */
export async function readConfiguration(
  { city, config, certs, keys: keyFolder }: { city: string; config: string; certs: string; keys: string },
  now: number,
): Promise<Configuration & { readonly keys: Keys }> {
  const faults: Fault[] = []
  const collect = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      faults.push(...error.faults)
      return undefined
    }
  }
  const { members, us, keys } = await readIdentity({ city, config, certs, keys: keyFolder }, now, faults)
  const vocabulary = collect(() => readVocabulary(filesOf(config, 'vocabulary')))
  const file = `mappings/${city}.json`
  const mapping = vocabulary && collect(() => readMapping(fileOf(config, file), vocabulary))
  const agreements = vocabulary && readAgreements(config, city, members, vocabulary, now, faults)
  if (
    faults.length > 0 ||
    us === undefined ||
    mapping === undefined ||
    agreements === undefined ||
    keys === undefined
  ) {
    throw new ConfigurationError(faults)
  }
  return { members, us, vocabulary: mapping.vocabulary, mapping, agreements, keys }
}

/** Who belongs, who we are among them, and our keys: all that signing an agreement needs. Pushes to `faults`. */
export async function readIdentity(
  { city, config, certs, keys: keyFolder }: { city: string; config: string; certs: string; keys: string },
  now: number,
  faults: Fault[],
) {
  const members = await readMembers(config, certs, faults)
  const us = members.find(city)
  if (us === undefined) {
    faults.push({
      file: `members/${city}.json`,
      path: '',
      problem: 'our own city is not a member',
      remedy: 'Set XINQIAO_CITY to the id of a member, or add its file',
    })
  }
  return { members, us, keys: us && (await readKeys(keyFolder, us, members, now, faults)) }
}

function filesOf(config: string, folder: string): ConfigFile[] {
  return jsonFiles(join(config, folder)).map(name => fileOf(config, `${folder}/${name}`))
}

function fileOf(config: string, file: string): ConfigFile {
  const path = join(config, file)
  if (!existsSync(path)) {
    throw new ConfigurationError([
      { file, path: '', problem: 'there is no such file', remedy: 'Put it there; `xinqiao init` makes a first one' },
    ])
  }
  return { file, text: readFileSync(path, 'utf8') }
}

export type Gateway = AsyncDisposable & {
  readonly city: City
  /** Base addresses, with the ports that were really bound. */
  readonly peersUrl: string
  readonly insideUrl: string
  /** Stops taking questions, answers those in hand, then lets go of ledger, sources and peers. */
  close(): Promise<void>
}

/** Starts a gateway. Throws ConfigurationError, or the error that keeps a port from opening. */
export async function startGateway(settings: Settings, log: Logger = logger(settings)): Promise<Gateway> {
  const now = Date.now
  const { members, vocabulary, mapping, agreements, keys } = await readConfiguration(settings, now())
  await using opened = new AsyncDisposableStack()
  const metrics = openMetrics()
  const note = noting(log, metrics)
  const ledger = opened.adopt(openLedger(join(settings.data, 'ledger.sqlite'), settings.city), each => each.close())
  const sources = opened.adopt(gather([openSource(settings.source, mapping)]), each => each.close())
  const post = opened.adopt(openPost(keys, members, now, settings.peerTimeout), each => each.close())
  const since = new Date(startOfDay(now())).toISOString()
  const spent = new Map(
    await Promise.all(members.all.map(async ({ id }) => [id, await ledger.subjectsSince(id, since)] as const)),
  )
  const city: City = {
    id: settings.city,
    members,
    agreements,
    vocabulary,
    mapping,
    quotas: quotas(now, (agreement, peer) => spent.get(peer)?.get(agreement) ?? 0),
    sources,
    ledger,
    signer: keys.signer,
    post,
    now,
    seen: (peer, jti) => ledger.seen(peer, jti),
    newJti: randomUUIDv7,
    note,
  }
  const cities = new WeakMap<Socket, string>()
  const parts = {
    city,
    keys,
    departments: openDepartments(join(settings.data, 'departments.json')),
    metrics,
    log,
    cityOf: (socket: Socket) => cities.get(socket),
  }
  const peers = opened.adopt(peerServer(outside(parts), keys, members), stop)
  peers.on('secureConnection', (socket: TLSSocket) => {
    try {
      cities.set(socket, provePeer(socket.getPeerCertificate(true), members, now()))
    } catch (error) {
      log.warn({ from: socket.remoteAddress, err: error }, 'connection refused')
      socket.destroy()
    }
  })
  const within = opened.adopt(insideServer(inside(parts), settings), stop)
  await listen(within, settings.insideListen)
  await listen(peers, settings.peersListen)
  const gateway = opened.move()
  const close = () => gateway.disposeAsync()
  return {
    city,
    peersUrl: `https://${address(peers)}`,
    insideUrl: `${settings.insideTls === undefined ? 'http' : 'https'}://${address(within)}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The log: JSON lines on standard output. What names a subject never gets in, whoever forgets it. */
function logger({ city, logLevel }: Settings): Logger {
  // Buffered: a log line is not evidence, the ledger is, and a write for each line costs as much as reading the question.
  const out = pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 1000 })
  return pino(
    {
      level: logLevel,
      base: { city },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['subject', 'subjects', 'uscc', 'matter', '*.subject', '*.subjects', '*.uscc', '*.matter'],
        censor: '…',
      },
    },
    out,
  )
}

function openSource(source: string, mapping: CompiledMapping) {
  const tables = [...mapping.tables.values()]
  return source.startsWith('sqlite:')
    ? openSqlite({ name: 'city', path: source.slice('sqlite:'.length), tables })
    : openPostgres({ name: 'city', url: source, tables })
}

/** Times within which a caller has to have said what it wants to say; a slow one is cut off, not waited for. */
const patience = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 8_192,
}

function peerServer(app: Surface, keys: Keys, members: Members) {
  return createHttps(
    {
      ...patience,
      key: keys.transport.keyPem,
      cert: keys.transport.pem,
      ca: members.anchors.rootsPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: 5_000,
    },
    getRequestListener(app.fetch),
  )
}

function insideServer(app: Surface, { insideTls }: Settings) {
  const listener = getRequestListener(app.fetch)
  if (insideTls === undefined) return createHttp(patience, listener)
  const read = (file: string) => readFileSync(join(insideTls, file))
  try {
    if ((statSync(join(insideTls, 'tls.key')).mode & 0o077) !== 0) throw new Error('others may read tls.key')
    return createHttps({ ...patience, cert: read('tls.pem'), key: read('tls.key'), minVersion: 'TLSv1.2' }, listener)
  } catch (error) {
    throw new ConfigurationError([
      {
        file: 'environment',
        path: 'XINQIAO_INSIDE_TLS',
        problem: error instanceof Error ? error.message : 'cannot be used',
        remedy: 'Put a certificate with its issuers in tls.pem, and its private key, for us alone, in tls.key there',
      },
    ])
  }
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port }, () => {
    server.off('error', reject)
    resolve()
  })
  return promise
}

function address(server: Server): string {
  const { address, port } = server.address() as AddressInfo
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

/** How long a connection may be silent, and how long anything may last, once the gateway ends; milliseconds. */
const SILENCE = 100
const LAST_CALL = 15_000

/**
 * Ends a server without losing a question. Nobody connects any more, and a connection ends with the answer to the next
 * question over it. One without a question is let go only after a while of silence: its next one may be on its way, and
 * http's own `close` would cut it off unread. A caller that stalls is cut off as ever, and after LAST_CALL whoever is left.
 */
async function stop(server: HttpServer | HttpsServer): Promise<void> {
  if (!server.listening) return
  const { promise, resolve } = Promise.withResolvers<void>()
  Server.prototype.close.call(server, () => resolve())
  let heard = true
  server.prependListener('request', (_, response) => {
    heard = true
    response.shouldKeepAlive = false
  })
  const quiet = setInterval(() => {
    if (!heard) server.closeIdleConnections()
    heard = false
  }, SILENCE)
  const last = setTimeout(() => server.closeAllConnections(), LAST_CALL)
  await promise
  clearInterval(quiet)
  clearTimeout(last)
  server.close()
}
