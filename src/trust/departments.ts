/** A department of this city asks with a key that was issued to it: kept only as a digest, for named purposes, until a day. */

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { z } from 'zod'
import { sha256 } from '#protocol/canonical.ts'
import { Code } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { replaceFile } from './replace.ts'

const Department = z.strictObject({
  id: Code,
  name: z.string().min(1).max(100),
  purposes: z.array(Code).min(1),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** SHA-256 of the key's secret; the secret has 256 random bits, so no slow hash is needed. */
  digest: z.string().length(43),
})
export type Department = z.infer<typeof Department>
const File = z.array(Department)

const KEY = /^xq_([a-z0-9][a-zA-Z0-9.-]{0,63})_([A-Za-z0-9_-]{43})$/

export type Departments = {
  /** The department of a bearer key, at an instant in epoch milliseconds. Throws `department.key`. */
  find(key: string | undefined, now: number): Department
  /** Those on file now, expired ones included. */
  all(): readonly Department[]
}

/** Reads the file of departments, and reads it again when it has changed: issuing and withdrawing need no restart. */
export function openDepartments(path: string): Departments {
  let changed = -1
  let settled = false
  let known = new Map<string, Department>()
  const reload = () => {
    const at = existsSync(path) ? statSync(path).mtimeMs : 0
    if (at === changed && settled) return
    known = new Map(readDepartments(path).map(department => [department.id, department]))
    changed = at
    // Two changes within a tick of the file system's clock bear one time: only what has lain a while is not read again.
    settled = Date.now() - at > 1_000
  }
  return {
    find(key, now) {
      const [, id, secret] = KEY.exec(key ?? '') ?? []
      if (id === undefined || secret === undefined) throw refuse('department.key', 'missing or malformed')
      reload()
      const department = known.get(id)
      if (department === undefined || !timingSafeEqual(Buffer.from(department.digest), Buffer.from(sha256(secret)))) {
        throw refuse('department.key', 'unknown')
      }
      if (Date.parse(department.expiresAt) <= now) throw refuse('department.key', `${id} has expired`)
      return department
    },
    all() {
      reload()
      return [...known.values()]
    },
  }
}

/** The departments on file; none where there is no file. */
export function readDepartments(path: string): Department[] {
  return existsSync(path) ? File.parse(JSON.parse(readFileSync(path, 'utf8'))) : []
}

/** Issues a key, in place of an earlier one of the same id. Gives the key itself, which is shown once and kept nowhere. */
export function issueKey(
  path: string,
  { id, name, purposes, days }: { id: string; name: string; purposes: string[]; days: number },
  now: number,
): string {
  const secret = randomBytes(32).toString('base64url')
  const department = Department.parse({
    id,
    name,
    purposes,
    issuedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + days * 86_400_000).toISOString(),
    digest: sha256(secret),
  })
  write(path, [...readDepartments(path).filter(each => each.id !== id), department])
  return `xq_${id}_${secret}`
}

/** Withdraws a department's key. Gives whether there was one. */
export function withdrawKey(path: string, id: string): boolean {
  const all = readDepartments(path)
  write(
    path,
    all.filter(each => each.id !== id),
  )
  return all.some(each => each.id === id)
}

function write(path: string, departments: readonly Department[]): void {
  replaceFile(path, `${JSON.stringify(departments, null, 2)}\n`, 0o600)
}
