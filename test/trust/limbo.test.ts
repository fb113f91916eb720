import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { certsVerify } from '#trust/certs-command.ts'

const file = join(import.meta.dirname, '../../../shared/vectors/x509-limbo/limbo.json')

type Row = { id: string; expected: string; got: string; reason: string | null; ms: number }

describe.skipIf(!existsSync(file))('x509-limbo (../shared/vectors/x509-limbo)', () => {
  const rows: Row[] = []
  beforeAll(async () => {
    await certsVerify(['--cases', file], line => rows.push(JSON.parse(line)))
  })

  test('every case is decided', () => {
    expect(rows.length).toBeGreaterThanOrEqual(82)
  })

  test('no path that must be refused is accepted', () => {
    expect(rows.filter(row => row.expected === 'FAILURE' && row.got === 'SUCCESS')).toEqual([])
  })

  test('of the paths that must pass only a CA without key usage is refused, as OpenSSL and RFC 5280 4.2.1.3 have it', () => {
    const refused = rows.filter(row => row.expected === 'SUCCESS' && row.got === 'FAILURE')
    expect(refused.map(({ id, reason }) => ({ id, reason }))).toEqual([
      { id: 'crl::issuer-no-keyusage-extension', reason: 'ca.key-usage' },
    ])
  })

  test('no case takes longer than 200 ms', () => {
    expect(rows.filter(row => row.ms > 200)).toEqual([])
  })
})
