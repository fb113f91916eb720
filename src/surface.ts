/** Two surfaces: peers come in from outside with a certificate, departments and operations from inside; what fails ends in one place. */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Logger } from 'pino'
import { answer } from '#exchange/answer.ts'
import { AskRequest, ask } from '#exchange/ask.ts'
import type { City } from '#exchange/city.ts'
import { readJson } from '#protocol/json.ts'
import { limits, type Problem, types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { Departments } from '#trust/departments.ts'
import type { Keys } from '#trust/keys.ts'
import { checkHealth, show } from './health.ts'
import type { Metrics } from './metrics.ts'

/** What both surfaces are made of. */
export type Parts = {
  readonly city: City
  readonly keys: Keys
  readonly departments: Departments
  readonly metrics: Metrics
  readonly log: Logger
  /** The city that the certificate of a connection names; undefined for one that was not accepted. */
  readonly cityOf: (socket: Socket) => string | undefined
}

type Bindings = { Bindings: { incoming: IncomingMessage } }
export type Surface = Hono<Bindings>

/** Questions answered at once; the rest is told to come back, so that none waits without end. */
const AT_ONCE = 256

/**
 * Gives a function whose promises of one turn of the event loop are kept together, at its end. Questions that arrive
 * together then take each step one after the other, and find the step's code and tables still in the processor's cache:
 * measured, a tenth of a question's cost.
 */
function turns(): () => Promise<void> {
  let turn: Promise<void> | undefined
  return () => {
    turn ??= new Promise(resolve =>
      setImmediate(() => {
        turn = undefined
        resolve()
      }),
    )
    return turn
  }
}

/** Characters of a question about a few subjects. A larger one gains nothing by company, and its answers fill the memory. */
const SMALL = 2_048

/** The surface for peer cities: one path, nothing else. */
export function outside({ city, metrics, log, cityOf }: Parts): Surface {
  const app = new Hono<Bindings>()
  const together = turns()
  let busy = 0
  app.post('/query', async c => {
    const { incoming } = c.env
    if (incoming.headers['content-type'] !== `application/${types.query}`) throw refuse('form.media-type')
    const from = cityOf(incoming.socket)
    if (from === undefined) throw refuse('token.transport', 'the connection has no accepted certificate')
    // Read before it counts: whoever sends slowly takes nobody's place.
    const token = await readText(incoming, limits.queryBytes)
    if (busy >= AT_ONCE) throw refuse('load.busy')
    busy += 1
    metrics.inFlight.set(busy)
    const began = performance.now()
    try {
      if (token.length < SMALL) await together()
      const reply = await answer({ token, city: from }, city)
      const ms = performance.now() - began
      const { iss: peer, jti, purpose } = reply.request.claims
      const outcome = reply.kind === 'answer' ? 'answered' : 'refused'
      metrics.questions.inc({ direction: 'in', peer, outcome })
      metrics.seconds.observe({ direction: 'in' }, ms / 1000)
      if (reply.refusal === undefined) access.info({ peer, jti, purpose, outcome, ms }, 'question')
      else note(reply.refusal, { peer, jti, purpose, outcome, ms })
      const type = reply.kind === 'answer' ? types.answer : types.refusal
      if (reply.refusal?.status === 429) c.header('retry-after', '60')
      return c.body(reply.token, reply.refusal?.status ?? 200, { 'content-type': `application/${type}` })
    } finally {
      busy -= 1
      metrics.inFlight.set(busy)
    }
  })
  const note = noting(log, metrics)
  // These lines hold the named fields and no other, so nothing in them has to be searched for what must not be there.
  const access = log.child({}, { redact: [] })
  return ending(app, note)
}

/** The surface for this city's departments and for those who run the gateway. */
export function inside({ city, keys, departments, metrics, log }: Parts): Surface {
  const app = new Hono<Bindings>()
  let busy = 0
  // Made when first asked for: its maker is a tenth of the gateway's memory, and most gateways are never asked.
  let document: string | undefined
  const healthOf = () =>
    checkHealth(city, keys, (check, detail) => log.warn({ check, detail: discreet(detail) }, 'not ready'))
  app.get('/health/live', c => c.json({ live: true }))
  app.get('/health/ready', async c => {
    const checks = await healthOf()
    show(checks, metrics)
    const ready = checks.every(({ ok }) => ok)
    return c.json({ ready, city: city.id, checks }, ready ? 200 : 503)
  })
  app.get('/metrics', async c => {
    show(await healthOf(), metrics)
    metrics.ledgerEntries.set(await city.ledger.count())
    return c.body(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType })
  })
  app.get('/openapi.json', async c => {
    const { describeInside } = await import('./openapi.ts')
    document ??= JSON.stringify(describeInside(city.mapping))
    return c.body(document, 200, { 'content-type': 'application/json' })
  })
  app.post('/ask', bounded(limits.queryBytes), async c => {
    const [, key] = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '') ?? []
    const department = departments.find(key, city.now())
    const request = AskRequest.safeParse(readJson(await c.req.text()))
    if (!request.success) {
      throw refuse('request.form', request.error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', '))
    }
    if (busy >= AT_ONCE) throw refuse('load.busy')
    busy += 1
    const began = performance.now()
    try {
      const told = await ask(request.data, department, city)
      const ms = performance.now() - began
      metrics.seconds.observe({ direction: 'out' }, ms / 1000)
      for (const { peer, outcome } of told.peers) {
        metrics.questions.inc({ direction: 'out', peer, outcome })
        log.info({ department: department.id, peer, purpose: told.purpose, outcome, ms }, 'asked')
      }
      return c.json(told)
    } finally {
      busy -= 1
    }
  })
  return ending(app, noting(log, metrics))
}

/**
 * The body as text, of single-byte characters as a token is. Read from the connection itself: a web stream around it costs
 * more than everything the message says. Throws `form.size` as soon as it is too long, and `form.slow` where it broke off;
 * the rest of a body that is too long is left to the server, which reads on for a moment so that the refusal gets through.
 */
function readText(incoming: IncomingMessage, most: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  let size = 0
  const take = (chunk: Buffer) => {
    size += chunk.length
    if (size > most) {
      incoming.off('data', take)
      reject(refuse('form.size'))
    } else chunks.push(chunk)
  }
  if (Number(incoming.headers['content-length'] ?? 0) > most) return Promise.reject(refuse('form.size'))
  incoming.on('data', take)
  incoming.once('end', () =>
    resolve((chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)).toString('latin1')),
  )
  incoming.once('error', error => reject(refuse('form.slow', 'the body broke off', error)))
  return promise
}

function bounded(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw refuse('form.size')
    },
  })
}

type Note = (refusal: Refusal, about: Readonly<Record<string, unknown>>) => void

/** Logs and counts a refusal with its private detail and the operator's hint; a fault is an error, all else a warning. */
export function noting(log: Logger, metrics: Metrics): Note {
  return (refusal, about) => {
    metrics.refusals.inc({ code: refusal.code })
    const { code, hint } = refusal
    const detail = refusal.detail && discreet(refusal.detail)
    const cause = refusal.cause instanceof Error ? refusal.cause : undefined
    if (code === 'fault') log.error({ ...about, code, detail, ...(cause && { err: described(cause) }) }, 'fault')
    else log.warn({ ...about, code, detail, hint, ...(cause && { cause: described(cause).message }) }, 'refused')
  }
}

/** A code of a subject or the number of a person, wherever in a text it stands. */
const NUMBERS = /[0-9]{8}[0-9A-Z]{10}|[0-9]{11,}/gi

/** What others said of an error (a driver, a peer) may quote what it was about. */
function discreet(text: string): string {
  return text.replace(NUMBERS, '…')
}

/** An error for the log; a parser's own words are left out, for they quote the message that did not parse. */
function described({ name, message, stack = '' }: Error) {
  const frames = discreet(stack.slice(stack.indexOf('\n    at ') + 1))
  return { type: name, message: name === 'SyntaxError' ? name : discreet(message), stack: frames }
}

/** The only end of what fails: a problem document (RFC 9457) that holds the public text and nothing else. */
function ending(app: Surface, note: Note): Surface {
  app.notFound(() => {
    throw refuse('request.path')
  })
  app.onError((error, c) => {
    const refusal = asRefusal(error)
    note(refusal, {})
    const { code, zh, en } = refusal.public
    const { status } = refusal
    const problem: Problem = { type: 'about:blank', title: STATUS_CODES[status] ?? '', status, detail: en, code, zh }
    if (status === 503 || status === 429) c.header('retry-after', '1')
    return c.body(JSON.stringify(problem), status satisfies ContentfulStatusCode, {
      'content-type': 'application/problem+json',
    })
  })
  return app
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof HTTPException && error.status === 413) return refuse('form.size')
  return refuse('fault', error instanceof Error ? error.message : undefined, error)
}
