/**
 * A city speaks through a proxy only where the operator named the certificate of that very proxy; the same header from
 * anybody else is refused, not passed over, so that nobody can find out by trying whether it is believed.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'
import { ConfigurationError } from '#protocol/fault.ts'
import { refuse } from '#protocol/refusal.ts'
import type { Peer, Shown } from './anchors.ts'
import { type Certificate, CLIENT_AUTH, readCertificate } from './certificate.ts'
import type { Members } from './members.ts'
import { keyUsage } from './x509.ts'

/** A proxy that ends the peers' TLS before us, known by its own certificate. */
export type NamedProxy = {
  /** For the `ca` of the server, or its handshake would end: OpenSSL wants an anchor for whatever is shown. */
  readonly pem: string
  /** When its certificate ends; epoch milliseconds. */
  readonly until: number
  /** Whether this is that certificate, byte for byte, and within its days at `now` (epoch milliseconds). */
  readonly is: (certificate: Shown, now: number) => boolean
}

/**
 * Reads a PEM file of one certificate that signs itself: node:tls takes no other certificate for an anchor of its own, and
 * nothing else hangs on this one. Throws ConfigurationError where it is not that, is not for clients of TLS, is not valid
 * at `now` (epoch milliseconds), or names a member city, which would make one member's transport key speak for all of them.
 */
export function readProxy(file: string, now: number): NamedProxy {
  const certificate = readOne(file)
  const { openssl, subject, issuer, notBefore, notAfter, digest, alternativeNames } = certificate
  if (subject.key !== issuer.key || !openssl.verify(openssl.publicKey)) {
    throw fault('is not signed by its own key', 'Make the proxy a certificate of its own that signs itself')
  }
  const signs = certificate.keyUsage?.has(keyUsage.digitalSignature) ?? true
  if (!signs || certificate.purposes?.includes(CLIENT_AUTH) === false) {
    throw fault('is not for a client of TLS', 'Allow it digitalSignature and clientAuth, or set neither extension')
  }
  if (now < notBefore.getTime() || notAfter.getTime() < now) {
    throw fault(
      `is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      'Make the proxy a new certificate',
    )
  }
  if (alternativeNames.some(({ form, value }) => form === 'uri' && String(value).startsWith('xinqiao:'))) {
    throw fault('names a member city', 'Make the proxy a certificate of its own, with no city in it')
  }
  const own = Buffer.from(digest, 'base64url')
  return {
    pem: openssl.toString(),
    until: notAfter.getTime(),
    is: ({ raw }, at) =>
      timingSafeEqual(hash('sha256', raw, 'buffer'), own) && notBefore.getTime() <= at && at <= notAfter.getTime(),
  }
}

function readOne(file: string): Certificate {
  try {
    return readCertificate(readFileSync(file, 'utf8'))
  } catch (error) {
    throw fault(
      `${file} is not readable as one PEM certificate: ${error instanceof Error ? error.message : error}`,
      'Name the file with the certificate that the proxy shows to us, and nothing else in it',
    )
  }
}

function fault(problem: string, remedy: string): ConfigurationError {
  return new ConfigurationError([{ file: 'environment', path: 'XINQIAO_PROXY_CERTIFICATE', problem, remedy }])
}

export type Callers = {
  /**
   * Looks at a connection whose handshake has ended, and gives who is at its other end: a city, or the proxy under a name
   * that no city has. Throws `token.certificate`: then it is to be destroyed.
   */
  greet(connection: TLSSocket): Sender
  /**
   * Who sends this message: the city of the connection's certificate or, over the proxy's connection, of the one that it
   * passes on. Throws `token.transport` where there is none, or one where none may be, and `token.certificate`. Asked for
   * every message, since a list may revoke what was good when the connection opened.
   */
  senderOf(message: IncomingMessage): Sender
  /** Whether the proxy passed this message on. */
  isProxied(message: IncomingMessage): boolean
}

/** A city, and from where it speaks: the address is the proxy's where it speaks through the proxy. */
export type Sender = { readonly city: string; readonly address: string | undefined; readonly isProxied: boolean }

/** The proxy itself. No city has this id: a colon is not in one. */
const PROXY = ':proxy'

/** Certificates that came through the proxy and were proved, with their issuers: some 20 KB each. */
const REMEMBERED = 256

/** Who is at the other end of each connection of one server. `proxy` is undefined without one; `now` is epoch milliseconds. */
export function openCallers(
  members: Pick<Members, 'connected'>,
  proxy: NamedProxy | undefined,
  now: () => number,
): Callers {
  const peers = new WeakMap<Socket, Peer>()
  const proxied = new WeakMap<Socket, Shown>()
  const passedOn = new LRUCache<string, Peer>({ max: REMEMBERED })
  /** Read and proved once; what `peer.city` gives is proved again whenever a list or the time changes. */
  const behindProxy = ({ headersDistinct: headers }: IncomingMessage): Peer => {
    const shown = readClientCertificate(headers)
    const key = [headers[LEAF], headers[CHAIN]].join()
    const known = passedOn.get(key)
    if (known !== undefined) return known
    const peer = members.connected(shown, now())
    passedOn.set(key, peer)
    return peer
  }
  return {
    greet(connection) {
      const { remoteAddress: address } = connection
      const shown = connection.getPeerCertificate(true)
      if (proxy?.is(shown, now())) {
        proxied.set(connection, shown)
        return { city: PROXY, address, isProxied: true }
      }
      const peer = members.connected(shown, now())
      const city = peer.city(now())
      peers.set(connection, peer)
      return { city, address, isProxied: false }
    },
    isProxied: ({ socket }) => proxied.has(socket),
    senderOf(message) {
      const { socket, headers } = message
      const { remoteAddress: address } = socket
      const shown = proxied.get(socket)
      if (shown !== undefined) {
        if (proxy?.is(shown, now()) !== true) throw refuse('token.transport', 'the certificate of the proxy has ended')
        return { city: behindProxy(message).city(now()), address, isProxied: true }
      }
      if (headers[LEAF] !== undefined || headers[CHAIN] !== undefined) {
        throw refuse('token.transport', 'a client certificate in a header, and not from the proxy')
      }
      const peer = peers.get(socket)
      if (peer === undefined) throw refuse('token.transport', 'the connection has no accepted certificate')
      return { city: peer.city(now()), address, isProxied: false }
    },
  }
}

/** RFC 9440 section 2. */
const LEAF = 'client-cert'
const CHAIN = 'client-cert-chain'
/** Certificates of the chain, without the first: a member's path has at most five, its root included. */
const LONGEST = 4
/** Characters of both headers. */
const LARGEST = 16_384

/**
 * The certificate in `Client-Cert` and those in `Client-Cert-Chain` (RFC 9440 section 2), in the form in which node:tls
 * shows those of a connection; nothing in them is read or proved. Takes `headersDistinct` of a message. Each header stands
 * at most once, in one line; each byte sequence (RFC 9651 section 3.3.5) is canonical base64 and has no parameters; an
 * empty one, or a chain without its first certificate, is none. Throws `token.transport`.
 */
export function readClientCertificate(headers: IncomingMessage['headersDistinct']): Shown {
  const leaf = single(headers[LEAF], LEAF)
  const chain = single(headers[CHAIN], CHAIN)
  if (leaf === undefined) throw refuse('token.transport', `the proxy passed on no ${LEAF}`)
  if (leaf.length + (chain?.length ?? 0) > LARGEST) throw refuse('token.transport', 'certificates too large')
  // RFC 9651 section 4.2.1: white space stands around the comma and nowhere else; node:http took what stood outside.
  const issuers = chain?.split(/[ \t]*,[ \t]*/) ?? []
  if (issuers.length > LONGEST) throw refuse('token.transport', `more than ${LONGEST} certificates in ${CHAIN}`)
  return { raw: bytes(leaf), ...linked(issuers.map(bytes)) }
}

function linked([raw, ...rest]: readonly Uint8Array[]): { readonly issuerCertificate?: Shown } {
  return raw === undefined ? {} : { issuerCertificate: { raw, ...linked(rest) } }
}

function single(values: readonly string[] | undefined, name: string): string | undefined {
  if (values === undefined || values.length === 0) return undefined
  if (values.length > 1) throw refuse('token.transport', `${name} stands twice`)
  return values[0]
}

function bytes(item: string): Uint8Array {
  const [, text] = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(item) ?? []
  if (text === undefined) throw refuse('token.transport', 'not a byte sequence of RFC 9651')
  const decoded = Buffer.from(text, 'base64')
  // Two texts for the same bytes would be two readings of one message.
  if (decoded.toString('base64') !== text) throw refuse('token.transport', 'base64 is not canonical')
  return decoded
}
