/**
 * A stranger can use up what is set aside for strangers and nothing else: who may connect, and whose questions are heard.
 *
 * Measured on the development machine: a handshake costs 0.7 ms of processor time whether it ends well or not, a connection
 * that is cut off before it 0.03 ms, a wrong signature 0.1 ms. Every number here follows from those three.
 */
import type { Socket } from 'node:net'
import type { TLSSocket, Server as TlsServer } from 'node:tls'
import { LRUCache } from 'lru-cache'
import { refuse } from '#protocol/refusal.ts'

/** A token bucket: so many at once, and then so many in a second. */
type Rate = { readonly burst: number; readonly perSecond: number }

/** One address that no member was seen at: a city that comes for the first time brings 16 connections, or a few times that. */
const stranger = { burst: 64, perSecond: 4, waiting: 64 }
/** All of them together: 5 % of one core, and 0.1 s of it at once. Waiting ones hold 60 KB each until they are cut off. */
const strangers = { burst: 128, perSecond: 64, waiting: 128 }
/**
 * One address that a member was seen at lately, whatever strangers do elsewhere. After a break all of a city's connections
 * come back at once; a flood from its address takes 2 % of one core after the first moment.
 */
const known = { burst: 512, perSecond: 32, waiting: 512 }
/** How long an address is known after the last connection of a member from it: a night, so that the morning is not strange. */
const KNOWN = 12 * 3_600_000
/** Addresses known for one city, so that no city can crowd out another's: two sites with a few machines each. */
const KNOWN_ADDRESSES = 8
/** After this a handshake that is still under way makes room for a newcomer; milliseconds. An honest one takes 0.2 s. */
const STALLED = 1_000
/** Open connections that showed a city's certificate, from one address and from all: memory, 60 KB each. */
const CONNECTIONS = { address: 512, city: 1_024 }
/** Questions answered at once, so that none waits without end; and of one city, so that another finds a place. */
const SEATS = { all: 256, city: 128 }
/**
 * Messages that were refused before they were verified, of one city at one address. A city whose clock or key is wrong is
 * still told so four times in a second; what is beyond costs neither a parse nor a signature.
 */
const failures: Rate = { burst: 64, perSecond: 4 }
/** Addresses remembered of strangers, and callers whose messages failed: some 200 bytes each. */
const REMEMBERED = 4_096

/** Why a connection was cut off: what it was beyond. The words are labels of a metric. */
export type Turned =
  | 'stranger-rate'
  | 'stranger-waiting'
  | 'strangers-rate'
  | 'strangers-waiting'
  | 'stalled'
  | 'known-rate'
  | 'known-waiting'
  | 'city-connections'

/** A city at an address (as node:net writes it): the two together are who asks. */
type Caller = { readonly city: string; readonly address: string | undefined }

export type Door = {
  /** How many connections are open that have not shown an accepted certificate. */
  readonly strangers: number
  /** How many questions are being answered. */
  readonly seated: number
  /** Stands before a server's handshake: what is too much is cut off before any cryptography. Before it listens. */
  guard(server: TlsServer): void
  /**
   * The certificate of a connection was accepted for this city. False where the city has too many connections already, or
   * this one has ended: then it is to be destroyed.
   */
  accept(connection: TLSSocket, city: string): boolean
  /** Throws `load.busy` where too many messages of this caller failed lately. Costs nothing; asked before a byte is read. */
  hear(caller: Caller): void
  /** A place for one question, to be given back. Throws `load.busy` where none is free, and what `hear` throws. */
  seat(caller: Caller): Disposable
  /** A message of this caller was refused before it was verified. */
  failed(caller: Caller): void
}

type Bucket = { tokens: number; at: number }
/** What an address may still do, and how many of its connections are in their handshake. */
type Allotment = Bucket & { waiting: number }
type Familiar = Allotment & { until: number }
type Waiting = {
  readonly socket: Socket
  readonly since: number
  readonly isStranger: boolean
  readonly leave: () => void
}

/**
 * One door for one gateway process. Holds no timer, and no more than a few megabytes. `turned` hears of every connection
 * that is cut off. `now` gives milliseconds; where that clock goes back, nothing is refilled meanwhile.
 */
export function openDoor({ turned }: { readonly turned?: (why: Turned) => void }, now: () => number): Door {
  const rooms = { strangers: { ...full(strangers, now()), waiting: 0 }, seated: 0 }
  const strange = new LRUCache<string, Allotment>({ max: REMEMBERED })
  const familiar = new Map<string, LRUCache<string, Familiar>>()
  const standings = new LRUCache<string, Bucket>({ max: REMEMBERED })
  const connections = new Map<string, Map<string, number>>()
  const seats = new Map<string, number>()
  /** Connections in their handshake, by their two ends; the longest waiting come first. */
  const waiting = new Map<string, Waiting>()

  /** What members were given at an address, if any was seen there lately: the one that has most left. */
  const familiarAt = (address: string, at: number): Familiar | undefined => {
    let best: Familiar | undefined
    for (const addresses of familiar.values()) {
      // Peeked at: what keeps an address known is a certificate, not a connection.
      const found = addresses.peek(address)
      if (found === undefined || found.until <= at) continue
      if (best === undefined || refilled(found, known, at) > refilled(best, known, at)) best = found
    }
    return best
  }
  const overKnown = (allotment: Allotment, at: number): Turned | undefined => {
    if (allotment.waiting >= known.waiting) return 'known-waiting'
    return refilled(allotment, known, at) < 1 ? 'known-rate' : undefined
  }
  const overStrange = (allotment: Allotment, at: number): Turned | undefined => {
    if (allotment.waiting >= stranger.waiting) return 'stranger-waiting'
    if (refilled(allotment, stranger, at) < 1) return 'stranger-rate'
    if (refilled(rooms.strangers, strangers, at) < 1) return 'strangers-rate'
    return rooms.strangers.waiting >= strangers.waiting && !makeRoom(at) ? 'strangers-waiting' : undefined
  }
  /** Cuts off the stranger that has been at its handshake for longest, if that is longer than a handshake takes. */
  const makeRoom = (at: number): boolean => {
    for (const { socket, since, isStranger, leave } of waiting.values()) {
      if (at - since < STALLED) return false
      if (!isStranger) continue
      leave()
      socket.resetAndDestroy()
      turned?.('stalled')
      return true
    }
    return false
  }

  const admit = (socket: Socket): boolean => {
    const at = now()
    const { remoteAddress, remotePort } = socket
    // It left before it was looked at.
    if (remoteAddress === undefined) return false
    const address = network(remoteAddress)
    const here = familiarAt(address, at)
    const allotment = here ?? remembered(strange, address, () => ({ ...full(stranger, at), waiting: 0 }))
    const over = here === undefined ? overStrange(allotment, at) : overKnown(allotment, at)
    if (over !== undefined) {
      turned?.(over)
      return false
    }
    const counted = here === undefined ? [allotment, rooms.strangers] : [allotment]
    for (const each of counted) {
      each.tokens -= 1
      each.waiting += 1
    }
    const key = ends(remoteAddress, remotePort)
    const leave = () => {
      if (waiting.get(key)?.leave !== leave) return
      waiting.delete(key)
      for (const each of counted) each.waiting -= 1
    }
    waiting.set(key, { socket, since: at, isStranger: here === undefined, leave })
    socket.once('close', leave)
    return true
  }

  const hear = (caller: Caller) => {
    const standing = standings.get(callerKey(caller))
    if (standing !== undefined && refilled(standing, failures, now()) < 1) {
      throw refuse('load.busy', `too many messages of ${caller.city} at ${caller.address} failed`)
    }
  }

  return {
    get strangers() {
      return rooms.strangers.waiting
    },
    get seated() {
      return rooms.seated
    },
    guard(server) {
      // node:tls begins its handshake in its own listener of this event, so ours takes its place and calls it.
      const handshake = server.listeners('connection')
      server.removeAllListeners('connection')
      server.on('connection', (socket: Socket) => {
        if (admit(socket)) for (const each of handshake) each.call(server, socket)
        else socket.resetAndDestroy()
      })
    },
    accept(connection, city) {
      const { remoteAddress, remotePort } = connection
      if (remoteAddress === undefined || connection.destroyed) return false
      waiting.get(ends(remoteAddress, remotePort))?.leave()
      const at = now()
      const address = network(remoteAddress)
      const addresses = remembered(familiar, city, () => new LRUCache<string, Familiar>({ max: KNOWN_ADDRESSES }))
      remembered(addresses, address, () => ({ ...full(known, at), waiting: 0, until: 0 })).until = at + KNOWN
      const open = remembered(connections, city, () => new Map<string, number>())
      const here = open.get(address) ?? 0
      const all = open.values().reduce((sum, each) => sum + each, 0)
      if (here >= CONNECTIONS.address || all >= CONNECTIONS.city) {
        turned?.('city-connections')
        return false
      }
      open.set(address, here + 1)
      connection.once('close', () => {
        lessen(open, address)
        if (open.size === 0) connections.delete(city)
      })
      return true
    },
    hear,
    seat(caller) {
      hear(caller)
      const { city } = caller
      const taken = seats.get(city) ?? 0
      if (rooms.seated >= SEATS.all) throw refuse('load.busy', 'no place is free')
      if (taken >= SEATS.city) throw refuse('load.busy', `${city} has all the places that one city may have`)
      rooms.seated += 1
      seats.set(city, taken + 1)
      let seated = true
      return {
        [Symbol.dispose]() {
          if (!seated) return
          seated = false
          rooms.seated -= 1
          lessen(seats, city)
        },
      }
    },
    failed(caller) {
      const standing = remembered(standings, callerKey(caller), () => full(failures, now()))
      // Those that were seated together may run into debt; it ends with what they cost, not with who sent them.
      standing.tokens = Math.max(refilled(standing, failures, now()) - 1, -failures.burst)
    },
  }
}

function full({ burst }: Rate, at: number): Bucket {
  return { tokens: burst, at }
}

/** What is in a bucket now. */
function refilled(bucket: Bucket, { burst, perSecond }: Rate, at: number): number {
  const seconds = Math.max(0, at - bucket.at) / 1000
  bucket.tokens = Math.min(burst, bucket.tokens + seconds * perSecond)
  bucket.at = at
  return bucket.tokens
}

function remembered<V extends object>(kept: Map<string, V> | LRUCache<string, V>, key: string, make: () => V): V {
  const found = kept.get(key)
  if (found !== undefined) return found
  const made = make()
  kept.set(key, made)
  return made
}

function lessen(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0
  if (count > 1) counts.set(key, count - 1)
  else counts.delete(key)
}

function ends(address: string, port: number | undefined): string {
  return `${address} ${port}`
}

function callerKey({ city, address }: Caller): string {
  return `${city} ${address === undefined ? '' : network(address)}`
}

/**
 * Who an address stands for: an IPv4 address for itself, also where an IPv6 socket writes it as mapped (RFC 4291 section
 * 2.5.5.2); an IPv6 address for its /64, since a single host is given that many (RFC 6177). Takes what node:net gives as
 * `remoteAddress`.
 */
export function network(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  // The last group of an address may be written as IPv4 and then stands for two.
  const width = rest.length + (rest.at(-1)?.includes('.') ? 1 : 0)
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - width)
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...rest]
  return `${all
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
