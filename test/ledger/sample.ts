/** Entries, files and children for the tests of the ledger: each entry valid, each another. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import { createLedger } from '#ledger/sqlite.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import type { Receipt } from '#protocol/message.ts'
import { completeUscc, readSubject } from '#protocol/subject.ts'

export type Answered = Extract<Entry, { kind: 'answered' }>

/** A UUIDv7 of this moment. */
export function uuid7(): string {
  const time = Date.now().toString(16).padStart(12, '0')
  const random = randomBytes(9).toString('hex')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`
}

/** A company's code, computed; the same for the same number. */
export function company(number: number) {
  return readSubject(completeUscc(`91320281MA${number.toString().padStart(6, '0')}`)).uscc
}

/** A question that was answered: the entry, and the evidence that it vouches for. */
export function answered(over: Partial<Answered> = {}) {
  const jti = over.jti ?? uuid7()
  const question = token({ jti })
  const answer = canonical({ results: [{ status: 'answered', name: '江阴市某某有限公司', records: [] }], jti })
  const entry: Answered = {
    kind: 'answered',
    at: new Date().toISOString(),
    city: 'jiangyin',
    peer: 'huizhou',
    jti,
    purpose: 'bidding',
    matter: '惠市招〔2026〕41号',
    agreement: { id: 'jiangyin-huizhou-2026', digest: 'a'.repeat(43) },
    subjects: [company(1)],
    questionHash: sha256(question.slice(0, question.lastIndexOf('.'))),
    status: ['answered'],
    disclosed: { licence: { fields: ['name', 'number', 'authority'], records: [2] } },
    withheldDigest: 'w'.repeat(43),
    answerDigest: sha256(answer),
    ...over,
  }
  return { entry, evidence: { question, answer } }
}

/** The entry as the ledger records it with its evidence, held for the days that a ledger holds it unless told otherwise. */
export function held<T extends { at: string }>(entry: T, days = 180): T & { heldUntil: string } {
  const until = Math.floor(Date.parse(entry.at) / 1000) + days * 86_400
  return { ...entry, heldUntil: new Date(until * 1000).toISOString() }
}

/** The signed answer to such a question; the signature is not one, the rest is. */
export function signedAnswer({ entry, evidence }: ReturnType<typeof answered>, receipt: Receipt): string {
  const answer: unknown = JSON.parse(evidence.answer)
  return token({ iss: 'jiangyin', aud: 'huizhou', req_jti: entry.jti, req_hash: entry.questionHash, answer, receipt })
}

function token(claims: unknown): string {
  const [header, payload] = [{ alg: 'ES256', kid: '1', typ: 'test' }, claims].map(part =>
    Buffer.from(canonical(part)).toString('base64url'),
  )
  return `${header}.${payload}.${randomBytes(64).toString('base64url')}`
}

/** An empty directory that is gone when the test is. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'ledger-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The path of a new ledger of Jiangyin. */
export function newLedger(): string {
  const path = join(directory(), 'ledger.db')
  createLedger(path, 'jiangyin')
  return path
}

/** Opens the file as any SQLite tool does. */
export function raw(path: string): DatabaseSync {
  return new DatabaseSync(path, { defensive: false })
}

/** Runs a statement as any SQLite tool does, with the triggers on. */
export function execute(path: string, sql: string): void {
  using db = raw(path)
  db.exec(sql)
}

/** Changes a file as one who knows its triggers: takes them off, works, and puts them back as they were. */
export function tamper(path: string, work: (db: DatabaseSync) => void): void {
  using db = raw(path)
  const triggers = db.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all()
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`)
  work(db)
  for (const { sql } of triggers) db.exec(String(sql))
}
