/** The demo shows what a gateway is for: real processes, real certificates, real tables of two cities, and every kind of answer. */
import type { ChildProcess } from 'node:child_process'
import { randomUUIDv7 } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import stringWidth from 'string-width'
import { Agent, request } from 'undici'
import { z } from 'zod'
import { readAgreement } from '#agreement/agreement.ts'
import { AskAnswer } from '#exchange/ask.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { digest } from '#protocol/canonical.ts'
import { Problem, types } from '#protocol/message.ts'
import { refusals } from '#protocol/refusal.ts'
import { jsonFiles } from '#trust/members.ts'
import { callerTls, type Federation, home, makeFederation } from './federation.ts'
import { readIdentity } from './gateway.ts'
import { endProcess, startProcess } from './process.ts'
import type { Settings } from './settings.ts'

const Scene = z.strictObject({
  title: z.strictObject({ zh: z.string(), en: z.string() }),
  from: z.string(),
  to: z.string(),
  subjects: z.array(z.string()).min(1),
  purpose: z.string(),
  matter: z.string(),
  /** Changes the signed question on its way. */
  tamper: z.literal(true).optional(),
})
type Scene = z.infer<typeof Scene>

type Exchange = {
  readonly from: string
  readonly to: string
  readonly subjects: number
  readonly purpose: string
  readonly outcome: string
  readonly records: number
  readonly withheld: number
  readonly ms: number
  /** Why it was not answered. */
  readonly reason?: string
}

type Played = { readonly scene: Scene; readonly exchange: Exchange; readonly told: AskAnswer | undefined }

/** Runs the demo. With `once` it ends by itself; with `json` it prints one JSON object. Gives 1 where a ledger is not whole. */
export async function demo({
  once,
  json,
  call,
}: {
  once: boolean
  json: boolean
  call: (...words: readonly string[]) => string
}): Promise<0 | 1> {
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-demo-'))
  const running: ChildProcess[] = []
  try {
    const scenes = z.array(Scene).parse(JSON.parse(readFileSync(join(home, 'demo', 'exchanges.json'), 'utf8')))
    const federation = await makeFederation(folder, {
      cities: [...new Set(scenes.flatMap(({ from, to }) => [from, to]))],
    })
    running.push(...(await Promise.all(federation.cities.map(({ environment }) => startProcess(environment)))))
    // The first row should show what a question costs, not what a gateway's first connection does.
    await Promise.all(
      federation.cities.map(async ({ settings }) => (await request(`${insideUrl(settings)}/health/ready`)).body.dump()),
    )
    const played: Played[] = []
    for (const scene of scenes) played.push(await play(scene, federation))
    const ledgers = Object.fromEntries(
      federation.cities.map(({ id, settings }) => {
        const { entries, verified } = verifyLedger(join(settings.data, 'ledger.sqlite'))
        return [id, { entries, verified }]
      }),
    )
    if (json) {
      const cities = federation.cities.map(({ id, name, settings }) => ({
        id,
        name: `${name.zh} ${name.en}`,
        url: insideUrl(settings),
      }))
      console.log(JSON.stringify({ cities, exchanges: played.map(({ exchange }) => exchange), ledgers }))
    } else {
      console.log(`${describe(played, federation)}\n\n${example(played, federation)}\n`)
      for (const [id, { entries, verified }] of Object.entries(ledgers)) {
        console.log(
          `日志 ledger  ${id.padEnd(10)}${entries} 条 entries · ${verified ? '核验通过 verified' : '有误 NOT whole'}`,
        )
      }
    }
    if (!once) {
      if (!json) console.log(hints(federation, scenes, call))
      await interrupted()
    }
    return Object.values(ledgers).every(({ verified }) => verified) ? 0 : 1
  } finally {
    await Promise.all(running.map(child => endProcess(child)))
    rmSync(folder, { recursive: true, force: true })
  }
}

function interrupted(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
  return promise
}

async function play(scene: Scene, federation: Federation): Promise<Played> {
  const began = performance.now()
  const { outcome, reason, told } = scene.tamper ? await tampered(scene, federation) : await asked(scene, federation)
  const [peer] = told?.peers ?? []
  const exchange: Exchange = {
    from: scene.from,
    to: scene.to,
    subjects: scene.subjects.length,
    purpose: scene.purpose,
    outcome,
    records: peer?.results.reduce((sum, { records }) => sum + records.length, 0) ?? 0,
    withheld: peer?.withheld?.length ?? 0,
    ms: Math.round((performance.now() - began) * 10) / 10,
    ...(reason !== undefined && { reason }),
  }
  return { scene, exchange, told }
}

type Came = { readonly outcome: string; readonly reason?: string; readonly told?: AskAnswer }

/** As a department asks: at its own city's gateway, with its key. */
async function asked({ from, to, subjects, purpose, matter }: Scene, federation: Federation): Promise<Came> {
  const { settings, departmentKey } = federation.city(from)
  const response = await request(`${insideUrl(settings)}/ask`, {
    method: 'POST',
    headers: { authorization: `Bearer ${departmentKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ peer: to, subjects, purpose, matter }),
  })
  const body: unknown = await response.body.json()
  if (response.statusCode !== 200) return { outcome: 'refused', reason: Problem.parse(body).code }
  const told = AskAnswer.parse(body)
  const [peer] = told.peers
  const refused = peer?.results.find(({ status }) => status === 'refused')
  const reason = peer?.reason ?? (peer?.outcome === 'answered' ? undefined : refused?.reason)
  return { outcome: peer?.outcome ?? 'unknown', told, ...(reason && { reason: reason.code }) }
}

/** As an attacker on the way would: a genuine signed question of a member, one character of it changed. */
async function tampered({ from, to, subjects, purpose, matter }: Scene, federation: Federation): Promise<Came> {
  const { settings } = federation.city(from)
  const { keys, members } = await readIdentity(settings, Date.now, [])
  const folder = join(settings.config, 'agreements')
  const agreement = jsonFiles(folder)
    .map(name => readAgreement(readFileSync(join(folder, name), 'utf8'), name, []))
    .find(text => text?.parties.includes(from) && text.parties.includes(to))
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
  const agent = new Agent({
    connect: callerTls(keys, members),
  })
  const response = await request(new URL('/query', members.find(to)?.endpoint), {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': `application/${types.query}` },
    body: `${header}.${changed}.${signature}`,
  })
  const problem = Problem.parse(await response.body.json())
  await agent.close()
  return { outcome: 'refused', reason: problem.code }
}

function insideUrl({ insideListen: { host, port } }: Settings): string {
  return `http://${host}:${port}`
}

/** A table that lines up for Chinese and Latin text alike. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => stringWidth(row[column] ?? '')))) ?? []
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - stringWidth(cell)))
      .join('  ')
      .trimEnd()
  const rule = widths.map(width => '─'.repeat(width)).join('  ')
  const [head = [], ...body] = rows
  return [line(head), rule, ...body.map(line)].join('\n')
}

const outcomes: Readonly<Record<string, string>> = { answered: '已答复', refused: '已拒绝', unknown: '未知' }
const told: ReadonlyMap<string, { readonly zh: string; readonly en: string }> = new Map(Object.entries(refusals))

/** 惠州市 is 惠州 where there is little room. */
const short = (city: string, federation: Federation) => federation.city(city).name.zh.replace(/市$/, '')

function describe(played: readonly Played[], federation: Federation): string {
  const head = ['查询', '方向', '目的', '结果', '记录', '不提供', '毫秒']
  const rows = played.map(({ scene, exchange: { from, to, purpose, outcome, reason, records, withheld, ms } }) => [
    scene.title.zh,
    `${short(from, federation)} → ${short(to, federation)}`,
    purpose,
    reason === undefined ? (outcomes[outcome] ?? outcome) : `${outcomes[outcome]} ${told.get(reason)?.zh} ${reason}`,
    String(records),
    String(withheld),
    ms.toFixed(1),
  ])
  return `${tableOf([head, ...rows])}\n\n${legend(played, federation)}`
}

/** What stands in the table, in English: there is no room for both languages in its cells. */
function legend(played: readonly Played[], { cities }: Federation): string {
  const reasons = new Set(played.flatMap(({ exchange }) => exchange.reason ?? []))
  return wrapped([
    '图例 legend: 查询 question',
    '方向 asking → asked',
    '目的 purpose',
    '结果 outcome',
    '记录 records given',
    '不提供 kinds of things withheld by rule',
    '毫秒 milliseconds',
    '已答复 answered',
    '已拒绝 refused',
    '未知 unknown',
    ...cities.map(({ name }) => `${name.zh} ${name.en}`),
    ...played.map(({ scene }) => `${scene.title.zh} ${scene.title.en}`),
    ...[...reasons].map(reason => `${reason} ${told.get(reason)?.en ?? ''}`),
  ])
}

/** As many to a line as fit into the width of the table. */
function wrapped(parts: readonly string[]): string {
  const lines: string[] = []
  for (const part of parts) {
    const longer = `${lines.at(-1)} · ${part}`
    if (lines.length > 0 && stringWidth(longer) <= 108) lines[lines.length - 1] = longer
    else lines.push(part)
  }
  return lines.join('\n')
}

/** The first record that came over, in the words of the city that asked. */
function example(played: readonly Played[], federation: Federation): string {
  for (const { scene, told } of played) {
    const record = told?.peers[0]?.results.flatMap(({ records }) => records)[0]
    if (record === undefined) continue
    const { local, shared } = record
    const assumed = told?.schema.assumed ? '（字段名为推定 field names assumed）' : ''
    const rows = Object.entries(local.columns).map(([column, text]) => [column, local.labels[column] ?? '', text])
    const [answering, asking] = [federation.city(scene.to).name, federation.city(scene.from).name]
    return `${answering.zh}的答复，以${asking.zh}的字段表示 ${answering.en}’s answer in the words of ${asking.en}${assumed}
${local.title ?? shared.family}
${tableOf([['字段 column', '含义 meaning', '内容 value'], ...rows])}`
  }
  return ''
}

/**
 * Leaves each city's settings and department key beside its data, and says what can be done with them, in lines to be
 * copied as they stand. All of it goes with the folder when the demo ends.
 */
function hints(
  { cities, folder }: Federation,
  scenes: readonly Scene[],
  call: (...words: readonly string[]) => string,
): string {
  const lines = cities.map(({ id, name, settings, environment, departmentKey }) => {
    const [key, env] = [join(settings.data, 'demo.key'), join(settings.data, 'xinqiao.env')]
    writeFileSync(key, `${departmentKey}\n`, { mode: 0o600 })
    const values = Object.entries(environment).map(([variable, value]) => `${variable}=${value}\n`)
    writeFileSync(env, values.join(''), { mode: 0o600 })
    const url = insideUrl(settings)
    const scene = scenes.find(({ from }) => from === id)
    const about = scene && ['--purpose', scene.purpose, '--matter', scene.matter, '--key-file', key, '--url', url]
    return [
      `${name.zh} ${name.en}   ${url}   /health/ready  /metrics  /openapi.json`,
      ...(scene && about ? [`  ${call('ask', scene.to, ...scene.subjects, ...about)}`] : []),
      `  ${call('check', '--env', env)}`,
      `  ${call('ledger', 'verify', join(settings.data, 'ledger.sqlite'))}`,
    ].join('\n')
  })
  const count = cities.length === 2 ? '两' : `${cities.length} 个城`
  return `
${count}市网关仍在运行，按 Ctrl-C 结束；可在另一终端运行：
The ${cities.length} gateways stay up; Ctrl-C ends them. In another terminal:

${lines.join('\n\n')}

文件 files  ${folder}`
}
