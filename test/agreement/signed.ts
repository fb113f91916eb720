/** An agreement of Jiangyin and Huizhou for the whole of 2026, signed, with the clauses of a test. */
import type { Agreement, Grant, Signed } from '#agreement/agreement.ts'
import { digest } from '#protocol/canonical.ts'

/** In force from `begins` until `ends`, epoch milliseconds; at all times unless a test says otherwise. */
export function signedOf(
  grants: readonly Grant[],
  over: Partial<Agreement> = {},
  { begins, ends }: Pick<Signed, 'begins' | 'ends'> = { begins: 0, ends: Number.MAX_SAFE_INTEGER },
): Signed {
  const text: Agreement = {
    id: 'a-2026',
    title: { zh: '协议', en: 'agreement' },
    parties: ['jiangyin', 'huizhou'],
    signedOn: '2026-01-01',
    validFrom: '2026-01-01',
    validTo: '2026-12-31',
    quota: { questionsPerMinute: 10, subjectsPerDay: 1000 },
    grants: [...grants],
    ...over,
  }
  return { text, digest: digest(text), begins, ends }
}
