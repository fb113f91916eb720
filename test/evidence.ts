/** Evidence of a real federation for tests: cities that asked each other, and what one of them took out of its ledger. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { proveEvidence } from '#exchange/proof.ts'
import { type Line, linesOf, type Selection, writeLine } from '#ledger/bundle.ts'
import { openLedgerAt, openLogStoreAt } from '#ledger/open.ts'
import { readCertificates } from '#trust/certificate.ts'
import { type Exported, exportEvidence } from '../src/evidence.ts'
import type { Running } from './federation.ts'

/** A folder that is gone when the test is. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'xinqiao-evidence-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Takes evidence out of a city's ledger while its gateway runs, as the command does. */
export async function taken(
  running: Running,
  city: string,
  selection: Selection = {},
  place?: string,
): Promise<{ lines: Line[]; told: Exported | undefined }> {
  const { settings } = running.federation.city(city)
  const { members, keys } = await running.identity(city)
  const lines: Line[] = []
  await running.gateway(city).transparency.log.integrate()
  await using ledger = await openLedgerAt(place ?? settings.ledger, city)
  await using store = await openLogStoreAt(place ?? settings.ledger)
  const told = await exportEvidence({
    ...{ ledger, store, members, keys, data: settings.data, selection },
    by: '王某',
    now: Date.now,
    patience: 0,
    write: line => void lines.push(line),
  })
  return { lines, told }
}

/** What a verifier says of these lines, who has the federation's root and nothing else. */
export async function judged(running: Running, lines: readonly Line[] | string | Buffer, now = Date.now()) {
  const root = readFileSync(join(running.federation.folder, 'certs', 'root.pem'), 'utf8')
  async function* chunks() {
    const bytes = Buffer.isBuffer(lines)
      ? lines
      : Buffer.from(typeof lines === 'string' ? lines : lines.map(writeLine).join(''))
    // Cut anywhere, in the middle of a character too.
    for (let from = 0; from < bytes.length; from += 1_021) yield bytes.subarray(from, from + 1_021)
  }
  return await proveEvidence(linesOf(chunks()), readCertificates(root), now)
}
