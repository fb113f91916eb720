/** What operations see of a running gateway: whether it lives, whether it is ready and which condition is not met, and its counts. */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Problem, types } from '#protocol/message.ts'
import { Readiness } from '../../src/health.ts'
import { type Running, runFederation } from '../federation.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation()
})
afterAll(() => running[Symbol.asyncDispose]())

async function inside(path: string) {
  const response = await fetch(`${running.gateway('jiangyin').insideUrl}${path}`)
  return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() }
}

async function readiness() {
  const { status, text } = await inside('/health/ready')
  const { ready, checks } = Readiness.parse(JSON.parse(text))
  expect(ready).toBe(status === 200)
  return { status, failing: checks.filter(({ ok }) => !ok), checks }
}

describe('readiness', () => {
  it('is told beside life, and names every condition with the day it ends', async () => {
    expect(await inside('/health/live')).toMatchObject({ status: 200, text: '{"live":true}' })
    const { status, checks } = await readiness()
    expect(status).toBe(200)
    expect(checks.map(({ check }) => check)).toEqual([
      'signing-certificate',
      'transport-certificate',
      'roll',
      'revocation-lists',
      'clock',
      'ledger',
      'agreements',
      'configuration',
      'source:city',
    ])
    // What the throw-away authority gave thirty days, revocation lists included.
    for (const { until = '' } of checks.slice(0, 2)) {
      const days = (Date.parse(until) - Date.now()) / 86_400_000
      expect(days).toBeGreaterThan(29)
      expect(days).toBeLessThanOrEqual(30)
    }
    // The last day of the agreement, in Asia/Shanghai.
    expect(checks.find(({ check }) => check === 'agreements')?.until).toBe('2028-03-31T16:00:00.000Z')
  })

  it('fails while the source is gone, and names it; what is asked then is unknown and never empty', async () => {
    const table = join(running.federation.city('jiangyin').settings.data, 'city.sqlite')
    renameSync(table, `${table}.away`)
    try {
      const { status, failing } = await readiness()
      expect(status).toBe(503)
      expect(failing).toEqual([{ check: 'source:city', ok: false, detail: 'source.unreachable' }])
      expect((await inside('/health/live')).status).toBe(200)
      const request = {
        peer: 'jiangyin',
        subjects: ['91320281250344877K'],
        purpose: 'tendering',
        matter: '惠招〔2026〕1号',
        want: [{ family: 'licence' }],
      }
      const { body } = await running.ask('huizhou', request)
      expect(body.peers[0]?.results[0]).toMatchObject({
        status: 'unknown',
        records: [],
        unknown: [{ family: 'licence', reason: { code: 'source.unreachable' } }],
      })
    } finally {
      renameSync(`${table}.away`, table)
    }
    expect((await readiness()).status).toBe(200)
  })

  it('fails while the ledger cannot be written, and then nothing is answered nor asked', async () => {
    const { settings } = running.federation.city('jiangyin')
    const { ledger } = running.gateway('jiangyin').city
    const before = await ledger.count()
    using other = new DatabaseSync(join(settings.data, 'ledger.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    const response = await running.query('huizhou', 'jiangyin')
    expect([response.status, response.type]).toEqual([503, 'application/problem+json'])
    expect(Problem.parse(JSON.parse(response.text)).code).toBe('ledger.unavailable')
    const asked = await running.ask('jiangyin', {
      peer: 'huizhou',
      subjects: ['91441300195971850Y'],
      purpose: 'tendering',
      matter: '澄招〔2026〕1号',
    })
    expect([asked.status, asked.body.code]).toEqual([503, 'ledger.unavailable'])
    const { status, failing } = await readiness()
    expect([status, failing.map(({ check }) => check)]).toEqual([503, ['ledger']])
    other.exec('ROLLBACK')
    expect((await readiness()).status).toBe(200)
    expect(await ledger.count()).toBe(before)
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
  })
})

/** The samples of a Prometheus text (exposition format 0.0.4), by name and labels. Throws for a line that is none. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (\S+)$/
  expect(text.endsWith('\n')).toBe(true)
  for (const each of text.split('\n').filter(each => each !== '' && !/^# (HELP|TYPE) \S+ /.test(each))) {
    const [, name, value] = line.exec(each) ?? []
    if (name === undefined || value === undefined) throw new SyntaxError(each)
    samples.set(name, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
  }
  for (const value of samples.values()) expect(value).not.toBeNaN()
  return samples
}

describe('the metrics', () => {
  const subject = '91320281250344877K'
  const matter = '惠招〔2026〕不可外泄号'

  it('are Prometheus text, rise with what happens, and hold no subject and no matter', async () => {
    const before = samplesOf((await inside('/metrics')).text)
    await running.query('huizhou', 'jiangyin', { subjects: [subject], matter })
    await running.query('huizhou', 'jiangyin', { purpose: 'awards', matter })
    await running.post('huizhou', 'jiangyin', 'nonsense')
    await running.ask('jiangyin', { peer: 'huizhou', subjects: ['91441300195971850Y'], purpose: 'tendering', matter })
    const { status, type, text } = await inside('/metrics')
    expect([status, type]).toEqual([200, expect.stringMatching(/^text\/plain; version=0\.0\.4/)])
    const after = samplesOf(text)
    const rise = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
    const questions = (direction: string, outcome: string) =>
      rise(`xinqiao_questions_total{direction="${direction}",peer="huizhou",outcome="${outcome}"}`)
    expect(questions('in', 'answered')).toBe(1)
    expect(questions('in', 'refused')).toBe(1)
    expect(questions('out', 'answered')).toBe(1)
    expect(rise('xinqiao_refusals_total{code="agreement.purpose"}')).toBe(1)
    expect(rise('xinqiao_refusals_total{code="form.compact"}')).toBe(1)
    expect(rise('xinqiao_question_seconds_count{direction="in"}')).toBe(2)
    // Answered, refused, asked and its outcome.
    expect(rise('xinqiao_ledger_entries')).toBe(4)
    expect(after.get('xinqiao_questions_in_flight')).toBe(0)
    expect(after.get('xinqiao_ready{check="ledger"}')).toBe(1)
    expect(after.get('xinqiao_valid_until_seconds{what="agreements"}')).toBe(Date.parse('2028-03-31T16:00:00Z') / 1000)
    for (const secret of [subject, matter, '91441300195971850Y']) expect(text).not.toContain(secret)
  })

  it('are served inside alone: a peer finds nothing there', async () => {
    for (const path of ['/metrics', '/health/ready', '/openapi.json', '/ask']) {
      expect((await running.get('huizhou', 'jiangyin', path)).status).toBe(404)
    }
    const response = await fetch(`${running.gateway('jiangyin').insideUrl}/query`, {
      method: 'POST',
      headers: { 'content-type': `application/${types.query}` },
      body: 'a.b.c',
    })
    expect(response.status).toBe(404)
  })
})
