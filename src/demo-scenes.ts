/** A scene of the demo is played as it is written: by a department through its own gateway, or by an attacker on the way. */
import { randomUUIDv7 } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { z } from 'zod'
import { type Agreement, readAgreement } from '#agreement/agreement.ts'
import { AskAnswer } from '#exchange/ask.ts'
import { digest } from '#protocol/canonical.ts'
import { Problem, types } from '#protocol/message.ts'
import { jsonFiles } from '#trust/members.ts'
import { readIdentity } from './configuration.ts'
import { callerTls, type Federation, home } from './federation.ts'
import type { Settings } from './settings.ts'

const Scene = z.strictObject({
  /** Absent: the scene only shows that the two cities answer each other. */
  title: z.strictObject({ zh: z.string(), en: z.string() }).optional(),
  from: z.string(),
  /** `*`: every city with which there is an agreement. */
  to: z.string(),
  subjects: z.array(z.string()).min(1),
  purpose: z.string(),
  matter: z.string(),
  /** Changes the signed question on its way. */
  tamper: z.literal(true).optional(),
})
export type Scene = z.infer<typeof Scene>

/** One question to one city, and what came of it. */
type Exchange = {
  readonly from: string
  readonly to: string
  readonly subjects: number
  readonly purpose: string
  readonly outcome: string
  readonly records: number
  readonly complete: boolean
  readonly withheld: number
  /** From the department's question to its answer; of a question to every city, the same for each. */
  readonly ms: number
  /** Why it was not answered. */
  readonly reason?: string
}

export type Played = {
  readonly scene: Scene
  readonly exchanges: readonly Exchange[]
  /** What the department was told; undefined where nothing was asked, or nothing answered. */
  readonly told: AskAnswer | undefined
}

/** The scenes of `demo/exchanges.json`, in their order. */
export function readScenes(): Scene[] {
  return z.array(Scene).parse(JSON.parse(readFileSync(join(home, 'demo', 'exchanges.json'), 'utf8')))
}

/** The agreements that the federation's cities have signed. */
export function agreementsOf({ folder }: Federation): Agreement[] {
  const agreements = join(folder, 'federation-config', 'agreements')
  return jsonFiles(agreements).flatMap(name => {
    const text = readAgreement(readFileSync(join(agreements, name), 'utf8'), name, [])
    return text === undefined ? [] : [text]
  })
}

/** Where a city's own departments reach its gateway. */
export function insideUrl({ insideListen: { host, port } }: Settings): string {
  return `http://${host}:${port}`
}

/** Plays one scene. Throws Error where a gateway does not answer at all. */
export async function play(scene: Scene, federation: Federation): Promise<Played> {
  const began = performance.now()
  const { refused, told } = scene.tamper ? await tampered(scene, federation) : await asked(scene, federation)
  const common = {
    subjects: scene.subjects.length,
    purpose: scene.purpose,
    ms: Math.round((performance.now() - began) * 10) / 10,
  }
  if (told === undefined) {
    const nothing = { outcome: 'refused', records: 0, complete: false, withheld: 0, reason: refused }
    return { scene, exchanges: [{ from: scene.from, to: scene.to, ...common, ...nothing }], told }
  }
  const exchanges = told.peers.map(({ peer, outcome, reason, results, withheld }) => {
    const why = reason ?? (outcome === 'answered' ? undefined : results.find(each => each.reason)?.reason)
    return {
      from: scene.from,
      to: peer,
      ...common,
      outcome,
      records: results.reduce((sum, { records }) => sum + records.length, 0),
      complete: results.every(({ status, unknown = [] }) => status === 'answered' && unknown.length === 0),
      withheld: withheld?.length ?? 0,
      ...(why && { reason: why.code }),
    }
  })
  return { scene, exchanges, told }
}

type Came = { readonly told: AskAnswer; readonly refused?: never } | { readonly told?: never; readonly refused: string }

/** As a department asks: at its own city's gateway, with its key. */
async function asked({ from, to, subjects, purpose, matter }: Scene, federation: Federation): Promise<Came> {
  const { settings, departmentKey } = federation.city(from)
  const response = await request(`${insideUrl(settings)}/ask`, {
    method: 'POST',
    headers: { authorization: `Bearer ${departmentKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ peer: to, subjects, purpose, matter }),
  })
  const body: unknown = await response.body.json()
  return response.statusCode === 200 ? { told: AskAnswer.parse(body) } : { refused: Problem.parse(body).code }
}

/** As an attacker on the way would: a genuine signed question of a member, one character of it changed. */
async function tampered({ from, to, subjects, purpose, matter }: Scene, federation: Federation): Promise<Came> {
  const { keys, members } = await readIdentity(federation.city(from).settings, Date.now, [])
  const agreement = agreementsOf(federation).find(({ parties }) => parties.includes(from) && parties.includes(to))
  if (keys === undefined || members === undefined || agreement === undefined)
    throw new Error('the demo federation is incomplete')
  const iat = Math.floor(Date.now() / 1000)
  const claims = {
    iss: from,
    aud: to,
    iat,
    nbf: iat,
    exp: iat + 60,
    jti: randomUUIDv7(),
    agreement: { id: agreement.id, digest: digest(agreement) },
    purpose,
    matter,
    subjects,
    want: [{ family: 'licence' }],
  }
  const { token } = keys.signer(types.query, JSON.stringify(claims))
  const [header = '', , signature = ''] = token.split('.')
  const changed = Buffer.from(JSON.stringify({ ...claims, matter: `${matter}!` })).toString('base64url')
  const agent = new Agent({ connect: callerTls(keys, members) })
  const response = await request(new URL('/query', members.find(to)?.endpoint), {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': `application/${types.query}` },
    body: `${header}.${changed}.${signature}`,
  })
  const problem = Problem.parse(await response.body.json())
  await agent.close()
  return { refused: problem.code }
}
