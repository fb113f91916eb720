/** A gateway takes up another configuration while it runs: whole, recorded, and without one question lost. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigurationError } from '#protocol/fault.ts'
import { Readiness } from '../../src/health.ts'
import { endProcess, startProcess } from '../../src/process.ts'
import { type Running, runFederation } from '../federation.ts'

const question = {
  peer: 'jiangyin',
  subjects: ['91320281250344877K'],
  purpose: 'tendering',
  matter: '惠招〔2026〕118号',
}

const Family = z.looseObject({ fields: z.array(z.string()) })
const Grants = z.looseObject({ grants: z.array(z.looseObject({ families: z.record(z.string(), Family) })) })

let running: Running
beforeAll(async () => {
  running = await runFederation()
})
afterAll(() => running[Symbol.asyncDispose]())

const places = () => running.federation.city('jiangyin').settings

async function configuration(city: string) {
  const ready = await fetch(`${running.gateway(city).insideUrl}/health/ready`)
  return Readiness.parse(await ready.json()).checks.find(({ check }) => check === 'configuration')?.detail ?? ''
}

/** The entries that say which configuration held. */
async function configured(city: string) {
  const all = await running.gateway(city).city.ledger.entries({ from: 0, limit: 10_000 })
  return all.flatMap(({ entry }) => (entry.kind === 'configured' ? [entry] : []))
}

async function fieldsOf(family: string): Promise<string[]> {
  const { body } = await running.ask('huizhou', question)
  const records = body.peers.flatMap(({ results }) => results ?? []).flatMap(({ records }) => records ?? [])
  return [
    ...new Set(
      records.filter(({ shared }) => shared.family === family).flatMap(({ shared }) => Object.keys(shared.fields)),
    ),
  ]
}

describe('the configuration that a gateway starts with', () => {
  it('stands in the ledger with the digest of every file, and in readiness', async () => {
    const [first] = await configured('jiangyin')
    expect(Object.keys(first?.digests ?? {})).toEqual(
      expect.arrayContaining([
        'agreements/jiangyin-huizhou-2026.json',
        'mappings/jiangyin.json',
        'vocabulary/families.json',
      ]),
    )
    expect(first?.changed).toEqual(Object.keys(first?.digests ?? {}).sort())
    expect(await configuration('jiangyin')).toMatch(/^[\w-]{12} since 20/)
  })
})

it('a start records the files that differ from those of the entry before, and none where none does', async () => {
  await running.restart('jiangyin')
  expect((await configured('jiangyin')).at(-1)?.changed).toEqual([])
  await running.stop('jiangyin')
  const file = join(places().config, 'measures', 'jiangyin.json')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, `${text}\n`)
  // Where the entry before is, the ledger knows without our note.
  rmSync(join(places().data, 'configured'))
  await running.start('jiangyin')
  const [, second, third] = await configured('jiangyin')
  expect(third?.changed).toEqual(['measures/jiangyin.json'])
  expect(third?.digests['measures/jiangyin.json']).not.toBe(second?.digests['measures/jiangyin.json'])
  writeFileSync(file, text)
  await running.gateway('jiangyin').reload()
})

describe('a reload', () => {
  it('of the same files changes nothing, and records nothing', async () => {
    const before = await configured('jiangyin')
    expect(await running.gateway('jiangyin').reload()).toEqual([])
    expect(await configured('jiangyin')).toEqual(before)
  })

  it('of a narrower agreement holds from the next question on, with its digest in the ledger', async () => {
    expect(await fieldsOf('licence')).toContain('holder')
    await running.federation.agree(agreement => {
      const { grants } = Grants.parse(agreement)
      for (const { families } of grants) {
        const licence = families['licence']
        if (licence !== undefined) licence.fields = licence.fields.filter(field => field !== 'holder')
      }
      agreement['grants'] = grants
    })
    for (const city of ['jiangyin', 'huizhou']) {
      expect(await running.gateway(city).reload()).toEqual(['agreements/jiangyin-huizhou-2026.json'])
    }
    const fields = await fieldsOf('licence')
    expect(fields.length).toBeGreaterThan(0)
    expect(fields).not.toContain('holder')
    const [first, second] = (await configured('jiangyin')).slice(-2)
    expect(second?.changed).toEqual(['agreements/jiangyin-huizhou-2026.json'])
    expect(second?.digests['agreements/jiangyin-huizhou-2026.json']).not.toBe(
      first?.digests['agreements/jiangyin-huizhou-2026.json'],
    )
  })

  it('of files with a fault changes nothing, says every fault, and goes on with what it had', async () => {
    const before = await configured('jiangyin')
    const mapping = join(places().config, 'mappings', 'jiangyin.json')
    const families = join(places().config, 'vocabulary', 'families.json')
    const [sound, whole] = [readFileSync(mapping, 'utf8'), readFileSync(families, 'utf8')]
    writeFileSync(mapping, sound.replace('"family": "licence"', '"family": "licences"'))
    try {
      await expect(running.gateway('jiangyin').reload()).rejects.toThrow(ConfigurationError)
      expect(await configured('jiangyin')).toEqual(before)
      expect(await configuration('jiangyin')).toMatch(/what is on disk is not taken.*mappings\/jiangyin.json/s)
      expect((await running.ask('huizhou', question)).body.peers[0]?.outcome).toBe('answered')
    } finally {
      writeFileSync(mapping, sound)
      writeFileSync(families, whole)
    }
    await running.gateway('jiangyin').reload()
    expect(await configuration('jiangyin')).toMatch(/^[\w-]{12} since [^;]*$/)
  })

  it('of other thresholds lets stand out by them what was asked before, and again what those before let stand out', async () => {
    const alerts = async () => {
      const text = await (await fetch(`${running.gateway('jiangyin').insideUrl}/metrics`)).text()
      return text.split('\n').filter(line => line.startsWith('xinqiao_unusual_use{') && line.includes('"matter"'))
    }
    const file = join(places().config, 'unusual.json')
    const shipped = readFileSync(file, 'utf8')
    const said = { direction: 'in', asker: 'huizhou', rule: 'matter' }
    const sample = `xinqiao_unusual_use{${Object.entries(said).map(([name, value]) => `${name}="${value}"`)}} 1`
    await running.query('huizhou', 'jiangyin', { matter: '无' })
    await running.query('huizhou', 'jiangyin', { matter: '测试' })
    expect(await alerts()).toEqual([])
    writeFileSync(file, JSON.stringify({ matter: { questions: 2 } }))
    expect(await running.gateway('jiangyin').reload()).toEqual(['unusual.json'])
    await expect.poll(alerts).toEqual([sample])
    // What is asked from now on is counted with what was asked before.
    rmSync(file)
    expect(await running.gateway('jiangyin').reload()).toEqual(['unusual.json'])
    await expect.poll(alerts).toEqual([])
    await running.query('huizhou', 'jiangyin', { matter: '无' })
    await expect.poll(alerts).toEqual([sample])
    writeFileSync(file, shipped)
    expect(await running.gateway('jiangyin').reload()).toEqual(['unusual.json'])
    expect((await configured('jiangyin')).at(-1)?.changed).toEqual(['unusual.json'])
  })

  it('under load loses no question, and each is answered under one configuration', { timeout: 120_000 }, async () => {
    let stopped = false
    const outcomes: (string | undefined)[] = []
    const lane = async () => {
      while (!stopped) outcomes.push((await running.ask('huizhou', question)).body.peers[0]?.outcome)
    }
    const lanes = [lane(), lane(), lane(), lane()]
    const vocabulary = join(places().config, 'vocabulary', 'families.json')
    const text = readFileSync(vocabulary, 'utf8')
    for (let round = 0; outcomes.length < 40; round += 1) {
      // Another digest and the same meaning: every database is opened anew under the questions.
      writeFileSync(vocabulary, `${text}${' '.repeat(round % 2)}`)
      await Promise.all([running.gateway('jiangyin').reload(), running.gateway('huizhou').reload()])
    }
    stopped = true
    await Promise.all(lanes)
    expect(new Set(outcomes)).toEqual(new Set(['answered']))
  })
})

it('a gateway that is told by SIGHUP takes its files up as well', async () => {
  const { environment, settings } = running.federation.city('jiangyin')
  await running.stop('jiangyin')
  const child = await startProcess(environment)
  try {
    const detail = async () => {
      const response = await fetch(`http://127.0.0.1:${settings.insideListen.port}/health/ready`)
      return Readiness.parse(await response.json()).checks.find(({ check }) => check === 'configuration')?.detail
    }
    const before = await detail()
    const file = join(settings.config, 'measures', 'jiangyin.json')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
    child.kill('SIGHUP')
    await expect.poll(detail).not.toBe(before)
  } finally {
    await endProcess(child)
    await running.start('jiangyin')
  }
})
