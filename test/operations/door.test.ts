/** Strangers are bounded by address and in total, before any cryptography, and a peer that is known does not notice. */
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { network, openDoor } from '../../src/door.ts'
import {
  type Authorities,
  closed,
  type Identity,
  makeAuthorities,
  type Outside,
  openOutside,
  until,
} from './outside.ts'

let authorities: Authorities
let huizhou: Identity
let jiangyin: Identity
beforeAll(async () => {
  authorities = await makeAuthorities()
  huizhou = await authorities.identity('huizhou')
  jiangyin = await authorities.identity('jiangyin')
})

const SECOND = 1_000
const HOUR = 3_600 * SECOND

/** So many connections that say nothing, one after the other; gives how many of them were cut off, and for which reasons. */
async function crowd(outside: Outside, addresses: readonly string[], each: number) {
  const before = outside.turned.length
  const waiting = outside.door.strangers
  const sockets: Socket[] = []
  let received = 0
  for (const address of addresses) {
    for (let i = 0; i < each; i++) sockets.push(outside.plain(address).on('data', () => (received += 1)))
  }
  await until(() => outside.door.strangers - waiting + outside.turned.length - before >= sockets.length)
  const reasons = outside.turned.slice(before)
  return { sockets, received, off: reasons.length, why: [...new Set(reasons)] }
}

const addresses = (count: number, net = 1) => Array.from({ length: count }, (_, i) => `127.0.${net}.${i + 1}`)

async function leave(outside: Outside, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy()
  await until(() => outside.door.strangers === 0)
}

/** Comes as a member and is accepted. */
async function visit(outside: Outside, from: string, identity: Identity): Promise<void> {
  const before = outside.accepted.length
  const socket = outside.secure(from, identity)
  await until(() => outside.accepted.length > before || socket.destroyed)
  if (socket.destroyed) throw new Error('not accepted')
  socket.destroy()
}

describe('a stranger', () => {
  it('has 64 connections in their handshake from one address; the next is cut off without a word', async () => {
    const outside = await openOutside(authorities)
    const { off, why, received, sockets } = await crowd(outside, ['127.0.0.2'], 80)
    expect({ off, why, received }).toEqual({ off: 16, why: ['stranger-waiting'], received: 0 })
    expect(outside.door.strangers).toBe(64)
    await until(() => sockets.filter(({ destroyed }) => destroyed).length === 16)
    // Not one of those cut off came as far as TLS.
    expect(outside.failures).toEqual([])
  })

  it('has 64 handshakes at once and then 4 in a second, however soon it leaves', async () => {
    const outside = await openOutside(authorities)
    await leave(outside, (await crowd(outside, ['127.0.0.2'], 64)).sockets)
    expect(await crowd(outside, ['127.0.0.2'], 10)).toMatchObject({ off: 10, why: ['stranger-rate'] })
    outside.pass(2 * SECOND)
    expect(await crowd(outside, ['127.0.0.2'], 10)).toMatchObject({ off: 2, why: ['stranger-rate'] })
  })

  it('does not use up what another address has', async () => {
    const outside = await openOutside(authorities)
    await crowd(outside, ['127.0.0.2'], 80)
    expect(await crowd(outside, ['127.0.0.3'], 10)).toMatchObject({ off: 0 })
  })

  it.each([
    ['no certificate', async () => undefined],
    ['a certificate of another root', async () => (await makeAuthorities()).identity('huizhou')],
  ])('that shows %s is a stranger until it is gone, and what it cost is counted', async (_, identity) => {
    const outside = await openOutside(authorities)
    const shown = await identity()
    for (let i = 0; i < 64; i++) await closed(outside.secure('127.0.0.2', shown))
    await until(() => outside.door.strangers === 0)
    expect(outside.accepted).toEqual([])
    expect(await crowd(outside, ['127.0.0.2'], 1)).toMatchObject({ off: 1, why: ['stranger-rate'] })
  })
})

describe('all strangers together', () => {
  it('have 128 handshakes at once and 64 in a second, from however many addresses', async () => {
    const outside = await openOutside(authorities)
    const first = await crowd(outside, addresses(50), 2)
    await leave(outside, first.sockets)
    const second = await crowd(outside, addresses(50), 1)
    expect(first.off).toBe(0)
    expect(second).toMatchObject({ off: 22, why: ['strangers-rate'] })
    await leave(outside, second.sockets)
    outside.pass(SECOND)
    expect(await crowd(outside, addresses(50, 2), 2)).toMatchObject({ off: 36, why: ['strangers-rate'] })
  })

  it('have 128 in their handshake; who stalls makes room for a newcomer, who is quick is let finish', async () => {
    const outside = await openOutside(authorities)
    const { sockets } = await crowd(outside, addresses(64), 2)
    outside.pass(SECOND - 1)
    expect(await crowd(outside, ['127.0.0.9'], 1)).toMatchObject({ off: 1, why: ['strangers-waiting'] })
    outside.pass(1)
    const newcomer = outside.plain('127.0.0.9')
    await until(() => sockets[0]?.destroyed === true)
    expect(outside.turned.at(-1)).toBe('stalled')
    expect(newcomer.destroyed).toBe(false)
    expect(sockets.filter(({ destroyed }) => destroyed)).toHaveLength(1)
    expect(outside.door.strangers).toBe(128)
  })
})

describe('a peer', () => {
  /** Strangers from everywhere, until not one more is let in. */
  const flood = async (outside: Outside) => {
    await crowd(outside, addresses(64), 2)
    expect(await crowd(outside, ['127.0.0.99'], 1)).toMatchObject({ off: 1 })
  }

  it('is let in from an address it came from before, whatever strangers do elsewhere', async () => {
    const outside = await openOutside(authorities)
    await visit(outside, '127.0.0.5', huizhou)
    await flood(outside)
    for (let i = 0; i < 20; i++) expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(200)
    await expect(visit(outside, '127.0.0.6', huizhou)).rejects.toThrow('not accepted')
  })

  it('is known for twelve hours after its last connection', async () => {
    const outside = await openOutside(authorities)
    await visit(outside, '127.0.0.5', huizhou)
    outside.pass(11 * HOUR)
    await visit(outside, '127.0.0.5', huizhou)
    outside.pass(12 * HOUR - SECOND)
    await flood(outside)
    await visit(outside, '127.0.0.5', huizhou)
    outside.pass(12 * HOUR)
    await flood(outside)
    await expect(visit(outside, '127.0.0.5', huizhou)).rejects.toThrow('not accepted')
  })

  it('keeps its place however many addresses another city comes from, and eight of its own', async () => {
    const outside = await openOutside(authorities)
    await visit(outside, '127.0.0.5', huizhou)
    for (const address of addresses(9, 7)) await visit(outside, address, jiangyin)
    await flood(outside)
    await visit(outside, '127.0.0.5', huizhou)
    await visit(outside, '127.0.7.9', jiangyin)
    await expect(visit(outside, '127.0.7.1', jiangyin)).rejects.toThrow('not accepted')
  })

  it('shares its address with whoever floods from there, within bounds, and strangers elsewhere keep theirs', async () => {
    const outside = await openOutside(authorities)
    await visit(outside, '127.0.0.5', huizhou)
    const sockets = Array.from({ length: 520 }, () => outside.plain('127.0.0.5'))
    await until(() => outside.turned.length === 8)
    expect(new Set(outside.turned)).toEqual(new Set(['known-waiting']))
    for (const socket of sockets) socket.destroy()
    await until(() => outside.open() === 0)
    outside.pass(SECOND)
    const again = Array.from({ length: 40 }, () => outside.plain('127.0.0.5'))
    await until(() => outside.turned.length === 16)
    expect(outside.turned.slice(8)).toEqual(Array.from({ length: 8 }, () => 'known-rate'))
    expect(again).toHaveLength(40)
    expect(await crowd(outside, ['127.0.0.2'], 64)).toMatchObject({ off: 0 })
  })

  it('has 512 open connections from one address, and gets on with those when it wants more', async () => {
    const outside = await openOutside(authorities)
    const sockets = []
    for (let i = 0; i < 512; i++) {
      const before = outside.accepted.length
      sockets.push(outside.secure('127.0.0.5', huizhou))
      await until(() => outside.accepted.length > before)
      outside.pass(SECOND / 32)
    }
    await closed(outside.secure('127.0.0.5', huizhou))
    expect(outside.turned).toEqual(['city-connections'])
    expect(await outside.ask('127.0.0.6', huizhou, 'good')).toBe(200)
    sockets[0]?.destroy()
    await expect.poll(() => outside.ask('127.0.0.5', huizhou, 'good')).toBe(200)
    expect(sockets.slice(1).every(({ destroyed }) => !destroyed)).toBe(true)
  })
})

describe('questions', () => {
  it('have 256 places, at most 128 of them for one city', async () => {
    const outside = await openOutside(authorities)
    const hold = (identity: Identity, count: number) =>
      Array.from({ length: count }, () => outside.ask('127.0.0.5', identity, 'hold'))
    await visit(outside, '127.0.0.5', huizhou)
    const held = hold(huizhou, 128)
    await until(() => outside.door.seated === 128)
    expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(503)
    expect(await outside.ask('127.0.0.5', jiangyin, 'good')).toBe(200)
    held.push(...hold(jiangyin, 128))
    await until(() => outside.door.seated === 256)
    expect(await outside.ask('127.0.0.5', await authorities.identity('ningbo'), 'good')).toBe(503)
    outside.release()
    expect(new Set(await Promise.all(held))).toEqual(new Set([200]))
    expect(outside.door.seated).toBe(0)
    expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(200)
  })

  it('that fail cost 64 looks and then 4 in a second, and only their sender its turn', async () => {
    const outside = await openOutside(authorities)
    for (let i = 0; i < 64; i++) expect(await outside.ask('127.0.0.5', huizhou, 'bad')).toBe(401)
    for (let i = 0; i < 20; i++) expect(await outside.ask('127.0.0.5', huizhou, 'bad')).toBe(503)
    expect(outside.looks()).toBe(64)
    expect(await outside.ask('127.0.0.6', huizhou, 'good')).toBe(200)
    expect(await outside.ask('127.0.0.5', jiangyin, 'good')).toBe(200)
    outside.pass(SECOND)
    const after = await Promise.all(Array.from({ length: 4 }, () => outside.ask('127.0.0.5', huizhou, 'bad')))
    expect(after).toEqual([401, 401, 401, 401])
    expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(503)
    outside.pass(SECOND)
    expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(200)
  })

  it('that fail now and then do not keep a peer from being answered', async () => {
    const outside = await openOutside(authorities)
    for (let i = 0; i < 200; i++) {
      expect(await outside.ask('127.0.0.5', huizhou, i % 3 === 0 ? 'bad' : 'good')).toBe(i % 3 === 0 ? 401 : 200)
      outside.pass(SECOND / 10)
    }
  })

  it('that fail all at once are paid for before the next is heard, and not for ever', async () => {
    const outside = await openOutside(authorities)
    await visit(outside, '127.0.0.5', huizhou)
    const caller = { city: 'huizhou', address: '127.0.0.5' }
    for (let i = 0; i < 1_000; i++) outside.door.failed(caller)
    outside.pass(16 * SECOND)
    expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(503)
    outside.pass(SECOND)
    expect(await outside.ask('127.0.0.5', huizhou, 'good')).toBe(200)
  })
})

describe('the address of a caller', () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  const eight = fc.tuple(group, group, group, group, group, group, group, group)
  const written = (groups: readonly number[]) =>
    new URL(`http://[${groups.map(each => each.toString(16)).join(':')}]`).hostname.slice(1, -1)

  it('of IPv6 stands for its /64, in whatever form it is written', () => {
    fc.assert(
      fc.property(eight, fc.tuple(group, group, group, group), (groups, others) => {
        const [a, b, c, d] = groups
        const long = groups.map(each => each.toString(16).padStart(4, '0')).join(':')
        fc.pre(!written(groups).startsWith('::'))
        expect(network(written(groups))).toBe(network(long))
        expect(network(written([a, b, c, d, ...others]))).toBe(network(long))
        expect(network(written([a, b, c, d ^ 1, ...others]))).not.toBe(network(long))
      }),
    )
  })

  it.each([
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['2001:db8::192.0.2.1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'],
    ['1::', '1:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
  ])('%s stands for %s', (address, expected) => {
    expect(network(address)).toBe(expected)
  })
})

it('a door holds no timer and forgets who came once', async () => {
  const timers = () =>
    process.getActiveResourcesInfo().filter(each => each === 'Timeout' || each === 'Immediate').length
  const before = timers()
  const door = openDoor({}, Date.now)
  for (let i = 0; i < 20_000; i++)
    door.failed({ city: 'huizhou', address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` })
  expect(timers()).toBeLessThanOrEqual(before)
  // Ten thousand callers ago is forgotten, the latest is not.
  const failing = { city: 'huizhou', address: '10.9.9.9' }
  for (let i = 0; i < 64; i++) door.failed(failing)
  expect(() => door.hear(failing)).toThrow('load.busy')
  for (let i = 0; i < 5_000; i++) door.failed({ city: 'jiangyin', address: `10.1.${i >> 8}.${i & 255}` })
  expect(() => door.hear(failing)).not.toThrow()
})
