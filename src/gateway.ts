/** One running gateway: everything is read and checked before the first port opens, and ended in the reverse order. */
import { randomUUIDv7 } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import { type AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { type Logger, pino } from 'pino'
import { type Counts, countInMemory } from '#agreement/counts.ts'
import { quotas } from '#agreement/quota.ts'
import { THRESHOLDS } from '#console/thresholds.ts'
import { openWorkbench } from '#console/workbench.ts'
import { openAcquaintance } from '#exchange/acquaint.ts'
import type { City } from '#exchange/city.ts'
import { openPost } from '#exchange/post.ts'
import { openLedgerAt, openLogStoreAt } from '#ledger/open.ts'
import { isPostgres } from '#ledger/place.ts'
import { keepRetention } from '#ledger/retention.ts'
import { startOfDay } from '#protocol/day.ts'
import { ConfigurationError } from '#protocol/fault.ts'
import { gather } from '#source/source.ts'
import { openDepartments } from '#trust/departments.ts'
import type { Keys } from '#trust/keys.ts'
import type { Members } from '#trust/members.ts'
import { type NamedProxy, openCallers, readProxy } from '#trust/proxy.ts'
import { readConfiguration } from './configuration.ts'
import { openConfigured } from './configured.ts'
import { openDoor } from './door.ts'
import type { Processes } from './health.ts'
import { openMetrics } from './metrics.ts'
import { openCity, type Running } from './reload.ts'
import { keepCurrent, ROUND } from './renew.ts'
import type { Settings } from './settings.ts'
import { countInPostgres } from './shared-counts.ts'
import { openSources } from './sources.ts'
import { inside, noting, outside, type Parts, type Surface } from './surface.ts'
import { openTransparency, type Transparency } from './transparency.ts'

export type Gateway = AsyncDisposable & {
  /** As it is now; a reload of the configuration makes another. */
  readonly city: City
  readonly reload: Running['reload']
  readonly standing: Running['standing']
  readonly transparency: Transparency
  readonly metrics: () => Promise<readonly object[]>
  /** Base addresses, with the ports that were really bound; empty where this process does not serve that surface. */
  readonly peersUrl: string
  readonly insideUrl: string
  /** Stops taking questions, answers those in hand, then lets go of ledger, sources and peers. */
  close(): Promise<void>
}

/** Which surfaces a process serves, and with whom it shares what is counted against a quota. */
export type Role = {
  /** Peers are served by this process. */
  readonly outside: boolean
  /** Departments, staff and operations are served by this process, and what has to be done once is done by it. */
  readonly inside: boolean
  readonly counts?: Counts
  /** The metrics of the other processes of this gateway, as prom-client gives them. */
  readonly others?: () => Promise<readonly object[]>
  /** How the other processes stand. */
  readonly processes?: () => Processes
  /** Where all that is taken up at a reload lies, where that is not the folder of the configuration. */
  readonly meaning?: string
}

const alone: Role = { outside: true, inside: true }

/**
 * Starts a gateway, or with `role` one of several processes that are one. Throws ConfigurationError, or the error that keeps a
 * port from opening. `round` is the time between two rounds of asking the members for news, in milliseconds.
 */
export async function startGateway(
  settings: Settings,
  log: Logger = logger(settings),
  round: number = ROUND,
  role: Role = alone,
): Promise<Gateway> {
  const now = Date.now
  const places = { ...settings, meaning: role.meaning }
  const read = await readConfiguration(role.inside ? { ...places, keeps: true } : places, now)
  const { members } = read
  await using opened = new AsyncDisposableStack()
  const metrics = openMetrics()
  const note = noting(log, metrics)
  const current = keepCurrent(settings, members, read.keys, log, now, role.inside)
  const ledger = opened.adopt(await openLedgerAt(settings.ledger, settings.city, settings), each => each.close())
  const post = opened.adopt(openPost(current.keys, members, now, settings.peerTimeout), each => each.close())
  const since = new Date(startOfDay(now())).toISOString()
  const spent = new Map(
    await Promise.all(members.all.map(async ({ id }) => [id, await ledger.subjectsSince(id, since)] as const)),
  )
  const shared = isPostgres(settings.ledger) ? opened.use(countInPostgres(settings.ledger)) : undefined
  const counts = shared ?? role.counts ?? countInMemory()
  const acquaintance = openAcquaintance({ id: settings.city, now, note, post, members })
  const transparency = await openTransparency({
    city: settings.city,
    ledger,
    store: opened.use(await openLogStoreAt(settings.ledger)),
    keys: read.keys,
    members,
    post,
    acquaint: acquaintance.acquaint,
    now,
    log,
    metrics,
    inside: role.inside,
  })
  // Several gateways record in one PostgreSQL; in a file nobody does but us.
  const newestNote = isPostgres(settings.ledger) ? undefined : join(settings.data, 'configured')
  const running = opened.use(
    await openCity(
      places,
      {
        id: settings.city,
        members,
        quotas: quotas(now, (agreement, peer) => spent.get(peer)?.get(agreement) ?? 0, counts),
        ledger: transparency.ledger,
        keys: current.keys,
        openers: () => current.keys().openers,
        post,
        now,
        seen: (peer, jti) => ledger.seen(peer, jti),
        acquaint: acquaintance.acquaint,
        newJti: randomUUIDv7,
        note,
      },
      read,
      ({ mapping }) => gather(openSources(settings.sources, mapping)),
      log,
      role.inside ? openConfigured(transparency.ledger, settings.city, now, newestNote) : undefined,
    ),
  )
  const proxy = settings.proxyCertificate === undefined ? undefined : readProxy(settings.proxyCertificate, now())
  const door = openDoor({ turned: why => metrics.turned.inc({ why }) }, now)
  const parts: Parts = {
    running,
    transparency,
    drifts: acquaintance.drifts,
    departments: openDepartments(join(settings.data, 'departments.json')),
    metrics,
    others: role.others,
    processes: role.processes,
    log,
    callers: openCallers(members, proxy, now),
    door,
    workbench: role.inside
      ? opened.use(
          openWorkbench({
            ...settings,
            ...settings.staff,
            unusual: read.unusual,
            ledger,
            registry: metrics.registry,
            log,
            now,
          }),
        )
      : undefined,
  }
  metrics.gauge('xinqiao_questions_in_flight', 'Questions being answered now', () => door.seated)
  metrics.gauge(
    'xinqiao_strangers',
    'Open connections that have not shown the certificate of a member',
    () => door.strangers,
  )
  if (role.inside) metrics.gauge('xinqiao_ledger_entries', 'Entries in the ledger', ledger.count)
  const peers = role.outside ? opened.adopt(peerServer(parts, read.keys, proxy), stop) : undefined
  const within = role.inside ? opened.adopt(insideServer(inside(parts), settings), stop) : undefined
  if (within !== undefined) await listen(within, settings.insideListen)
  if (peers !== undefined) {
    await listen(peers, settings.peersListen)
    current.onKeys(({ transport }) => peers.setSecureContext(secured(transport, members, proxy)))
  }
  opened.adopt(current.begin(acquaintance, round), each => each.stop())
  if (role.inside) {
    const failed = (err: unknown) => log.error({ err }, 'evidence whose days are over was not let go')
    // Not of a ledger that is contradicted: what peers could still hold against it stays.
    opened.use(keepRetention(transparency.ledger, { retentionDays: settings.retentionDays, now, failed }))
  }
  opened.adopt(transparency.begin(round / 4), each => each.stop())
  const gateway = opened.move()
  const close = () => gateway.disposeAsync()
  return {
    get city() {
      return running.city()
    },
    async reload(brought) {
      const changed = await running.reload(brought)
      if (changed.includes(THRESHOLDS)) await parts.workbench?.lookout.goBy(running.unusual())
      return changed
    },
    standing: running.standing,
    transparency,
    metrics: () => metrics.registry.getMetricsAsJSON(),
    peersUrl: peers === undefined ? '' : `https://${address(peers)}`,
    insideUrl:
      within === undefined ? '' : `${settings.insideTls === undefined ? 'http' : 'https'}://${address(within)}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The log: JSON lines on standard output. What names a subject never gets in, whoever forgets it. */
export function logger({ city, logLevel }: Settings): Logger {
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

/** Times within which a caller has to have said what it wants to say; a slow one is cut off, not waited for. */
const patience = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 8_192,
}
/** How long not a byte may go either way over a connection on which an answer is due; milliseconds. */
const SILENT = 30_000

function peerServer(parts: Parts, keys: Keys, proxy: NamedProxy | undefined) {
  const { callers, door, log } = parts
  const { members } = parts.running.city()
  const server = createHttps(
    {
      ...patience,
      ...secured(keys.transport, members, proxy),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: 5_000,
    },
    getRequestListener(outside(parts).fetch),
  )
  // Whoever does not read its answer is not waited for either; node:http sets no bound of its own on that.
  server.setTimeout(SILENT)
  door.guard(server)
  server.on('secureConnection', (socket: TLSSocket) => {
    try {
      const { city, isProxied } = callers.greet(socket)
      // Whoever is no member, or no longer, stays a stranger for the door.
      const isKnown = isProxied || members.find(city) !== undefined
      if (isKnown && !door.accept(socket, city)) socket.destroy()
    } catch (error) {
      log.warn({ from: socket.remoteAddress, err: error }, 'connection refused')
      socket.destroy()
    }
  })
  return server
}

function secured({ keyPem, pem }: Keys['transport'], { anchors }: Members, proxy: NamedProxy | undefined) {
  const ca = proxy === undefined ? anchors.rootsPem : [anchors.rootsPem, proxy.pem]
  return { key: keyPem, cert: pem, ca, minVersion: 'TLSv1.3' as const }
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
