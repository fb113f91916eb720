/** What a browser keeps for us comes back unread, unchanged, for the one use it was sealed for, and in time, or not at all. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { z } from 'zod'

const Sealed = z.strictObject({ until: z.int(), value: z.unknown() })
const IV = 12
const TAG = 16

/** Seals a JSON value under a key of 32 bytes for one use, until an instant in epoch milliseconds (AES-256-GCM). */
export function seal(key: Buffer, use: string, value: unknown, until: number): string {
  const iv = randomBytes(IV)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(use))
  const text = Buffer.concat([cipher.update(JSON.stringify({ until, value })), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')
}

/** The value as its form; undefined where it was sealed by another, for another use, or is over. */
export function unseal<T>(key: Buffer, use: string, sealed: string, form: z.ZodType<T>, now: number): T | undefined {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length <= IV + TAG) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV), { authTagLength: TAG })
    decipher.setAAD(Buffer.from(use)).setAuthTag(bytes.subarray(IV, IV + TAG))
    const text = Buffer.concat([decipher.update(bytes.subarray(IV + TAG)), decipher.final()]).toString()
    const { until, value } = Sealed.parse(JSON.parse(text))
    return until > now ? form.parse(value) : undefined
  } catch {
    return undefined
  }
}
