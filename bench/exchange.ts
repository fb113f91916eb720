/** What one question costs a gateway, beside the least it could cost: one check and one making of a signature. */
import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUIDv7, sign, verify } from 'node:crypto'
import { once as happens } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import { Pool, request } from 'undici'
import { createLedgerAt, verifyLedgerAt } from '#ledger/open.ts'
import { digest, sha256 } from '#protocol/canonical.ts'
import { type Query, types } from '#protocol/message.ts'
import { completeUscc } from '#protocol/subject.ts'
import { verifyAnswer } from '#trust/verify.ts'
import { readIdentity } from '../src/configuration.ts'
import { readTables } from '../src/demo-tables.ts'
import { callerTls, home, makeFederation } from '../src/federation.ts'
import { endProcess, startProcess } from '../src/process.ts'
import { translateOverJson } from './translate.ts'

/** For each worker: a process that has to wait for company writes no full groups. */
const CONNECTIONS = 32
const ENTERPRISES = 5_000
/** For each worker as well: each compiles for itself. */
const WARM_UP = 20_000
const SLICES = 10
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    questions: { type: 'string', default: '20000' },
    batches: { type: 'string', default: '400' },
    /** Processes that answer; their parent is counted as well. */
    workers: { type: 'string', default: '1' },
    /** The ledger in a PostgreSQL of this machine, begun for this. */
    ledger: { type: 'string' },
    /** A folder for a processor profile of the gateway. */
    profile: { type: 'string' },
  },
})
const [questions, batches, workers] = [Number(values.questions), Number(values.batches), Number(values.workers)]
const warmUp = WARM_UP * workers
/** One family, one look-up: the question that the design's cost model speaks of. And all that a city keeps, in seven tables. */
const LICENCE = ['licence']
const EVERYTHING = ['licence', 'penalty', 'list', 'rating']
const agreementId = 'jiangyin-huizhou-2026'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-bench-'))
const federation = await makeFederation(folder, {
  cities: ['jiangyin', 'huizhou'],
  logLevel: 'info',
  edit: agreement => {
    agreement['quota'] = { questionsPerMinute: 1_000_000_000, subjectsPerDay: 1_000_000_000 }
  },
})
const answering = federation.city('jiangyin')
const codes = fill(join(answering.settings.data, 'city.sqlite'))
const asking = await readIdentity(federation.city('huizhou').settings, Date.now, [])
const { keys, members } = asking
if (keys === undefined || members === undefined) throw new Error('no keys')
const { signer } = keys
const known = members
const agreement = {
  id: agreementId,
  digest: digest(
    JSON.parse(readFileSync(join(folder, 'federation-config', 'agreements', `${agreementId}.json`), 'utf8')),
  ),
}

const profiling =
  values.profile === undefined
    ? {}
    : { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval=250 --cpu-prof-dir=${values.profile}` }
const where = values.ledger === undefined ? {} : { XINQIAO_LEDGER: values.ledger }
if (values.ledger !== undefined) await createLedgerAt(values.ledger, 'jiangyin')
const start = (environment: Readonly<Record<string, string>>) =>
  startProcess({ ...answering.environment, ...where, ...environment }, 'ignore', ['--workers', values.workers])
// As in the image, what the engine makes of each file is there already: a start before this one has left it.
await endProcess(await start({}))
const started = performance.now()
const gateway = await start(profiling)
const startup = performance.now() - started
const [origin = ''] = [`https://${answering.environment['XINQIAO_PEERS_LISTEN']}`]
const inside = `http://${answering.environment['XINQIAO_INSIDE_LISTEN']}`
const pool = new Pool(origin, {
  connections: CONNECTIONS * workers,
  pipelining: 1,
  connect: callerTls(keys, members),
})

try {
  // Long enough for the engine to have compiled what is hot: what is measured is a gateway that has run for minutes.
  await run(signed(warmUp / 2, 1, LICENCE))
  await run(signed(warmUp / 2, 1, EVERYTHING))
  const floors: Floor[] = []
  const single = await measure(questions, 1, LICENCE, floors)
  const { busy, alone } = median(floors)
  const batch = await measure(batches, 100, LICENCE)
  const wide = await measure(questions, 1, EVERYTHING)
  const wideBatch = await measure(batches, 100, EVERYTHING)
  const figures = {
    floor_us: round(busy),
    query_cpu_us: round(single.cpu),
    query_over_floor: round(single.cpu / busy, 2),
    batch100_subject_cpu_us: round(batch.cpu / 100, 2),
    queries_per_s: Math.round(single.perSecond),
    server_cores: round(single.cores, 2),
    generator_cores: round(single.generator, 2),
    p50_ms: round(single.p50),
    p99_ms: round(single.p99),
    startup_ms: Math.round(startup),
    rss_mb: Math.round(Math.max(single.rss, batch.rss)),
    floor_alone_us: round(alone),
    everything_over_floor: round(wide.cpu / busy, 2),
    everything_batch100_subject_cpu_us: round(wideBatch.cpu / 100, 2),
    everything_rss_mb: Math.round(wideBatch.rss),
    ...(await translateOverJson()),
  }
  await pool.close()
  await endProcess(gateway)
  const ledger = await verifyLedgerAt(values.ledger ?? answering.settings.ledger)
  // One entry for each, and one for the configuration of each start.
  const asked = 2 + warmUp + 2 * (questions + batches)
  if (!ledger.verified || ledger.entries !== asked) throw new Error(`${ledger.entries} entries for ${asked} answers`)
  if (values.json) console.log(JSON.stringify(figures))
  else for (const [name, figure] of Object.entries(figures)) console.log(`${name.padEnd(26)}${figure}`)
} finally {
  await endProcess(gateway)
  rmSync(folder, { recursive: true, force: true })
}

type Signed = { readonly token: string; readonly hash: string; readonly claims: Query }

/** Distinct questions about enterprises chosen in turn, signed before anything is timed. */
function signed(count: number, subjects: number, families: readonly string[]): Signed[] {
  return Array.from({ length: count }, (_, i) => {
    const iat = Math.floor(Date.now() / 1000)
    const claims: Query = {
      iss: 'huizhou',
      aud: 'jiangyin',
      iat,
      nbf: iat,
      exp: iat + 300,
      jti: randomUUIDv7(),
      agreement,
      purpose: 'tendering',
      matter: `惠招〔2026〕${i}号`,
      subjects: Array.from({ length: subjects }, (_, j) => codes[(i * subjects + j) % codes.length] ?? ''),
      want: families.map(family => ({ family })),
    }
    const { token, signingInput } = signer(types.query, JSON.stringify(claims))
    return { token, hash: sha256(signingInput), claims }
  })
}

/** Asks all of them over the open connections; gives the answers and how long each took, in milliseconds. */
async function run(questions: readonly Signed[]) {
  const answers = new Array<string>(questions.length)
  const times = new Float64Array(questions.length)
  let next = 0
  const ask = async () => {
    for (let i = next++; i < questions.length; i = next++) {
      const began = performance.now()
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/query',
        headers: { 'content-type': `application/${types.query}` },
        body: questions[i]?.token ?? '',
      })
      const text = await body.text()
      times[i] = performance.now() - began
      if (statusCode !== 200) throw new Error(`${statusCode} ${text}`)
      answers[i] = text
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS * workers }, ask))
  return { answers, times: times.sort() }
}

/**
 * Asks so many questions in slices. Before each slice the floor is taken, so that a machine whose speed drifts, as virtual ones
 * do, drifts for both.
 */
async function measure(count: number, subjects: number, families: readonly string[], floors?: Floor[]) {
  const times: Float64Array[] = []
  let [cpu, seconds, rss, generator] = [0, 0, 0, 0]
  for (let slice = 0; slice < SLICES; slice++) {
    const questions = signed(count / SLICES, subjects, families)
    if (floors !== undefined) floors.push(await takeFloor(questions[0]?.token ?? ''))
    const before = await usage()
    const [began, ours] = [performance.now(), process.cpuUsage()]
    const { answers, times: taken } = await run(questions)
    seconds += (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(ours)
    generator += (user + system) / 1e6
    const after = await usage()
    await check(questions, answers)
    cpu += after.cpu - before.cpu
    rss = Math.max(rss, after.rss)
    times.push(taken)
  }
  const all = Float64Array.from(times.flatMap(slice => [...slice])).sort()
  return {
    cpu: (cpu * 1e6) / count,
    perSecond: count / seconds,
    /** Processors kept at work: by the gateway, and by whoever asks. */
    cores: cpu / seconds,
    generator: generator / seconds,
    p50: all[Math.floor(all.length * 0.5)] ?? 0,
    p99: all[Math.floor(all.length * 0.99)] ?? 0,
    rss,
  }
}

/** Every answer is of its question, signed by the city that was asked, about every subject of it. */
async function check(questions: readonly Signed[], answers: readonly string[]): Promise<void> {
  const us = {
    id: 'huizhou',
    members: known,
    now: Date.now,
    seen: () => false,
    acquaint: async () => {},
    openers: () => new Map(),
  }
  for (const [i, { claims, hash }] of questions.entries()) {
    const asked = { jti: claims.jti, hash, peer: 'jiangyin', sealed: false }
    const { answer } = (await verifyAnswer(answers[i] ?? '', asked, us)).claims
    const good = answer.results.every(
      ({ status, subject, records }, j) =>
        status === 'answered' && subject === claims.subjects[j] && records.length > 0,
    )
    if (!good || answer.results.length !== claims.subjects.length)
      throw new Error(`answer ${i} is not what was asked for`)
  }
}

/** The gateway's own processor time in seconds and memory in megabytes, as it reports them. */
async function usage(): Promise<{ cpu: number; rss: number }> {
  const text = await (await request(`${inside}/metrics`)).body.text()
  const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  return { cpu: figure('process_cpu_seconds_total'), rss: figure('process_resident_memory_bytes') / 1e6 }
}

/** Microseconds of processor time, with another processor at work and without. */
type Floor = { readonly busy: number; readonly alone: number }

/**
 * Processor time of one ES256 check and one signature of a message of this size, by node:crypto: alone, and while another
 * processor is kept at work, as the load generator does while the gateway is measured. On machines whose processors share a
 * core, the same work takes a third longer then, and only like may be compared with like.
 */
async function takeFloor(message: string): Promise<Floor> {
  const alone = checkAndSign(message)
  const other = spawn(process.execPath, [
    '-e',
    'let n = 0; for (;;) n += JSON.stringify({ n, text: String(n) }).length',
  ])
  await happens(other, 'spawn')
  checkAndSign(message)
  const busy = checkAndSign(message)
  other.kill('SIGKILL')
  await happens(other, 'exit')
  return { busy, alone }
}

function checkAndSign(message: string, times = 2_000): number {
  const input = Buffer.from(message)
  const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) {
    verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
    sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

function median(floors: readonly Floor[]): Floor {
  const middle = (values: readonly number[]) => [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0
  return { busy: middle(floors.map(({ busy }) => busy)), alone: middle(floors.map(({ alone }) => alone)) }
}

/** Adds fictional enterprises: each with a licence, every third with a penalty, every fifth with a rating. Gives their codes. */
function fill(path: string): string[] {
  const tables = readTables(join(home, 'demo', 'jiangyin'))
  using db = new DatabaseSync(path)
  const copy = (name: string, rows: readonly number[]) => {
    const table = tables.find(each => each.table === name)
    const columns = Object.keys(table?.columns ?? {})
    const chosen = columns
      .filter(column => column !== 'ID' && column !== 'TYSHXYDM' && column !== 'JGQC' && column !== 'XZXDRMC')
      .map(column => `"${column}"`)
    const statement = db.prepare(
      `insert into "${name}" ("ID", "TYSHXYDM", "JGQC", ${columns.includes('XZXDRMC') ? '"XZXDRMC", ' : ''}${chosen.join(', ')})
       select ?, ?, ?, ${columns.includes('XZXDRMC') ? '?, ' : ''}${chosen.join(', ')} from "${name}" where "ID" = ?`,
    )
    const model = table?.rows[0]?.['ID']
    for (const i of rows) {
      const label = `江阴示例${i}号有限公司（虚构）`
      statement.run(
        `b${name}${i}`,
        made[i] ?? '',
        label,
        ...(columns.includes('XZXDRMC') ? [label] : []),
        typeof model === 'string' ? model : '',
      )
    }
  }
  const made = Array.from({ length: ENTERPRISES }, (_, i) => completeUscc(`91320281XX${String(i).padStart(6, '0')}`))
  const all = [...made.keys()]
  db.exec('begin')
  copy('YW_L_SGSXZXK', all)
  copy(
    'YW_L_XZCF',
    all.filter(i => i % 3 === 0),
  )
  copy(
    'YW_L_FRHYPD',
    all.filter(i => i % 5 === 0),
  )
  db.exec('commit')
  return made
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}
