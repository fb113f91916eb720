/** What node:tls and OpenSSL bound by themselves on the way in, so that nothing of ours has to: held to it, since an upgrade may change it. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { readCertificate, readCrls, TRANSPORT, validatePath } from '#trust/certificate.ts'
import { daysFromNow, type Made, makeCrl, makeIssuer, makeMember, makeRoot } from '../certificates.ts'
import { type Authorities, closed, type Identity, makeAuthorities, openOutside, until } from './outside.ts'

let authorities: Authorities
let huizhou: Identity
beforeAll(async () => {
  authorities = await makeAuthorities()
  huizhou = await authorities.identity('huizhou')
})

/** Milliseconds that something takes. */
async function took(what: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await what()
  return performance.now() - began
}

/** How often the event loop was held up, and for how long at most, while something went on. */
async function longestTurn(what: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = performance.now()
  let on = true
  const look = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
    if (on) setImmediate(look)
  }
  look()
  await what()
  on = false
  return longest
}

/** Half of what a client says first: a record of 512 bytes is announced, and then come a few. */
const HELLO = Buffer.from('1603010200010001fc0303', 'hex')

describe('a handshake that', () => {
  const quick = { handshakeTimeout: 1_000 }

  it.concurrent.each([
    ['never begins', () => undefined],
    ['stops half way', (socket: Socket) => socket.write(HELLO)],
    [
      'drips, a byte at a time',
      (socket: Socket) => {
        socket.write(HELLO)
        const drip = setInterval(() => socket.write('a'), 100)
        socket.once('close', () => clearInterval(drip))
      },
    ],
    ['closes its half after the first bytes', (socket: Socket) => socket.end(HELLO)],
  ])('%s ends when its time is over', async (_, say) => {
    const outside = await openOutside(authorities, quick)
    const socket = outside.plain('127.0.0.2')
    say(socket)
    expect(await took(() => closed(socket))).toBeLessThan(2_000)
    await until(() => outside.door.strangers === 0)
  })

  it('speaks TLS 1.2 is refused, and with it renegotiation', async () => {
    const outside = await openOutside(authorities)
    await closed(outside.secure('127.0.0.2', huizhou, { maxVersion: 'TLSv1.2' }))
    expect(outside.failures).toEqual(['ERR_SSL_UNSUPPORTED_PROTOCOL'])
    const socket = outside.secure('127.0.0.2', huizhou)
    await until(() => outside.accepted.length === 1)
    const error = await new Promise<Error | null>(resolve => socket.renegotiate({}, resolve))
    expect(error).toMatchObject({ code: 'ERR_SSL_WRONG_SSL_VERSION' })
  })

  it('offers no HTTP/1.1 is refused', async () => {
    const outside = await openOutside(authorities)
    await closed(outside.secure('127.0.0.2', huizhou, { ALPNProtocols: ['h2'] }))
    expect(outside.accepted).toEqual([])
  })
})

describe('a chain of certificates', () => {
  /** A member's certificate, and behind it so many bytes of certificates that look like its issuers. */
  const stuffed = async (bytes: number): Promise<Identity> => {
    const { certificate, key } = await authorities.member('huizhou')
    const one = await makeIssuer({ issuer: authorities.root })
    return {
      cert: certificate + authorities.issuer.certificate + one.certificate.repeat(Math.floor(bytes / one.der.length)),
      key,
    }
  }

  it('of more than 100 KiB ends the handshake unread', async () => {
    const outside = await openOutside(authorities)
    const socket = outside.secure('127.0.0.2', await stuffed(110_000))
    await closed(socket)
    expect(outside.failures).toEqual(['ERR_SSL_EXCESSIVE_MESSAGE_SIZE'])
    expect(outside.accepted).toEqual([])
  })

  it('of almost 100 KiB holds nobody else up', async () => {
    const outside = await openOutside(authorities)
    const identity = await stuffed(90_000)
    const longest = await longestTurn(async () => {
      const socket = outside.secure('127.0.0.2', identity)
      await until(() => outside.accepted.length + outside.failures.length > 0 || socket.destroyed)
    })
    expect(longest).toBeLessThan(200)
  })

  it('of nine authorities who all certify each other, and lead nowhere, runs out of its budget', async () => {
    const { root, anchors } = authorities
    const nine: Made[] = []
    for (let i = 0; i < 9; i++) nine.push(await makeIssuer({ subject: `CN=Authority ${i}`, issuer: root }))
    const untrusted: Made[] = []
    for (const { subject, keys } of nine) {
      for (const issuer of nine) {
        if (issuer.subject !== subject) untrusted.push(await makeIssuer({ subject, keys, issuer }))
      }
    }
    const leaf = await makeMember({ issuer: nine[0] ?? root, city: 'huizhou', kind: 'tls' })
    const input = {
      leaf: readCertificate(leaf.certificate),
      untrusted: untrusted.map(({ certificate }) => readCertificate(certificate)),
      roots: [readCertificate(root.certificate)],
      at: new Date(),
      crls: anchors.crls,
      purposes: TRANSPORT,
      profile: 'federation' as const,
    }
    const began = performance.now()
    expect(validatePath(input)).toMatchObject({ ok: false, reason: 'path.budget' })
    expect(performance.now() - began).toBeLessThan(200)
  })

  it('of other authorities of the same names is refused by OpenSSL, and ours is not asked', async () => {
    const outside = await openOutside(authorities)
    const own = await makeIssuer({ issuer: await makeRoot({ subject: authorities.root.subject }) })
    const leaf = await makeMember({ issuer: own, city: 'huizhou', kind: 'tls' })
    await closed(outside.secure('127.0.0.2', { cert: leaf.certificate + own.certificate, key: leaf.key }))
    await until(() => outside.open() === 0)
    expect(outside.accepted).toEqual([])
    expect(outside.failures.join()).not.toContain('token.certificate')
  })
})

describe('a session that is resumed', () => {
  /** Connects, and gives the ticket with which to come back. */
  const ticketOf = async (outside: Awaited<ReturnType<typeof openOutside>>, identity: Identity): Promise<Buffer> => {
    const socket = outside.secure('127.0.0.2', identity)
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    socket.once('session', resolve)
    socket.resume()
    return promise
  }

  it('is proved anew, by the certificate that was shown when it began', async () => {
    const outside = await openOutside(authorities)
    const session = await ticketOf(outside, huizhou)
    const socket = outside.secure('127.0.0.2', huizhou, { session })
    await until(() => outside.accepted.length === 2)
    expect(socket.isSessionReused()).toBe(true)
    expect(outside.accepted).toEqual(['huizhou', 'huizhou'])
  })

  it('is refused once a list revokes that certificate', async () => {
    const own = await makeAuthorities()
    const { certificate, key, ...made } = await own.member('huizhou')
    const identity = { cert: certificate + own.issuer.certificate, key }
    const outside = await openOutside(own)
    const session = await ticketOf(outside, identity)
    const list = await makeCrl({
      issuer: own.issuer,
      number: 2,
      thisUpdate: daysFromNow(-0.4),
      revoked: [made.serial],
    })
    for (const crl of readCrls(list)) own.anchors.crls.add(crl)
    await closed(outside.secure('127.0.0.2', identity, { session }))
    expect(outside.accepted).toEqual(['huizhou'])
    expect(outside.failures.join()).toContain('revocation.revoked')
  })

  it('brings no certificate that was not shown: who has none gets no ticket', async () => {
    const outside = await openOutside(authorities)
    let tickets = 0
    await closed(outside.secure('127.0.0.2').on('session', () => (tickets += 1)))
    expect(tickets).toBe(0)
    expect(outside.accepted).toEqual([])
  })
})

describe('an accepted caller that', () => {
  const patience = { headersTimeout: 1_000, requestTimeout: 1_500, connectionsCheckingInterval: 100, silence: 1_000 }
  const HEAD = 'POST / HTTP/1.1\r\nhost: x\r\n'

  it.concurrent.each([
    ['says nothing', ''],
    ['drips its header', HEAD],
    ['drips its body', `${HEAD}content-length: 1000\r\n\r\n`],
  ])('%s is cut off', async (what, text) => {
    const outside = await openOutside(authorities, patience)
    const socket = outside.secure('127.0.0.2', huizhou)
    socket.resume()
    await until(() => outside.accepted.length === 1)
    socket.write(text)
    const drip = what.startsWith('drips') ? setInterval(() => socket.writable && socket.write('a'), 100) : undefined
    expect(await took(() => closed(socket))).toBeLessThan(3_000)
    clearInterval(drip)
  })

  it.concurrent('closes its half is let go at once', async () => {
    const outside = await openOutside(authorities)
    const socket = outside.secure('127.0.0.2', huizhou)
    socket.resume()
    await until(() => outside.accepted.length === 1)
    expect(await took(() => closed(socket.end()))).toBeLessThan(1_000)
  })

  it.concurrent('does not read its answer is cut off, and its place is free again', async () => {
    let gone = 0
    const answer = (_: unknown, response: ServerResponse) => {
      response.once('close', () => (gone += 1))
      response.end(Buffer.alloc(8 * 1024 * 1024))
    }
    const outside = await openOutside(authorities, patience, answer)
    const socket = outside.secure('127.0.0.2', huizhou)
    await until(() => outside.accepted.length === 1)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    expect(await took(() => until(() => gone === 1))).toBeLessThan(5_000)
  })
})
