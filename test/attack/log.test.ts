/** Attacks on a city’s log and on those who watch it, one for each row of docs/threats.md: no history is told twice, and no peer is believed about another. */
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addRequest } from '#exchange/witness.ts'
import { signCheckpoint } from '#ledger/checkpoint.ts'
import { emptyRoot } from '#ledger/tree.ts'
import { judged, taken } from '../evidence.ts'
import type { Running } from '../federation.ts'
import { against, grow, met, watched } from '../watched.ts'
import { served } from './attacker.ts'

let running: Running
beforeAll(async () => {
  running = await watched()
  await grow(running, 'jiangyin', 3)
  await met(running)
}, 60_000)
afterAll(() => running[Symbol.asyncDispose]())

const of = (city: string) => running.gateway(city).transparency
/** Sends a checkpoint to be cosigned, over a connection of its own; gives the status, 0 where it is not heard. */
const submitted = async (from: string, to: string, body: string) => {
  const { post, members } = running.gateway(from).city
  const peer = members.find(to)
  if (peer === undefined) throw new Error(`no ${to}`)
  return await post.fetch(peer, '/witness/add-checkpoint', body).then(
    ({ status }) => status,
    () => 0,
  )
}

describe('a log', () => {
  it('T56 that shows one city another history than the others is convicted by its own two signatures', async () => {
    const { log } = of('jiangyin')
    const size = (await log.newest())?.size ?? 0
    const { keys } = await running.identity('jiangyin')
    const fork = signCheckpoint({ origin: log.origin, size, root: emptyRoot, extensions: [] }, keys.log)
    expect(await submitted('jiangyin', 'huizhou', addRequest(size, [], fork))).toBe(422)
    expect(await against(running, 'huizhou')).toEqual(['jiangyin forked'])
    const [found] = await of('huizhou').gossip.contradictions()
    expect([found?.found, found?.held.startsWith(log.origin)]).toEqual([fork, true])
    const metrics = await (await fetch(`${running.gateway('huizhou').insideUrl}/metrics`)).text()
    expect(metrics).toContain('xinqiao_log_contradiction{city="jiangyin"} 1')
    expect(await of('huizhou').gossip.acknowledge('jiangyin', 1, '王某')).toBe(1)
  })

  it('T57 whose city brings an old copy of its ledger back does not start again while a peer has seen more', async () => {
    const file = join(running.federation.city('jiangyin').settings.data, 'ledger.sqlite')
    const put = (copy: string) => {
      for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
      copyFileSync(copy, file)
    }
    await running.stop('jiangyin')
    copyFileSync(file, `${file}.old`)
    await running.start('jiangyin')
    await grow(running, 'jiangyin', 3)
    await met(running, 'jiangyin')
    await running.stop('jiangyin')
    copyFileSync(file, `${file}.newest`)
    put(`${file}.old`)
    await expect(running.start('jiangyin')).rejects.toThrow(/ledger.contradicted: shortened/)
    put(`${file}.newest`)
    await running.start('jiangyin')
    await served(running)
  })

  it('T58 is not slandered: what a peer shows of it counts with its own signature alone', async () => {
    const { witness } = of('huizhou')
    const { known } = witness
    const { keys } = await running.identity('huizhou')
    const { origin } = of('jiangyin').log
    const size = ((await of('jiangyin').log.newest())?.size ?? 0) + 100
    const made = signCheckpoint({ origin, size, root: emptyRoot, extensions: [] }, keys.log)
    const genuine = (await of('jiangyin').log.newest())?.note ?? ''
    const before = [await against(running, 'jiangyin'), await against(running, 'jimo')]
    for (const note of [made, genuine.replace(/\n\d+\n/, `\n${size}\n`), made.replace('— ', '— nobody-'), 'nonsense']) {
      Object.assign(witness, {
        known: async () => new Map([...(await known())].map(([city, row]) => [city, { ...row, note }])),
      })
      await of('jiangyin').gossip.round()
      await of('jimo').gossip.round()
    }
    Object.assign(witness, { known })
    expect([await against(running, 'jiangyin'), await against(running, 'jimo')]).toEqual(before)
    await expect(of('jiangyin').ledger.writable()).resolves.toBeUndefined()
    await served(running)
  })

  it('T59 of a member who sends its witnesses nonsense without end is soon not heard, and others are', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 200; i += 1) statuses.push(await submitted('jimo', 'jiangyin', 'nonsense'))
    expect(statuses.slice(0, 60).every(status => status === 400)).toBe(true)
    expect(statuses.filter(status => status === 400).length).toBeLessThan(150)
    await served(running)
  })

  it('T60 is no support for a file of evidence in which anything was changed', async () => {
    await met(running, 'jiangyin', 'huizhou')
    const { lines } = await taken(running, 'jiangyin')
    expect((await judged(running, lines)).verified).toBe(true)
    const changes: [RegExp, string][] = [
      [/tendering/, 'procurement'],
      [/"index":2/, '"index":3'],
      [/\\"status\\":\[\\"answered\\"\]/, '\\"status\\":[\\"refused\\"]'],
    ]
    const text = lines.map(line => JSON.stringify(line)).join('\n')
    for (const [from, to] of changes) {
      expect(text).toMatch(from)
      const forged = lines.map(line => JSON.parse(JSON.stringify(line).replace(from, to)))
      expect((await judged(running, forged)).verified).toBe(false)
    }
  })
})

it('nothing stands against anybody after all of them but what was found', async () => {
  expect([await against(running, 'jimo'), await against(running, 'jiangyin')]).toEqual([[], []])
})
