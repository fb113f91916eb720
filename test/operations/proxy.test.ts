/** A proxy that ends TLS speaks for its callers only where its own certificate was named; nobody else can, and no header is believed twice. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { createServer, request } from 'node:https'
import { type AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { Pool } from 'undici'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ConfigurationError } from '#protocol/fault.ts'
import { readCertificate, readCrls } from '#trust/certificate.ts'
import { openCallers, readClientCertificate, readProxy } from '#trust/proxy.ts'
import {
  clientAuth,
  daysFromNow,
  type Made,
  makeCrl,
  makeIssuer,
  makeLeaf,
  makeMember,
  makeRoot,
} from '../certificates.ts'
import { type Authorities, closed, type Identity, makeAuthorities, type Outside, openOutside } from './outside.ts'

const now = Date.now()
let authorities: Authorities
let huizhou: Made
let own: Made
beforeAll(async () => {
  authorities = await makeAuthorities()
  huizhou = await authorities.member('huizhou')
  own = await makeLeaf({ subject: 'CN=Our proxy', dns: ['proxy.jiangyin.example'], purposes: [clientAuth] })
})

const identityOf = (made: Made, issuer = authorities.issuer): Identity => ({
  cert: made.certificate + issuer.certificate,
  key: made.key,
})

const CLIENT_CERT = 'client-cert'
const byteSequence = (der: Uint8Array) => `:${Buffer.from(der).toString('base64')}:`

/** A PEM file, and what our reader makes of it. */
function named(pem: string, at = now) {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'proxy.pem')
  writeFileSync(file, pem)
  return readProxy(file, at)
}

type Said = { readonly status: number; readonly city: string | undefined; readonly refusal: string | undefined }

/** One message to the gateway, or to the proxy before it, over a connection of its own. */
async function say(
  { port }: Pick<Outside, 'port'>,
  identity: Identity,
  headers: OutgoingHttpHeaders = {},
  { root }: Authorities = authorities,
): Promise<Said> {
  const { promise, resolve, reject } = Promise.withResolvers<Said>()
  const ca = root.certificate
  const to = { host: '127.0.0.1', port, method: 'POST', path: '/', agent: false, ca, headers, ...identity }
  const asked = request({ ...to, checkServerIdentity: () => undefined })
  asked.once('error', reject)
  asked.once('response', response => {
    const one = (name: string) => response.headers[name]?.toString()
    response.resume()
    response.once('end', () =>
      resolve({ status: response.statusCode ?? 0, city: one('x-city'), refusal: one('x-refusal') }),
    )
  })
  asked.end('good')
  return promise
}

/**
 * A proxy as it stands in front of a gateway: ends the TLS of peers, asks for their certificates under the federation's
 * root, and goes on over its own connection. Unless `naive` it lets no caller set the header.
 */
async function openProxy(outside: Outside, proxy: Made, naive = false) {
  const city = await authorities.member('jiangyin')
  const gateway = new Pool(`https://127.0.0.1:${outside.port}`, {
    connections: 1,
    connect: {
      cert: proxy.certificate,
      key: proxy.key,
      ca: authorities.root.certificate,
      checkServerIdentity: () => undefined,
    },
  })
  const options = { ...identityOf(city), ca: authorities.root.certificate, minVersion: 'TLSv1.3' } as const
  const server = createServer({ ...options, requestCert: true, rejectUnauthorized: true }, (incoming, response) => {
    const [leaf = Buffer.of(), issuer] = shownBy(incoming.socket)
    const set = naive ? incoming.headersDistinct[CLIENT_CERT] : undefined
    gateway
      .request({
        method: 'POST',
        path: incoming.url ?? '/',
        headers: {
          [CLIENT_CERT]: [...(set ?? []), byteSequence(leaf)],
          ...(issuer && { [`${CLIENT_CERT}-chain`]: byteSequence(issuer) }),
        },
        body: incoming,
      })
      .then(answer => {
        response.writeHead(answer.statusCode, answer.headers)
        answer.body.pipe(response)
      })
      .catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(async () => {
    await gateway.destroy()
    server.close()
    server.closeAllConnections()
  })
  return { ...outside, port: (server.address() as AddressInfo).port }
}

/** The certificate of a caller, and its issuer's, where it showed one. */
function shownBy(socket: Socket): Buffer[] {
  if (!(socket instanceof TLSSocket)) return []
  const shown = socket.getPeerCertificate(true)
  return shown.issuerCertificate === undefined || shown.issuerCertificate === shown
    ? [shown.raw]
    : [shown.raw, shown.issuerCertificate.raw]
}

describe('a proxy whose certificate was named', () => {
  const open = async () => {
    const outside = await openOutside(authorities, { proxy: named(own.certificate) })
    return { outside, proxy: await openProxy(outside, own) }
  }

  it('speaks for each of its callers, over one connection', async () => {
    const { outside, proxy } = await open()
    const ningbo = await authorities.member('ningbo')
    for (const [city, made] of [
      ['huizhou', huizhou],
      ['ningbo', ningbo],
      ['huizhou', huizhou],
    ] as const) {
      expect(await say(proxy, identityOf(made))).toMatchObject({ status: 200, city })
    }
    expect(outside.accepted).toEqual([':proxy'])
  })

  it('says itself who calls: what the caller set is not passed on', async () => {
    const { proxy } = await open()
    const forged = { 'client-cert': byteSequence((await authorities.member('ningbo')).der) }
    expect(await say(proxy, identityOf(huizhou), forged)).toMatchObject({ status: 200, city: 'huizhou' })
  })

  it('that adds its word to the caller’s is refused, whichever came first', async () => {
    const outside = await openOutside(authorities, { proxy: named(own.certificate) })
    const proxy = await openProxy(outside, own, true)
    const forged = { 'client-cert': byteSequence((await authorities.member('ningbo')).der) }
    const { status, refusal } = await say(proxy, identityOf(huizhou), forged)
    expect({ status, refusal }).toEqual({ status: 401, refusal: 'token.transport: client-cert stands twice' })
  })

  it('is refused where it names no caller', async () => {
    const { outside } = await open()
    const { certificate: cert, key } = own
    expect((await say(outside, { cert, key })).refusal).toBe('token.transport: the proxy passed on no client-cert')
    const chain = { 'client-cert-chain': byteSequence(authorities.issuer.der) }
    expect((await say(outside, { cert, key }, chain)).refusal).toBe(
      'token.transport: the proxy passed on no client-cert',
    )
  })

  it('brings issuers along that we do not know', async () => {
    const { outside } = await open()
    const { certificate: cert, key } = own
    const issuer = await makeIssuer({ subject: 'CN=Second issuing CA', issuer: authorities.root })
    for (const crl of readCrls(await makeCrl({ issuer }))) authorities.anchors.crls.add(crl)
    const member = await makeMember({ issuer, city: 'ningbo', kind: 'tls' })
    const leaf = { 'client-cert': byteSequence(member.der) }
    expect((await say(outside, { cert, key }, leaf)).refusal).toMatch(/^token\.certificate: /)
    const both = { ...leaf, 'client-cert-chain': byteSequence(issuer.der) }
    expect(await say(outside, { cert, key }, both)).toMatchObject({ status: 200, city: 'ningbo' })
    // What one message proved with its issuers, another without them does not.
    expect((await say(outside, { cert, key }, leaf)).refusal).toMatch(/^token\.certificate: /)
  })

  it.each([
    ['of another root', async () => (await makeAuthorities()).member('huizhou')],
    ['for signing messages', () => makeMember({ issuer: authorities.issuer, city: 'huizhou' })],
    [
      'that has ended',
      () =>
        makeMember({
          issuer: authorities.issuer,
          city: 'huizhou',
          kind: 'tls',
          notBefore: daysFromNow(-9),
          notAfter: daysFromNow(-1),
        }),
    ],
    ['of its own', async () => own],
  ])('is refused with a certificate %s', async (_, make) => {
    const { outside } = await open()
    const { certificate: cert, key } = own
    const said = await say(outside, { cert, key }, { 'client-cert': byteSequence((await make()).der) })
    expect(said).toMatchObject({ status: 401, city: undefined })
    expect(said.refusal).toMatch(/^token\.certificate: /)
  })

  it('is refused with a caller whose certificate was revoked since the last message', async () => {
    const those = await makeAuthorities()
    const outside = await openOutside(those, { proxy: named(own.certificate) })
    const { certificate: cert, key } = own
    const caller = await those.member('huizhou')
    const header = { 'client-cert': byteSequence(caller.der) }
    expect(await say(outside, { cert, key }, header, those)).toMatchObject({ status: 200, city: 'huizhou' })
    const list = await makeCrl({ issuer: those.issuer, number: 2, thisUpdate: daysFromNow(-0.4), revoked: [caller] })
    for (const crl of readCrls(list)) those.anchors.crls.add(crl)
    expect((await say(outside, { cert, key }, header, those)).refusal).toContain('revocation.revoked')
  })

  it('is refused from the moment its own certificate ends, on the connection that it has', async () => {
    const short = await makeLeaf({ dns: ['proxy'], purposes: [clientAuth], notAfter: daysFromNow(1) })
    const outside = await openOutside(authorities, { proxy: named(short.certificate) })
    const proxy = await openProxy(outside, short)
    expect(await say(proxy, identityOf(huizhou))).toMatchObject({ status: 200, city: 'huizhou' })
    outside.pass(2 * 86_400_000)
    expect((await say(proxy, identityOf(huizhou))).refusal).toBe(
      'token.transport: the certificate of the proxy has ended',
    )
    expect(outside.accepted).toEqual([':proxy'])
  })
})

describe('the header', () => {
  const header = () => ({ 'client-cert': byteSequence(huizhou.der) })
  const refusal = 'token.transport: a client certificate in a header, and not from the proxy'

  it.each([
    ['where a proxy was named', () => ({ proxy: named(own.certificate) })],
    ['where none was', () => ({})],
  ])('from a member is refused and not passed over, %s', async (_, options) => {
    const outside = await openOutside(authorities, options())
    const ningbo = identityOf(await authorities.member('ningbo'))
    expect(await say(outside, ningbo)).toMatchObject({ status: 200, city: 'ningbo' })
    expect(await say(outside, ningbo, header())).toEqual({ status: 401, city: undefined, refusal })
    const chain = { 'client-cert-chain': byteSequence(huizhou.der) }
    expect(await say(outside, ningbo, chain)).toEqual({ status: 401, city: undefined, refusal })
    // An empty one is one.
    expect(await say(outside, ningbo, { 'client-cert': '' })).toEqual({ status: 401, city: undefined, refusal })
  })

  it('from a member is refused even where it is of that member', async () => {
    const outside = await openOutside(authorities)
    expect((await say(outside, identityOf(huizhou), header())).refusal).toBe(refusal)
  })

  it.each([
    ['a certificate of the same name', () => makeLeaf({ subject: 'CN=Our proxy', purposes: [clientAuth] })],
    ['a certificate that the proxy’s own issued', () => makeLeaf({ issuer: own, purposes: [clientAuth] })],
    ['the proxy’s certificate made anew with its key', () => makeLeaf({ subject: 'CN=Our proxy', keys: own.keys })],
  ])('is not even heard over a connection with %s', async (_, make) => {
    const outside = await openOutside(authorities, { proxy: named(own.certificate) })
    const { certificate: cert, key } = await make()
    await expect(say(outside, { cert, key }, header())).rejects.toThrow()
    expect(outside.accepted).toEqual([])
  })

  it('is not heard over a connection with what an authority issued that was named by mistake', async () => {
    const authority = await makeRoot({ subject: 'CN=An authority', extensions: { keyUsage: false } })
    const outside = await openOutside(authorities, { proxy: named(authority.certificate) })
    const { certificate: cert, key } = await makeLeaf({ issuer: authority, purposes: [clientAuth] })
    await expect(say(outside, { cert, key }, header())).rejects.toThrow()
    expect(outside.accepted).toEqual([])
  })

  it('is not heard from the proxy where it was not named', async () => {
    const outside = await openOutside(authorities)
    const { certificate: cert, key } = own
    await closed(outside.secure('127.0.0.2', { cert, key }))
    expect(outside.accepted).toEqual([])
  })
})

describe('the certificate of the proxy', () => {
  it.each([
    ['is not there', () => readProxy('/nowhere/proxy.pem', now), 'not readable'],
    ['is two', () => named(own.certificate + huizhou.certificate), 'not exactly one'],
    ['is none', () => named(''), 'not exactly one'],
    ['comes with its key', () => named(own.certificate + own.key), 'not readable'],
    ['is not valid yet', () => named(own.certificate, now - 9 * 86_400_000), 'is valid from'],
    ['has ended', () => named(own.certificate, now + 99 * 86_400_000), 'is valid from'],
    ['was issued by another', () => named(huizhou.certificate), 'not signed by its own key'],
  ])('is refused at the start where it %s', (_, read, problem) => {
    expect(read).toThrow(problem)
    expect(read).toThrow('XINQIAO_PROXY_CERTIFICATE')
  })

  it.each([
    ['may only be a server', () => makeLeaf({ subject: 'CN=Our proxy' })],
    ['may only issue others', () => makeRoot({ subject: 'CN=Our proxy' })],
  ])('is refused at the start where it %s', async (_, make) => {
    const { certificate } = await make()
    expect(() => named(certificate)).toThrow('not for a client of TLS')
  })

  it('may be the plain one that openssl makes', async () => {
    const extensions = { keyUsage: false, extendedKeyUsage: false, subjectAltName: false } as const
    const plain = await makeRoot({ subject: 'CN=Our proxy', extensions })
    const outside = await openOutside(authorities, { proxy: named(plain.certificate) })
    expect(await say(await openProxy(outside, plain), identityOf(huizhou))).toMatchObject({ city: 'huizhou' })
  })

  it('is refused at the start where it names a city', async () => {
    const { certificate } = await makeLeaf({ uri: ['xinqiao://huizhou.city'], purposes: [clientAuth] })
    expect(() => named(certificate)).toThrow('names a member city')
  })
})

describe('the certificate of the proxy, to the millisecond', () => {
  it('is good from its first instant to its last, at the start and on every connection', () => {
    const { notBefore, notAfter } = readCertificate(own.certificate)
    const [first, last] = [notBefore.getTime(), notAfter.getTime()]
    const proxy = named(own.certificate, first)
    expect(named(own.certificate, last).until).toBe(last)
    const shown = { raw: own.der }
    expect([first - 1, first, last, last + 1].map(at => proxy.is(shown, at))).toEqual([false, true, true, false])
    expect(proxy.is({ raw: huizhou.der }, first)).toBe(false)
    const days = `is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}`
    for (const at of [first - 1, last + 1]) expect(() => named(own.certificate, at)).toThrow(days)
  })

  it('is signed by its own key and not by another under its own name', async () => {
    const other = await makeRoot({ subject: 'CN=Our proxy' })
    const { certificate } = await makeLeaf({ subject: 'CN=Our proxy', issuer: other, purposes: [clientAuth] })
    expect(() => named(certificate)).toThrow('not signed by its own key')
    const renamed = await makeLeaf({ subject: 'CN=Our proxy', issuerName: 'CN=Another', purposes: [clientAuth] })
    expect(() => named(renamed.certificate)).toThrow('not signed by its own key')
  })

  it('may have any name but that of a city, and stands as it is for the server', async () => {
    const { certificate } = await makeLeaf({
      dns: ['xinqiao'],
      uri: ['https://proxy.jiangyin.example/xinqiao:'],
      purposes: [clientAuth],
    })
    expect(named(certificate).pem.trim()).toBe(certificate.trim())
    const second = await makeLeaf({ uri: ['https://proxy.example', 'xinqiao://huizhou.city'], purposes: [clientAuth] })
    expect(() => named(second.certificate)).toThrow('names a member city')
  })

  it.each<[string, () => Promise<unknown> | unknown, string]>([
    [
      'is no file',
      () => readProxy('/nowhere/proxy.pem', now),
      'Name the file with the certificate that the proxy shows to us',
    ],
    ['is of another', () => named(huizhou.certificate), 'Make the proxy a certificate of its own that signs itself'],
    [
      'is a server’s',
      async () => named((await makeLeaf({ subject: 'CN=Our proxy' })).certificate),
      'Allow it digitalSignature and clientAuth, or set neither extension',
    ],
    ['has ended', () => named(own.certificate, now + 99 * 86_400_000), 'Make the proxy a new certificate'],
    [
      'is a city’s',
      async () => named((await makeLeaf({ uri: ['xinqiao://huizhou.city'], purposes: [clientAuth] })).certificate),
      'Make the proxy a certificate of its own, with no city in it',
    ],
  ])('where it %s is said to be so, with what to do', async (_, read, remedy) => {
    const error = await Promise.try(read).catch(thrown => thrown)
    expect(error).toBeInstanceOf(ConfigurationError)
    const place = { file: 'environment', path: 'XINQIAO_PROXY_CERTIFICATE' }
    expect(error).toMatchObject({
      faults: [{ ...place, problem: expect.stringMatching(/./), remedy: expect.stringContaining(remedy) }],
    })
  })
})

describe('who sends', () => {
  it('is the city with the address that it speaks from, and the proxy under a name that no city has', async () => {
    const outside = await openOutside(authorities, { proxy: named(own.certificate) })
    const address = '127.0.0.1'
    const member = { city: 'huizhou', address, isProxied: false }
    await say(outside, identityOf(huizhou))
    await say(outside, { cert: own.certificate, key: own.key }, { 'client-cert': byteSequence(huizhou.der) })
    expect(outside.greeted).toEqual([member, { city: ':proxy', address, isProxied: true }])
    expect(outside.senders).toEqual([
      { ...member, passedOn: false },
      { ...member, isProxied: true, passedOn: true },
    ])
  })

  it('is nobody over a connection that was not greeted', () => {
    const connected = () => {
      throw new RangeError('nobody is looked at')
    }
    const message = new IncomingMessage(new Socket())
    for (const proxy of [undefined, named(own.certificate)]) {
      const callers = openCallers({ connected }, proxy, () => now)
      expect(() => callers.senderOf(message)).toThrow('the connection has no accepted certificate')
      expect(callers.isProxied(message)).toBe(false)
    }
  })
})

describe('Client-Cert (RFC 9440)', () => {
  it('is read back as the certificates that were written, first and chain in order', () => {
    const der = fc.uint8Array({ minLength: 1, maxLength: 300 })
    const space = fc.constantFrom('', ' ', '  ', '\t')
    fc.assert(
      fc.property(der, fc.array(der, { maxLength: 4 }), space, space, (leaf, chain, before, after) => {
        const shown = readClientCertificate({
          'client-cert': [byteSequence(leaf)],
          ...(chain.length > 0 && { 'client-cert-chain': [chain.map(byteSequence).join(`${before},${after}`)] }),
        })
        const read = []
        for (let each: typeof shown | undefined = shown; each; each = each.issuerCertificate) read.push([...each.raw])
        expect(read).toEqual([leaf, ...chain].map(each => [...each]))
      }),
    )
  })

  it('is taken up to a size of both headers, and up to four issuers, and not beyond', () => {
    const item = (length: number) => byteSequence(Buffer.alloc((length - 2) * 0.75))
    const of = (leaf: number, chain: number) =>
      readClientCertificate({ 'client-cert': [item(leaf)], 'client-cert-chain': [item(chain)] })
    expect(item(8_194)).toHaveLength(8_194)
    expect(of(8_194, 8_190).raw).toHaveLength(6_144)
    for (const [leaf, chain] of [
      [8_194, 8_194],
      [8_198, 8_190],
      [16_386, 6],
    ] as const) {
      expect(() => of(leaf, chain)).toThrow('certificates too large')
    }
    const chain = (count: number) => ({
      'client-cert': [':AQID:'],
      'client-cert-chain': [Array(count).fill(':AQID:').join()],
    })
    expect(readClientCertificate(chain(4)).issuerCertificate).toBeDefined()
    expect(() => readClientCertificate(chain(5))).toThrow('more than 4 certificates')
  })

  it('is not there where it has no line at all', () => {
    expect(() => readClientCertificate({ 'client-cert': [] })).toThrow('passed on no client-cert')
    expect(readClientCertificate({ 'client-cert': [':AQID:'], 'client-cert-chain': [] })).toEqual({
      raw: Buffer.of(1, 2, 3),
    })
  })

  it('is believed in one form only: any other character of it is another certificate or a refusal', () => {
    const text = byteSequence(Uint8Array.from({ length: 31 }, (_, i) => i * 7))
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ minLength: 0, maxLength: 3 }), (at, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + 1)
        fc.pre(changed !== text)
        try {
          const { raw } = readClientCertificate({ 'client-cert': [changed] })
          expect(byteSequence(raw)).toBe(changed)
        } catch (error) {
          expect(String(error)).toContain('token.transport')
        }
      }),
    )
  })

  it.each([
    ['nothing', {}],
    ['nothing, said', { 'client-cert': [''] }],
    ['an empty byte sequence', { 'client-cert': ['::'] }],
    ['two lines', { 'client-cert': [':AQID:', ':AQID:'] }],
    ['two in one line', { 'client-cert': [':AQID:, :AQID:'] }],
    ['a parameter', { 'client-cert': [':AQID:;a=1'] }],
    ['padding left out', { 'client-cert': [':AQ:'] }],
    ['unused bits that are not zero', { 'client-cert': [':AR==:'] }],
    ['base64url', { 'client-cert': [':-_-_:'] }],
    ['white space inside', { 'client-cert': [':AQ ID:'] }],
    ['a string', { 'client-cert': ['"AQID"'] }],
    ['PEM, as some proxies write it', { 'client-cert': ['-----BEGIN CERTIFICATE-----'] }],
    ['a chain alone', { 'client-cert-chain': [':AQID:'] }],
    ['an empty chain', { 'client-cert': [':AQID:'], 'client-cert-chain': [''] }],
    ['a comma too many', { 'client-cert': [':AQID:'], 'client-cert-chain': [':AQID:,'] }],
    ['an inner list', { 'client-cert': [':AQID:'], 'client-cert-chain': ['(:AQID:)'] }],
    ['two lines of chain', { 'client-cert': [':AQID:'], 'client-cert-chain': [':AQID:', ':AQID:'] }],
    ['a chain of five', { 'client-cert': [':AQID:'], 'client-cert-chain': [':AQID:,:AQID:,:AQID:,:AQID:,:AQID:'] }],
    ['16 KiB and more', { 'client-cert': [`:${'A'.repeat(16_384)}:`] }],
  ])('is refused where it is %s', (_, headers) => {
    expect(() => readClientCertificate(headers)).toThrow('token.transport')
  })
})
