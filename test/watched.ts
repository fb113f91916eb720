/** Cities that watch each other's logs, and meet when a test calls for it. */
import { expect } from 'vitest'
import { type Running, runFederation } from './federation.ts'

/** Rounds that the gateways make by themselves are far apart: here each is called for. */
const SELDOM = 3_600_000

/** Three cities, or those of the options, that know each other's logs. The last to start has heard of all; the others start once more. */
export async function watched(options: Parameters<typeof runFederation>[0] = {}): Promise<Running> {
  const running = await runFederation({ cities: ['jiangyin', 'huizhou', 'jimo'], round: SELDOM, ...options })
  for (const { id } of running.federation.cities.slice(0, -1)) await running.restart(id)
  for (const { id } of running.federation.cities) await acquainted(running, id)
  return running
}

/** A city hears what each of the others has to say of itself. */
export async function acquainted(running: Running, city: string): Promise<void> {
  const { members, acquaint } = running.gateway(city).city
  for (const { id } of members.all) if (id !== city) await acquaint(id)
}

/** Brings a city's log up to its ledger and has its peers cosign it; every city, where none is named. */
export async function met(running: Running, ...cities: readonly string[]): Promise<void> {
  for (const id of cities.length > 0 ? cities : running.federation.cities.map(each => each.id)) {
    await running.gateway(id).transparency.log.integrate()
    await running.gateway(id).transparency.gossip.round()
  }
}

/** What a city holds against others: `<city> <contradiction>` of each. */
export async function against(running: Running, witness: string): Promise<string[]> {
  const found = await running.gateway(witness).transparency.gossip.contradictions()
  return found.map(({ city, name }) => `${city} ${name}`)
}

/** So many questions of Huizhou that a city answers, and its log with them; gives the size. */
export async function grow(running: Running, city: string, questions: number): Promise<number> {
  for (let i = 0; i < questions; i += 1) expect((await running.query('huizhou', city)).status).toBe(200)
  return (await running.gateway(city).transparency.log.integrate()).size
}
