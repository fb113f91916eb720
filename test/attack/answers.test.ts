/** Attacks with answers, one for each row of docs/threats.md: a peer that lies, or one who stands in its place, is not believed. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { types } from '#protocol/message.ts'
import { type Running, runFederation } from '../federation.ts'
import { answerTo, handmade, headerOf, outcome, served, standIn, sun, textile, trap } from './attacker.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation({ peerTimeout: 700 })
})
afterAll(() => running[Symbol.asyncDispose]())

const forger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const record = { id: '1', family: 'licence', fields: { number: '1' } }
const results = (over: object) => ({ results: [{ subject: sun, status: 'answered', records: [], ...over }] })

describe('an answer', () => {
  it('T14 forged by who holds the transport key alone is not believed, signed or not', async () => {
    const header = headerOf((await running.query('huizhou', 'jiangyin')).text)
    const { keys: own } = await running.identity('huizhou')
    const forgeries = [
      (claims: object) => ({ body: handmade(header, claims, forger) }),
      (claims: object) => ({ body: own.signer(types.answer, JSON.stringify(claims)).token }),
      (claims: object) => ({ type: 'application/json', body: JSON.stringify(claims) }),
      (claims: object) => ({
        body: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`,
      }),
    ]
    for (const forge of forgeries) {
      await using place = await standIn(running, async (question, token) => forge(answerTo(question, token)))
      expect(await outcome(running)).toEqual(['unknown', 'peer.answer'])
      expect(place.questions()).toBe(1)
    }
  })

  it('T15 to another question, of another time or for another city is not believed, though the peer signed it', async () => {
    const other = (await running.query('huizhou', 'jiangyin')).text
    const hour = Math.floor(Date.now() / 1000) - 3600
    const bodies = [
      () => other,
      ...[
        { req_jti: '01a20132-2522-7f35-83ee-7b82f9b98e86' },
        { req_hash: 'A'.repeat(43) },
        { iat: hour },
        { aud: 'jiangyin' },
      ],
    ]
    for (const body of bodies) {
      await using _ = await standIn(running, async (question, token, keys) => ({
        body:
          typeof body === 'function'
            ? body()
            : keys.signer(types.answer, JSON.stringify(answerTo(question, token, body))).token,
      }))
      expect(await outcome(running)).toEqual(['unknown', 'peer.answer'])
    }
  })

  it('T16 that holds more than was agreed is discarded whole, and none of it reaches the department', async () => {
    for (const body of [
      results({ subject: textile }),
      { results: [sun, textile].map(subject => ({ subject, status: 'answered', records: [] })) },
      results({ records: [{ ...record, fields: { number: '1', remark: '内部' } }] }),
      results({ records: [record, { id: '2', family: 'gossip', fields: {} }] }),
      results({ records: [{ id: '1', family: 'list', fields: { reason: '某' } }] }),
    ]) {
      await using _ = await standIn(running, async (question, token, keys) => ({
        body: keys.signer(types.answer, JSON.stringify(answerTo(question, token, {}, body))).token,
      }))
      expect(await outcome(running)).toEqual(['unknown', 'peer.overdisclosed'])
    }
  })

  it('T17 that hides what there is by contradicting itself, or by silence, is never a clean record', async () => {
    for (const body of [
      { freshness: [] },
      { freshness: [{ family: 'licence', status: 'unknown' }] },
      { results: [] },
      results({ unknown: [{ family: 'licence', rule: 'source.unreachable' }] }),
    ]) {
      await using _ = await standIn(running, async (question, token, keys) => ({
        body: keys.signer(types.answer, JSON.stringify(answerTo(question, token, {}, body))).token,
      }))
      const [said] = await outcome(running)
      expect(said).toBe('unknown')
    }
    await using _ = await standIn(running, async () => ({
      status: 404,
      type: 'application/problem+json',
      body: '{"type":"about:blank","title":"","status":404,"detail":"","code":"request.path","zh":""}',
    }))
    expect(await outcome(running)).toEqual(['unknown', 'peer.refused'])
  })

  it('T18 that sends us elsewhere is not followed', async () => {
    await using place = await trap()
    for (const status of [301, 302, 303, 307, 308]) {
      const elsewhere = {
        status,
        type: 'text/plain',
        headers: {
          location: `${place.url}query`,
          refresh: `0; url=${place.url}`,
          'alt-svc': `h2="${new URL(place.url).host}"`,
        },
        body: '',
      }
      await using _ = await standIn(running, async () => elsewhere, { introduction: elsewhere })
      // A gateway that starts asks who its peers are.
      await running.restart('huizhou')
      expect(await outcome(running)).toEqual(['unknown', 'peer.answer'])
    }
    expect(place.visits()).toBe(0)
  })

  it('T19 without end, too large or too late is cut off', async () => {
    async function* endless() {
      for (;;) yield 'A'.repeat(65_536)
    }
    for (const [body, code] of [
      ['a'.repeat(9_000_000), 'peer.answer'],
      [endless(), 'peer.answer'],
    ] as const) {
      await using _ = await standIn(running, async () => ({ body }))
      expect(await outcome(running)).toEqual(['unknown', code])
    }
    await using _ = await standIn(running, async () => undefined)
    const began = performance.now()
    expect(await outcome(running)).toEqual(['unknown', 'peer.slow'])
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

it('the two cities speak to each other after all of them', async () => {
  await served(running)
  expect(await outcome(running)).toEqual(['answered', undefined])
})
