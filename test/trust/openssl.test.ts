import { beforeAll, describe, expect, test } from 'vitest'
import { compare, hasOpenssl, type Row, ways } from './openssl.long.ts'

describe.skipIf(!hasOpenssl())(
  'openssl verify -x509_strict, one chain each way (openssl.long.ts has thousands)',
  () => {
    let rows: Row[] = []
    beforeAll(async () => {
      rows = await Array.fromAsync(compare(ways.length, 20261122))
    }, 120_000)

    test('every way to differ was tried', () => {
      expect(new Set(rows.map(row => row.way)).size).toBe(ways.length)
    })

    test('no chain that OpenSSL refuses is accepted', () => {
      expect(rows.filter(row => row.ours && !row.openssl)).toEqual([])
    })

    test('every chain made to be right is accepted by both', () => {
      expect(rows.filter(row => row.right && !(row.ours && row.openssl))).toEqual([])
    })

    test('every chain made to be wrong is refused', () => {
      expect(rows.filter(row => !row.right && row.ours)).toEqual([])
    })
  },
)
