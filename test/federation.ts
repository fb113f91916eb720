/** A running federation for a test: real gateways in this process, real sockets, certificates, ledgers and tables. */
import { randomUUIDv7 } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { Agent, request } from 'undici'
import type { AskAnswer } from '#exchange/ask.ts'
import { digest } from '#protocol/canonical.ts'
import { type Query, types } from '#protocol/message.ts'
import type { Keys } from '#trust/keys.ts'
import type { Members } from '#trust/members.ts'
import { readIdentity } from '../src/configuration.ts'
import { callerTls, type Federation, makeFederation } from '../src/federation.ts'
import { type Gateway, startGateway } from '../src/gateway.ts'
import type { Settings } from '../src/settings.ts'

export const agreementId = 'jiangyin-huizhou-2026'

type Response = { readonly status: number; readonly type: string; readonly text: string }

export type Running = AsyncDisposable & {
  readonly federation: Federation
  gateway(city: string): Gateway
  /** Starts a city's gateway anew, on the same folders. */
  restart(city: string): Promise<void>
  stop(city: string): Promise<void>
  start(city: string): Promise<void>
  /** A department's question, by HTTP. */
  ask(
    from: string,
    body: Readonly<Record<string, unknown>>,
    key?: string,
  ): Promise<{ status: number; body: AskAnswer & { code?: string } }>
  /** Who `city` is, with its keys: for making messages as that city would. */
  identity(city: string): Promise<{ keys: Keys; members: Members }>
  /** The claims of a good question. */
  claims(from: string, to: string, over?: Readonly<Record<string, unknown>>): Query
  /** Posts a text to a city over a connection of another, as a question. */
  post(
    from: string,
    to: string,
    text: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>
  get(from: string, to: string, path: string): Promise<Response>
  /** Connects without a client certificate. */
  anonymous(to: string): Promise<unknown>
  /** Signs claims as a city and posts them. */
  query(from: string, to: string, over?: Readonly<Record<string, unknown>>): Promise<Response>
}

export async function runFederation({
  peerTimeout,
  log,
  round,
  settle = settings => settings,
  ...options
}: Parameters<typeof makeFederation>[1] & {
  readonly peerTimeout?: number
  readonly log?: Logger
  /** Milliseconds between two rounds in which the gateways ask each other for news. */
  readonly round?: number
  /** May give a city another place for its settings than the one that all share. */
  readonly settle?: (settings: Settings) => Settings
} = {}): Promise<Running> {
  await using made = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-test-'))
  made.defer(() => rmSync(folder, { recursive: true, force: true }))
  const federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent', ...options })
  const gateways = new Map<string, Gateway>()
  made.defer(async () => {
    for (const each of gateways.values()) await each.close()
  })
  const start = (city: string) => {
    const settings = settle(federation.city(city).settings)
    return startGateway(peerTimeout === undefined ? settings : { ...settings, peerTimeout }, log, round)
  }
  for (const { id } of federation.cities) gateways.set(id, await start(id))
  const agents = new Map<string, Agent>()
  /** With what each city signs in `query`: read once, so that it goes on when its city is a member no more. */
  const senders = new Map<string, Keys>()
  const text: unknown = JSON.parse(
    readFileSync(join(folder, 'federation-config', 'agreements', `${agreementId}.json`), 'utf8'),
  )
  const agreement = { id: agreementId, digest: digest(text) }

  const gateway = (city: string) => {
    const found = gateways.get(city)
    if (found === undefined) throw new RangeError(`no gateway of ${city}`)
    return found
  }
  /** Where a city's peers reach it, in this process or in one of its own. */
  const peersUrl = (city: string) =>
    gateways.get(city)?.peersUrl ?? `https://127.0.0.1:${federation.city(city).settings.peersListen.port}`
  const identity = async (city: string) => {
    const { keys, members } = await readIdentity(federation.city(city).settings, Date.now, [])
    if (keys === undefined || members === undefined) throw new Error(`no keys of ${city}`)
    return { keys, members }
  }
  const agentOf = async (city: string) => {
    let agent = agents.get(city)
    if (agent === undefined) {
      const { keys, members } = await identity(city)
      agent = new Agent({
        connect: callerTls(keys, members),
      })
      agents.set(city, agent)
    }
    return agent
  }
  const claims = (from: string, to: string, over: Readonly<Record<string, unknown>> = {}) => {
    return { ...goodQuestion(from, to, agreement), ...over }
  }
  const post = async (
    from: string,
    to: string,
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const response = await request(`${peersUrl(to)}/query`, {
      method: 'POST',
      dispatcher: await agentOf(from),
      headers: { 'content-type': `application/${types.query}`, ...headers },
      body,
    })
    return {
      status: response.statusCode,
      type: String(response.headers['content-type']),
      text: await response.body.text(),
    }
  }
  const kept = made.move()
  return {
    federation,
    gateway,
    identity,
    claims,
    post,
    async restart(city) {
      // A connection that the old gateway closed would be chosen once more.
      for (const agent of agents.values()) await agent.close()
      agents.clear()
      senders.delete(city)
      await gateway(city).close()
      gateways.set(city, await start(city))
    },
    async stop(city) {
      await gateways.get(city)?.close()
      gateways.delete(city)
    },
    async start(city) {
      gateways.set(city, await start(city))
    },
    async ask(from, body, key = federation.city(from).departmentKey) {
      const response = await request(`${gateway(from).insideUrl}/ask`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return { status: response.statusCode, body: (await response.body.json()) as AskAnswer }
    },
    async get(from, to, path) {
      const response = await request(`${gateway(to).peersUrl}${path}`, { dispatcher: await agentOf(from) })
      return {
        status: response.statusCode,
        type: String(response.headers['content-type']),
        text: await response.body.text(),
      }
    },
    async anonymous(to) {
      const agent = new Agent({ connect: { rejectUnauthorized: false } })
      try {
        return await request(`${peersUrl(to)}/query`, { dispatcher: agent, method: 'POST', body: 'a.b.c' })
      } finally {
        await agent.destroy()
      }
    },
    async query(from, to, over) {
      const keys = senders.get(from) ?? (await identity(from)).keys
      senders.set(from, keys)
      return post(from, to, keys.signer(types.query, JSON.stringify(claims(from, to, over))).token)
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) await agent.close()
      await kept.disposeAsync()
    },
  }
}

/** The claims of a question of now that nothing is wrong with, and none is like another. */
export function goodQuestion(iss: string, aud: string, agreement: Query['agreement']): Query {
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss,
    aud,
    iat,
    nbf: iat,
    exp: iat + 60,
    jti: randomUUIDv7(),
    agreement,
    purpose: 'tendering',
    matter: '苏澄招〔2026〕001号',
    subjects: ['91320281250344877K'],
    want: [{ family: 'licence' }],
  }
}

/** The claims inside a token, unproved: for looking at what came. */
export function claimsIn(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
