/** What a request says of itself is told from what the connection says; only the latter decides how a cookie is kept. */
import { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Context } from 'hono'
import { z } from 'zod'

const Ends = z.object({ incoming: z.instanceof(IncomingMessage) })

function socketOf(c: Context) {
  return Ends.parse(c.env).incoming.socket
}

/** Whether this connection is TLS itself; what a proxy says of another one is not asked. */
export function isSecure(c: Context): boolean {
  return socketOf(c) instanceof TLSSocket
}

/** The address at the other end of the connection. */
export function addressOf(c: Context): string {
  return socketOf(c).remoteAddress ?? ''
}

/**
 * Whether a page of this very address sent the request, as its browser says: Fetch Metadata where there is any, and Origin
 * (RFC 6454; WHATWG Fetch). A request with neither is no browser's form.
 */
export function isFromHere(c: Context): boolean {
  const site = c.req.header('sec-fetch-site')
  const origin = c.req.header('origin')
  if (site === undefined && origin === undefined) return false
  const here = `http${isSecure(c) ? 's' : ''}://${c.req.header('host')}`
  return (site === undefined || site === 'same-origin') && (origin === undefined || origin === here)
}
