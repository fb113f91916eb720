/** No POST is heard that is not a form of ours, sent from a page of ours, by the browser that was given it. */
import { timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { refuse } from '#protocol/refusal.ts'
import { isFromHere } from './wire.ts'

/** The hidden field in which a form carries its token. */
export const TOKEN = '_csrf'
/** Bytes of a form: a thousand subjects' codes and their separators, and room for a text. */
const MOST = 65_536

/** Refuses a larger body before it is read, with `form.size`. */
const bounded = bodyLimit({
  maxSize: MOST,
  onError: () => {
    throw refuse('form.size')
  },
})

/** Does nothing to what asks; a body that is too large ends it. GET and HEAD have none. */
export const boundedForms = createMiddleware(async (c, next) => (isSafe(c) ? next() : bounded(c, next)))

/** Whether the method is one that changes nothing (RFC 9110, section 9.2.1). */
export function isSafe(c: Context): boolean {
  return c.req.method === 'GET' || c.req.method === 'HEAD'
}

/** A text field of the form; empty where it is missing or a file. */
export async function field(c: Context, name: string): Promise<string> {
  const value = (await c.req.parseBody())[name]
  return typeof value === 'string' ? value : ''
}

/** Whether the form was sent from a page of ours and carries this token. */
export async function isOurForm(c: Context, token: string): Promise<boolean> {
  if (!isFromHere(c)) return false
  const given = Buffer.from(await field(c, TOKEN))
  const expected = Buffer.from(token)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
