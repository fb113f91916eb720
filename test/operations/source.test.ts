/** Jiangyin keeps its tables in a real PostgreSQL, and that goes slow, down, stale, wrong and under load: the gateway says so, and holds. */
import { Writable } from 'node:stream'
import { pino } from 'pino'
import postgres, { type Sql } from 'postgres'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Answer, Problem, types } from '#protocol/message.ts'
import { cellText } from '../../src/demo-tables.ts'
import { callerTls } from '../../src/federation.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'
import { demoTables } from '../schema/cities.ts'
import { type Server, startPostgres } from '../source/postgres.ts'

const LICENCES = 'YW_L_SGSXZXK'
const sun = '91320281250344877K'

let server: Server
let sql: Sql
let running: Running
let written = ''
const connect = () => postgres(server.url, { max: 1, onnotice: () => {} })

beforeAll(async () => {
  server = await startPostgres()
  sql = connect()
  for (const { table, columns, rows } of demoTables('jiangyin')) {
    const names = Object.keys(columns)
    // What is asked for is behind a view, which can be made slow, or wrong, while the gateway runs.
    const name = table === LICENCES ? `${table}_T` : table
    await sql.unsafe(`create table "${name}" (${names.map(each => `"${each}" text`).join(', ')})`)
    for (const row of rows) {
      const cells = names.map(each => cellText(row[each])).map(cell => (cell === null ? null : String(cell)))
      await sql.unsafe(`insert into "${name}" values (${cells.map((_, i) => `$${i + 1}`).join(', ')})`, cells)
    }
  }
  await sql.unsafe(`create view "${LICENCES}" as select * from "${LICENCES}_T"`)
  const log = pino(
    { level: 'trace' },
    new Writable({
      write(chunk, _, done) {
        written += String(chunk)
        done()
      },
    }),
  )
  running = await runFederation({ log, source: city => (city === 'jiangyin' ? server.url : undefined) })
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await sql.end()
  await server.remove()
})

async function answered() {
  const { status, text } = await running.query('huizhou', 'jiangyin', { want: [{ family: 'licence' }] })
  expect(status).toBe(200)
  const { results, freshness } = Answer.parse(claimsIn(text)).answer
  return { result: results[0], freshness: freshness[0]?.status }
}

async function readiness() {
  const response = await fetch(`${running.gateway('jiangyin').insideUrl}/health/ready`)
  const { checks } = (await response.json()) as { checks: { check: string; ok: boolean; detail?: string }[] }
  return { status: response.status, source: checks.find(({ check }) => check === 'source:city') }
}

/** While `work` runs, whatever is asked of the licences takes so many seconds, or fails on what it reads. */
async function withView(condition: string, work: () => Promise<void>): Promise<void> {
  await sql.unsafe(`create or replace view "${LICENCES}" as select * from "${LICENCES}_T" where ${condition}`)
  try {
    await work()
  } finally {
    await sql.unsafe(`create or replace view "${LICENCES}" as select * from "${LICENCES}_T"`)
  }
}
const seconds = (n: number) => `(select pg_sleep(${n})) is not null`

describe('a source that', () => {
  it('answers is fresh', async () => {
    expect(await answered()).toMatchObject({ result: { status: 'answered', subject: sun }, freshness: 'fresh' })
    expect(await readiness()).toMatchObject({ status: 200, source: { ok: true } })
  })

  it('is slow makes the family unknown, with the reason, in bounded time', async () => {
    await withView(seconds(30), async () => {
      const began = performance.now()
      const { result, freshness } = await answered()
      expect(performance.now() - began).toBeLessThan(5_000)
      expect(result).toMatchObject({ status: 'unknown', records: [], unknown: [{ rule: 'source.slow' }] })
      expect(freshness).toBe('unknown')
    })
    expect((await answered()).result?.status).toBe('answered')
  })

  it('fails on what it reads makes the family unknown, and the log does not quote what it complains about', async () => {
    const from = written.length
    await withView(`"TYSHXYDM"::numeric > 0`, async () => {
      const { result } = await answered()
      expect(result).toMatchObject({ status: 'unknown', unknown: [{ rule: 'source.unreachable' }] })
    })
    expect(written.slice(from)).not.toContain(sun)
  })

  it('is down makes the family unknown and the gateway not ready, and is found again when it is back', async () => {
    await sql.end()
    await server.stop()
    try {
      const { result } = await answered()
      expect(result).toMatchObject({ status: 'unknown', records: [], unknown: [{ rule: 'source.unreachable' }] })
      const from = written.length
      expect(await readiness()).toMatchObject({ status: 503, source: { ok: false, detail: 'source.unreachable' } })
      // What the surface does not show, whoever runs the gateway finds in its log.
      expect(written.slice(from)).toMatch(/"check":"source:city","detail":"[^"]*ECONNREFUSED[^"]*".*"not ready"/)
    } finally {
      await server.start()
      sql = connect()
    }
    expect(await readiness()).toMatchObject({ status: 200, source: { ok: true } })
    expect((await answered()).result?.status).toBe('answered')
  })

  it('has not been supplied for too long is stale: what it holds is given, and said to be old', async () => {
    const old = Temporal.Now.plainDateISO('Asia/Shanghai').subtract({ days: 15 }).toString().replaceAll('-', '/')
    await sql.unsafe(`alter table "${LICENCES}_T" rename column "TGRQ" to "WAS"`)
    await sql.unsafe(`drop view "${LICENCES}"`)
    await sql.unsafe(`create view "${LICENCES}" as select *, '${old}' as "TGRQ" from "${LICENCES}_T"`)
    await running.restart('jiangyin')
    const { result, freshness } = await answered()
    expect([result?.status, freshness]).toEqual(['stale', 'stale'])
    expect(result?.records.length).toBeGreaterThan(0)
    await sql.unsafe(`drop view "${LICENCES}"`)
    await sql.unsafe(`alter table "${LICENCES}_T" rename column "WAS" to "TGRQ"`)
    await sql.unsafe(`create view "${LICENCES}" as select * from "${LICENCES}_T"`)
    await running.restart('jiangyin')
    expect((await answered()).freshness).toBe('fresh')
  })
})

describe('a gateway that is asked more than it can do', () => {
  // Of one city, and of all departments.
  const AT_ONCE = 128
  const ASKED_AT_ONCE = 256
  const MANY = ASKED_AT_ONCE + 60

  it('tells the last to come back, and answers all the others', async () => {
    const { keys, members } = await running.identity('huizhou')
    const pool = new Pool(running.gateway('jiangyin').peersUrl, {
      connections: MANY,
      connect: callerTls(keys, members),
    })
    const burst = <T>(each: (i: number) => Promise<T>) => Promise.all(Array.from({ length: MANY }, (_, i) => each(i)))
    // Every connection is open before the rush, so that it comes at once.
    await burst(async () => (await pool.request({ path: '/.well-known/openid-federation', method: 'GET' })).body.dump())
    const tokens = await burst(
      async () => keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin'))).token,
    )
    await withView(seconds(30), async () => {
      const responses = await burst(async i => {
        const { statusCode, headers, body } = await pool.request({
          path: '/query',
          method: 'POST',
          headers: { 'content-type': `application/${types.query}` },
          body: tokens[i] ?? '',
        })
        return { status: statusCode, after: headers['retry-after'], text: await body.text() }
      })
      const busy = responses.filter(({ status }) => status === 503)
      expect(busy.length).toBeGreaterThan(0)
      for (const { after, text } of busy) {
        expect(Number(after)).toBeGreaterThan(0)
        expect(Problem.parse(JSON.parse(text)).code).toBe('load.busy')
      }
      const others = responses.filter(({ status }) => status !== 503)
      expect(others.length).toBeGreaterThanOrEqual(AT_ONCE)
      for (const { status, text } of others) {
        expect(status).toBe(200)
        expect(Answer.parse(claimsIn(text)).answer.results[0]?.status).toBe('unknown')
      }
    })
    await pool.close()
    expect((await answered()).result?.status).toBe('answered')
  })

  it('is not let go of a question in hand when it is told to end', async () => {
    const request = { peer: 'jiangyin', subjects: [sun], purpose: 'tendering', matter: '惠招〔2026〕1号' }
    await withView(seconds(30), async () => {
      const asking = running.ask('huizhou', request)
      const metrics = `${running.gateway('jiangyin').insideUrl}/metrics`
      await vi.waitFor(async () => {
        expect(await (await fetch(metrics)).text()).toMatch(/^xinqiao_questions_in_flight [1-9]/m)
      }, 5_000)
      await Promise.all([running.stop('huizhou'), running.stop('jiangyin')])
      const { status, body } = await asking
      expect([status, body.peers[0]?.outcome]).toEqual([200, 'answered'])
    })
    await running.start('jiangyin')
    await running.start('huizhou')
  })

  it('tells departments the same, and gives no question that waits what was read for another', async () => {
    const request = { peer: 'jiangyin', subjects: [sun], purpose: 'tendering', matter: '惠招〔2026〕1号' }
    await withView(seconds(30), async () => {
      const responses = await Promise.all(Array.from({ length: MANY }, () => running.ask('huizhou', request)))
      const statuses = responses.map(({ status }) => status)
      expect(new Set(statuses)).toEqual(new Set([200, 503]))
      expect(statuses.filter(status => status === 200).length).toBeGreaterThanOrEqual(ASKED_AT_ONCE)
      // What was not asked is told as an error, what was asked and not answered as unknown: none as a clean record.
      for (const { status, body } of responses) {
        if (status === 503) expect(body.code).toBe('load.busy')
        else expect(body.peers[0]?.results[0]).toMatchObject({ status: 'unknown', records: [] })
      }
    })
  })
})
