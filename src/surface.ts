/** Two surfaces: peers come in from outside with a certificate, departments and operations from inside; what fails ends in one place. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { BASE, type Console, type Desk } from '#console/desk.ts'
import type { Workbench } from '#console/workbench.ts'
import type { Drift } from '#exchange/acquaint.ts'
import { answer } from '#exchange/answer.ts'
import { type AskAnswer, AskRequest, ask } from '#exchange/ask.ts'
import type { City } from '#exchange/city.ts'
import { WITNESS } from '#exchange/gossip.ts'
import { INTRODUCTION, STATEMENT } from '#exchange/post.ts'
import type { ReportFile, ReportRequest } from '#exchange/report.ts'
import { readJson } from '#protocol/json.ts'
import { limits, type Problem, types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { Department, Departments } from '#trust/departments.ts'
import type { Callers, Sender } from '#trust/proxy.ts'
import { SEALED, sealedLength } from '#trust/seal.ts'
import { configurationOf, type LogMetadata } from '#trust/statement.ts'
import type { Door } from './door.ts'
import { checkHealth, type Processes, show } from './health.ts'
import { serveLog, serveWitness } from './log-routes.ts'
import type { Metrics } from './metrics.ts'
import type { Running } from './reload.ts'
import type { Transparency } from './transparency.ts'

/** What both surfaces are made of. */
export type Parts = {
  readonly running: Running
  readonly transparency: Transparency
  readonly drifts: () => readonly Drift[]
  readonly departments: Departments
  readonly metrics: Metrics
  /** Those of the other processes of this gateway. */
  readonly others?: (() => Promise<readonly object[]>) | undefined
  readonly processes?: (() => Processes) | undefined
  readonly log: Logger
  /** Who sends what comes from outside, and whether it is heard. */
  readonly callers: Callers
  readonly door: Door
  /** Of the process that serves the inside. */
  readonly workbench?: Workbench | undefined
}

type Ends = { incoming: IncomingMessage; outgoing: ServerResponse }
type Bindings = { Bindings: Ends }
export type Surface = Hono<Bindings>

/** Departments' questions asked at once; the rest is told to come back, so that none waits without end. */
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

/** A message that never came whole cost nothing, and a line that breaks is nobody's fault. */
function countsAsFailed({ code }: Refusal): boolean {
  return /^(form|token)\./.test(code) && code !== 'form.slow'
}

/** What a witness answers to what no honest log sends; that it does not know the log, or holds another size of it, is how the two find each other. */
const REFUSED: ReadonlySet<number> = new Set([400, 403, 413, 422])

/** Characters of a question about a few subjects. A larger one gains nothing by company, and its answers fill the memory. */
const SMALL = 2_048

/** The surface for peer cities: where they ask, and where they learn who we are. */
export function outside({ running, transparency, metrics, log, callers, door }: Parts): Surface {
  const app = new Hono<Bindings>()
  const together = turns()
  const heard = ({ incoming, outgoing }: Ends): Sender => {
    try {
      const sender = callers.senderOf(incoming)
      door.hear(sender)
      return sender
    } catch (error) {
      // Each further try is to cost it a handshake, and those are bounded. The proxy's connection is not only its.
      if (!callers.isProxied(incoming)) outgoing.shouldKeepAlive = false
      throw error
    }
  }
  const answered = countingIn(metrics)
  const took = metrics.seconds.labels({ direction: 'in' })
  app.post('/query', async c => {
    const sender = heard(c.env)
    try {
      return await question(c, sender)
    } catch (error) {
      if (error instanceof Refusal && countsAsFailed(error)) door.failed(sender)
      throw error
    }
  })
  const question = async (c: Context<Bindings>, sender: Sender) => {
    const { incoming, outgoing } = c.env
    const type = incoming.headers['content-type']
    const sealed = type === `application/${SEALED}`
    if (!sealed && type !== `application/${types.query}`) throw refuse('form.media-type')
    // Read before it counts: whoever sends slowly takes nobody's place.
    const token = await readText(incoming, sealed ? sealedLength(limits.queryBytes) : limits.queryBytes)
    const seat = door.seat(sender)
    const began = performance.now()
    try {
      if (token.length < SMALL) await together()
      const reply = await answer({ token, sealed, city: sender.city }, running.city())
      const ms = performance.now() - began
      const { iss: peer, jti, purpose } = reply.request.claims
      const outcome = reply.kind === 'answer' ? 'answered' : 'refused'
      answered(peer, outcome)
      took.observe(ms / 1000)
      // Every question stands in the ledger, with more than a line may hold: the log is for what is out of order.
      if (reply.refusal === undefined) access.debug({ peer, jti, purpose, outcome, ms }, 'question')
      else note(reply.refusal, { peer, jti, purpose, outcome, ms })
      const typ = sealed ? SEALED : types[reply.kind]
      if (reply.refusal?.status === 429) c.header('retry-after', '60')
      return c.body(reply.token, reply.refusal?.status ?? 200, { 'content-type': `application/${typ}` })
    } finally {
      // Kept until the answer is gone: one that is not fetched takes up memory.
      if (incoming.socket.destroyed) seat[Symbol.dispose]()
      else outgoing.once('close', () => seat[Symbol.dispose]())
    }
  }
  const introduce = introducing(running.city(), transparency.published)
  const admit = (c: Context<Bindings>) => {
    const sender = heard(c.env)
    if (running.city().members.find(sender.city) !== undefined) return
    door.failed(sender)
    throw refuse('token.issuer', sender.city)
  }
  serveLog(app, transparency, admit)
  // A checkpoint that is not cosigned costs a signature to look at, and may be written down: nobody has many of them.
  app.use(`${WITNESS}/add-checkpoint`, async (c, next) => {
    const sender = heard(c.env)
    await next()
    const isRefused = c.error instanceof Refusal ? c.error.code === 'form.size' : REFUSED.has(c.res.status)
    if (isRefused) door.failed(sender)
  })
  serveWitness(app, transparency, admit)
  app.get(INTRODUCTION, c => {
    admit(c)
    return c.body(introduce(Number(c.req.query('roll') ?? 0)), 200, { 'content-type': STATEMENT })
  })
  app.all('*', c => {
    door.failed(heard(c.env))
    throw refuse('request.path')
  })
  const note = noting(log, metrics)
  // These lines hold the named fields and no other, so nothing in them has to be searched for what must not be there.
  const access = log.child({}, { redact: [] })
  return ending(app, note)
}

/** The surface for this city's departments and for those who run the gateway. */
export function inside(parts: Parts): Surface {
  const { running, transparency, drifts, departments, metrics, others, log, workbench } = parts
  const app = new Hono<Bindings>()
  let busy = 0
  // Made when first asked for: its maker is a tenth of the gateway's memory, and most gateways are never asked.
  let document: { readonly of: City['mapping']; readonly text: string } | undefined
  const healthOf = () =>
    checkHealth(
      running,
      drifts(),
      (check, detail) => log.warn({ check, detail: discreet(detail) }, 'not ready'),
      parts.processes,
    )
  app.get('/health/live', c => c.json({ live: true }))
  app.get('/health/ready', async c => {
    const checks = await healthOf()
    show(checks, metrics)
    const ready = checks.every(({ ok }) => ok)
    return c.json({ ready, city: running.city().id, checks }, ready ? 200 : 503)
  })
  app.get('/metrics', async c => {
    show(await healthOf(), metrics)
    for (const { peer, seconds } of drifts()) metrics.clock.set({ peer }, seconds)
    return c.body(await metrics.text(await others?.()), 200, { 'content-type': metrics.registry.contentType })
  })
  serveLog(app, transparency, () => {})
  app.get('/openapi.json', async c => {
    const { describeInside } = await import('./openapi.ts')
    const { mapping } = running.city()
    if (document?.of !== mapping) document = { of: mapping, text: JSON.stringify(describeInside(mapping)) }
    return c.body(document.text, 200, { 'content-type': 'application/json' })
  })
  /** What a department's key has to come with: who asks, and in which form. */
  const byKey = async <Q, A>(c: Context<Bindings>, form: z.ZodType<Q>, work: Work<Q, A>): Promise<A> => {
    const city = running.city()
    const [, key] = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '') ?? []
    const department = departments.find(key, city.now())
    const request = form.safeParse(readJson(await c.req.text()))
    if (!request.success) {
      throw refuse('request.form', request.error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', '))
    }
    return work(request.data, department, city)
  }
  /** What all ways to ask have in common: how many at once, and what is counted and logged of it. */
  const onBehalf = async <A>(department: Department, work: () => Promise<Done<A>>): Promise<A> => {
    if (busy >= AT_ONCE) throw refuse('load.busy')
    busy += 1
    const began = performance.now()
    try {
      const { told, purpose, peers } = await work()
      const ms = performance.now() - began
      metrics.seconds.observe({ direction: 'out' }, ms / 1000)
      for (const { peer, outcome } of peers) {
        metrics.questions.inc({ direction: 'out', peer, outcome })
        log.info({ department: department.id, peer, purpose, outcome, ms }, 'asked')
      }
      return told
    } finally {
      busy -= 1
    }
  }
  const asks: Work<AskRequest, AskAnswer> = (request, department, city) =>
    onBehalf(department, async () => {
      const told = await ask(request, department, city)
      return { told, purpose: told.purpose, peers: told.peers }
    })
  const reports: Work<ReportRequest, ReportFile> = (request, department, city) =>
    onBehalf(department, async () => {
      const { report } = await import('#exchange/report.ts')
      const told = await report(request, department, city)
      const asked = told.report.cities.filter(({ outcome }) => outcome !== 'own' && outcome !== 'not-asked')
      const peers = asked.map(({ city: peer, outcome }) => ({ peer, outcome }))
      return { told, purpose: told.report.purpose.code, peers }
    })
  app.post('/ask', bounded(limits.queryBytes), async c => c.json(await byKey(c, AskRequest, asks)))
  app.post('/report', bounded(limits.queryBytes), async c => {
    // Asked for seldom, and with its page a part of the gateway that most questions never need.
    const { ReportRequest } = await import('#exchange/report.ts')
    const file = await byKey(c, ReportRequest, reports)
    c.header('cache-control', 'no-store')
    if (!(c.req.header('accept') ?? '').includes('text/html')) return c.json(file)
    const { reportPage } = await import('./report-page.ts')
    c.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
    return c.html(await reportPage(file.report))
  })
  const note = noting(log, metrics)
  if (workbench !== undefined) {
    const desk: Desk = {
      ...workbench,
      get city() {
        return running.city()
      },
      get tally() {
        return workbench.lookout.tally
      },
      drifts,
      health: healthOf,
      seconds: { get: async () => metrics.taken(await others?.()) },
      transparency,
      departments,
      note: refusal => note(refusal, {}),
      asking: {
        mandates: workbench.mandates,
        kept: workbench.kept,
        ask: asks,
        report: reports,
        reportPage: async report => (await import('./report-page.ts')).reportPage(report),
      },
    }
    // Its pages are loaded by the first visit: they are a tenth of the gateway's memory, and a worker never needs them.
    let pages: Promise<Hono<Console>> | undefined
    const visit = async (c: Context<Bindings>) => {
      pages ??= import('#console/console.ts').then(({ consoleOf }) => new Hono<Console>().route(BASE, consoleOf(desk)))
      return (await pages).fetch(c.req.raw, c.env)
    }
    app.all(BASE, visit)
    app.all(`${BASE}/*`, visit)
  }
  return ending(app, note)
}

/** Does what a department asks for, by its key or by its staff in the console: bounded, counted and logged alike. */
type Work<Q, A> = (request: Q, department: Department, city: City) => Promise<A>

/** What was asked for, with what each peer came to. */
type Done<A> = {
  readonly told: A
  readonly purpose: string
  readonly peers: readonly { readonly peer: string; readonly outcome: string }[]
}

/** Counts questions by peer and outcome. Each counter is looked up once: working out its labels costs more than counting. */
function countingIn({ questions }: Metrics): (peer: string, outcome: string) => void {
  const counters = new Map<string, { inc(): void }>()
  return (peer, outcome) => {
    const name = `${peer} ${outcome}`
    let counter = counters.get(name)
    if (counter === undefined) {
      counter = questions.labels({ direction: 'in', peer, outcome })
      counters.set(name, counter)
    }
    counter.inc()
  }
}

/** Seconds for which one statement about us serves: asking is cheap for whoever asks, and signing is not. */
const SERVED = 30

/**
 * Gives what we say of ourselves, made anew when our keys or the roll have changed, each later than the one before. Whoever
 * goes by our roll already is not given it again: in a large federation it is most of the statement.
 */
function introducing(city: City, log: LogMetadata): (number: number) => string {
  type Said = { readonly iat: number; readonly described: unknown; readonly roll: unknown; texts: Map<boolean, string> }
  let said: Said | undefined
  return number => {
    const { described, signer } = city.keys()
    const { bundle, number: ours } = city.members.roll
    const seconds = Math.floor(city.now() / 1000)
    if (said === undefined || said.described !== described || said.roll !== bundle || said.iat + SERVED <= seconds) {
      said = { iat: Math.max(seconds, (said?.iat ?? 0) + 1), described, roll: bundle, texts: new Map() }
    }
    const withRoll = !(number >= ours)
    const text =
      said.texts.get(withRoll) ??
      configurationOf({ ...described, log }, withRoll ? bundle : undefined, signer, said.iat)
    said.texts.set(withRoll, text)
    return text
  }
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
